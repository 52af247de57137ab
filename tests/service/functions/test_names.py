"""What a contract, a module, a function and its path may be called."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.errors import ValidationFailed
from service.functions.names import (
    MAX_NAME,
    MAX_PATH,
    is_function,
    is_module,
    read_hash,
    read_module_place,
    read_path,
    read_spec,
)
from service.functions.values import Canary, Function, FunctionSpec, drawn

HASH = "abcdef1234567890abcdef1234567890abcdef12"
SPEC = FunctionSpec(HASH, "hello", "agent_functions", "/agent/hello")


@pytest.mark.parametrize("text", ["a" * 40, "0" * 64, "f" * 41])
def test_a_hash(text: str) -> None:
    """In either case, and kept in one."""
    assert read_hash(text) == read_hash(text.upper()) == text


@pytest.mark.parametrize(
    "text",
    ["", "a" * 39, "a" * 65, "g" * 40, "a" * 40 + "\n", "\u0660" * 40, "../" + "a" * 40, "a" * 20 + "/" * 20],
)
def test_no_hash(text: str) -> None:
    """Nothing else reaches the file system."""
    assert read_hash(text) is None


@pytest.mark.parametrize("text", ["a", "_a", "A9_", "match", "a" * MAX_NAME, "__init__"])
def test_a_module(text: str) -> None:
    """An identifier of ASCII."""
    assert is_module(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "_",
        "___",
        "9a",
        "class",
        "None",
        "a.b",
        "a/b",
        "..",
        "a\0",
        "a\n",
        "é",
        "a-b",
        "a" * (MAX_NAME + 1),
    ],
)
def test_no_module(text: str) -> None:
    """No path, no word of Python's."""
    assert not is_module(text)


@pytest.mark.parametrize("text", ["hello", "größe", "a" * MAX_NAME, "type"])
def test_a_function(text: str) -> None:
    """An identifier as Python keeps it."""
    assert is_function(text)


@pytest.mark.parametrize(
    "text", ["", "_a", "__call__", "lambda", "a.b", "a b", "\ufb01x", "a\n", "a" * (MAX_NAME + 1)]
)
def test_no_function(text: str) -> None:
    """Among them one that begins with a ligature, which Python would call ``fix``."""
    assert not is_function(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/agent/hello", "/agent/hello"),
        ("/math/fibonacci/", "/math/fibonacci"),
        ("/a", "/a"),
        ("/.well-known/x~1", "/.well-known/x~1"),
        ("/agent", "/agent"),
        (f"/math/{HASH}", f"/math/{HASH}"),
        ("/" + "a" * (MAX_PATH - 1), "/" + "a" * (MAX_PATH - 1)),
    ],
)
def test_a_path(text: str, path: str) -> None:
    """Without a slash at its end."""
    assert read_path(text, {"execute"}) == path


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "/",
            "//",
            "a",
            "a/b",
            "/a//b",
            "/a//",
            "/./a",
            "/a/..",
            "/a?b",
            "/a%2fb",
            "/a b",
            "/é",
            "/a\n",
        ),
        *("/{id}", "/execute", "/execute/more", f"/agent/{HASH}/x", f"/function/{HASH.upper()}"),
        *("/" + "a" * MAX_PATH, "/a" * 17),
    ],
)
def test_no_path(text: str) -> None:
    """What is another's, or would be another path somewhere on its way here."""
    assert read_path(text, {"execute"}) is None


def test_a_specification() -> None:
    """As it is kept."""
    assert read_spec(replace(SPEC, hash=HASH.upper(), path="/agent/hello/")) == SPEC


def test_every_member_that_is_wrong_is_told() -> None:
    """At once, each with its remedy."""
    with pytest.raises(ValidationFailed) as caught:
        read_spec(FunctionSpec("x", "_y", "z.py", "q", "BREW"))  # type: ignore[arg-type]
    fields = [error.field for error in caught.value.errors]
    assert fields == ["visible_pixel_hash", "function_name", "module_name", "endpoint_path", "method"]
    with pytest.raises(ValidationFailed, match="the first is not execute"):
        read_spec(replace(SPEC, path="/execute"), {"execute"})


IMPROVED = replace(SPEC, path="/improved/scan/hello", improvement="scan")


def test_an_improvement() -> None:
    """Is where its type and its name say."""
    assert read_spec(replace(IMPROVED, hash=HASH.upper())) == IMPROVED
    assert (SPEC.methods, IMPROVED.methods) == (("GET",), ("GET", "POST"))


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"improvement": "brain", "path": "/improved/brain/hello"}, ["improvement_type"]),
        ({"path": "/improved/agent/hello"}, ["function_name"]),
        ({"path": "/other"}, ["function_name"]),
        ({"name": "größe", "path": "/improved/scan/größe"}, ["function_name"]),
        ({"name": "a/b", "path": "/improved/scan/a/b"}, ["function_name"]),
        ({"name": "_a", "path": "/improved/scan/_a", "hash": ""}, ["visible_pixel_hash", "function_name"]),
    ],
)
def test_no_improvement(members: dict[str, Any], fields: list[str]) -> None:
    """Each wrong member is told once, and no path that nobody sends."""
    with pytest.raises(ValidationFailed) as caught:
        read_spec(replace(IMPROVED, **members))
    assert [error.field for error in caught.value.errors] == fields


def test_where_a_module_lies() -> None:
    """Both names are checked."""
    assert read_module_place(HASH.upper(), "a") == (HASH, "a")
    with pytest.raises(ValidationFailed) as caught:
        read_module_place("..", "../x")
    assert [error.field for error in caught.value.errors] == ["visible_pixel_hash", "module_name"]


def test_which_version_a_call_gets() -> None:
    """The canary's share is exact at its edges."""
    canary = Canary(2, 10, "new", "{}")
    function = Function(SPEC, 1, "old", "{}", canary, True, 0, 0, 1, "x")
    assert [drawn(function, draw) for draw in (0.0, 0.0999, 0.1, 0.999)] == [(2, "new")] * 2 + [
        (1, "old")
    ] * 2
    assert drawn(replace(function, canary=None), 0.0) == (1, "old")
