"""What is not loaded: with which status and code, and what the answer names."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.functions.api import (
    ADD,
    MODULE,
    Api,
    load_body,
    own_path,
    refusal,
    value,
)

WORDY = ", ".join(f"a{number}: Literal['{'x' * 300}']" for number in range(130))
LONG = f"from typing import Literal\ndef f({WORDY}): pass\n"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("visible_pixel_hash", "a" * 39),
        ("visible_pixel_hash", "a" * 65),
        ("visible_pixel_hash", "g" * 40),
        ("visible_pixel_hash", "../" + "a" * 40),
        ("visible_pixel_hash", 7),
        ("visible_pixel_hash", None),
        ("function_name", "_private"),
        ("function_name", "a b"),
        ("function_name", "def"),
        ("function_name", ""),
        ("module_name", "../agent"),
        ("module_name", "/etc/passwd"),
        ("module_name", "agent.py"),
        ("module_name", "a\0"),
        ("module_name", "x" * 101),
        ("endpoint_path", "relative"),
        ("endpoint_path", "/"),
        ("endpoint_path", "/a/../b"),
        ("endpoint_path", "/a//b"),
        ("endpoint_path", "/a?b"),
        ("endpoint_path", "/{a}"),
        ("endpoint_path", "/" + "a" * 512),
        ("method", "HEAD"),
        ("method", "TRACE"),
        ("method", ["GET"]),
        ("canary_weight", 1.5),
        ("unknown", 1),
    ],
)
def test_what_cannot_be_loaded(api: Api, contract: str, field: str, wrong: Any) -> None:
    """422 names the member, and no other."""
    answer = api.load(contract, "add", **{field: wrong})
    assert refusal(answer) == (422, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_what_is_not_there(api: Api, contract: str) -> None:
    """404 for the directory, the module, the function: each is named."""
    assert refusal(api.load(contract, "add")) == (404, "not_found")
    api.upload(contract, ADD)
    for members, word in (({"module_name": "nothing"}, "nothing.py"), ({"function_name": "nope"}, "nope")):
        answer = api.load(contract, "add", **members)
        assert refusal(answer) == (404, "not_found")
        assert word in answer.json()["error"]
    assert "add, other" in api.load(contract, "nope").json()["error"]
    assert refusal(api.load(contract, "add", module_name=MODULE.upper())) == (404, "not_found")


@pytest.mark.parametrize(
    ("text", "line", "construct"),
    [
        ("import os\n", 1, "os"),
        ("\nfrom subprocess import run as r\n", 2, "subprocess"),
        ("def f():\n    return open('x')\n", 2, "open"),
        ("def f():\n    return (1).__class__.__base__\n", 2, "__class__"),
    ],
)
def test_what_is_blocked(api: Api, contract: str, text: str, line: int, construct: str) -> None:
    """403 names the construct and its line."""
    api.upload(contract, text)
    answer = api.load(contract, "f")
    assert refusal(answer) == (403, "policy_refused")
    assert answer.json()["line"] == line
    assert construct in answer.json()["error"]


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("def f(:\n", {"type": "SyntaxError", "line": 1}),
        ("x = 1\nx / 0\ndef f(): pass\n", {"type": "ZeroDivisionError", "line": 2}),
        ("class A: pass\ndef f(a: A): pass\n", {"parameter": "a"}),
        (LONG, {"type": "SignatureError", "line": 2}),
    ],
)
def test_what_fails_when_it_is_loaded(api: Api, contract: str, text: str, about: dict[str, Any]) -> None:
    """422 with the line, or the parameter that no request can fill."""
    api.upload(contract, text)
    answer = api.load(contract, "f")
    assert refusal(answer) == (422, "module_failed")
    assert {name: answer.json()["exception"][name] for name in about} == about


def test_paths_that_are_taken(api: Api, contract: str) -> None:
    """409 for another function's and the service's own; /agent/NAME is free."""
    api.serve(contract, ADD, "add", "other")
    path = own_path(contract, "add")
    for taken in (path, path + "/", "/health", "/list-functions/mine", "/uploads/x", "/_/x", "/docs"):
        answer = api.load(contract, "other", endpoint_path=taken)
        assert refusal(answer) == (409, "conflict")
        assert taken.rstrip("/") in answer.json()["error"]
    assert refusal(api.load(contract, "other", endpoint_path=f"/agent/{contract}/x"))[0] == 422
    free = f"/agent/hello-{contract[:8]}"
    assert api.load(contract, "other", endpoint_path=free).status_code == 200
    assert value(api.ask("GET", free)) == "other"


def test_bodies_of_loading(api: Api) -> None:
    """Only JSON, only an object, not too much of it."""

    def load(content: bytes, kind: str = "application/json") -> httpx.Response:
        return api.write("POST", "/load-function", content=content, headers={"Content-Type": kind})

    assert refusal(load(b"{}", "text/plain")) == (415, "unsupported_media_type")
    assert refusal(load(b"")) == (400, "malformed_json")
    malformed = load(b'{"function_name":\n x}')
    assert refusal(malformed) == (400, "malformed_json")
    assert malformed.json()["line"] == 2
    assert refusal(load(b"[]")) == (422, "validation_failed")
    assert refusal(load(b"{" + b" " * 20_000 + b"}")) == (413, "payload_too_large")
    assert {error["field"] for error in load(b"{}").json()["errors"]} == {*load_body("", "")}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/load-function", "POST"),
        ("POST", "/list-functions", "GET, HEAD"),
        ("GET", "/unload-function/{h}/f", "DELETE"),
        ("GET", "/uploads/{h}/a.py", "PUT"),
        ("DELETE", "/function/{h}/f", "GET, HEAD, POST"),
        ("PUT", "/agent/{h}/f", "GET, HEAD, POST"),
        ("POST", "/_/functions/{h}/f", "GET, HEAD"),
        ("GET", "/_/functions/{h}/f/rollback", "POST"),
        ("POST", "/_/functions/{h}/f/canary", "DELETE, PUT"),
    ],
)
def test_other_methods(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.write(method, path.replace("{h}", "a" * 40))
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed
