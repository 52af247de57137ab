"""Every check of dynamic functions, in the order in which they are made: what a later one calls, an earlier
one has loaded. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from scripts.dynamic_api import samples
from scripts.dynamic_api.asking import KeyToSend, Step
from scripts.dynamic_api.expecting import (
    are,
    is_null,
    mentions_all,
    numbered,
    of_version,
    refused_as,
    refused_for,
)
from scripts.test_api import is_text, mentions

Checks = list[Step]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What one run of the checks has for itself: a visible_pixel_hash, one where nothing is, a path."""

    hash: str
    empty: str
    path: str

    def own(self, name: str) -> str:
        """The endpoint_path of a function."""
        return f"{self.path}/{name}"

    def loading(self, name: str, **members: object) -> bytes:
        """The body of POST /load-function; ``members`` in the place of those that are usual."""
        body = {
            "visible_pixel_hash": self.hash,
            "function_name": name,
            "module_name": samples.MODULE,
            "endpoint_path": self.own(name),
            **members,
        }
        return json.dumps(body).encode()


def all_checks(box: Sandbox) -> Checks:
    """From the first upload to the last unloading."""
    parts = (_uploads, _refused_uploads, _loads, _unauthorised, _lists, _calls, _wrong_calls, _failing_calls)
    more = (_blocked, _missing, _conflicts, _versions, _unloads)
    between = [step for part in (*parts, *more) for step in part(box)]
    return [_health("before"), *between, _health("after")]


def put(box: Sandbox, module: str, text: str, *, is_new: bool = True) -> Step:
    """The upload of a module."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    said = {"module_name": module, "digest": digest, "size": len(text.encode()), "created": is_new}
    name = f"upload of {module}" if is_new else f"upload of {module} once more"
    path = f"/uploads/{box.hash}/{module}.py"
    return Step(name, "PUT", path, 201 if is_new else 200, text.encode(), said, content_type="text/x-python")


def _health(when: str) -> Step:
    return Step(f"health {when}", "GET", "/health", members={"status": "healthy"})


def _uploads(box: Sandbox) -> Checks:
    blocked = [put(box, samples.blocked_module(what), text) for what, (text, _) in samples.BLOCKED.items()]
    return [put(box, samples.MODULE, samples.AGENT), *blocked]


def _refused_uploads(box: Sandbox) -> Checks:
    path = f"/uploads/{box.hash}"
    text = samples.AGENT.encode()
    return [
        Step(
            "upload under a hash that is none",
            "PUT",
            "/uploads/xyz/a.py",
            422,
            text,
            refused_as("validation_failed"),
        ),
        Step("upload of what is no module", "PUT", f"{path}/a.txt", 400, text, refused_as("bad_request")),
        Step(
            "upload out of the directory",
            "PUT",
            f"{path}/%2e%2e.py",
            422,
            text,
            refused_as("validation_failed"),
        ),
    ]


def _loads(box: Sandbox) -> Checks:
    def loaded(name: str, method: str) -> Step:
        members = {
            "success": True,
            "loaded_version": 1,
            "function.endpoint_path": box.own(name),
            "function.method": method,
            "function.parameters": lambda value: isinstance(value, list) and value != [],
            "function.doc": is_text,
        }
        return Step(
            f"loading of {name}", "POST", "/load-function", 200, box.loading(name, method=method), members
        )

    gets = ("hello_world", "calculate_fibonacci", "divide", "descend")
    return [*(loaded(name, "GET") for name in gets), loaded("total", "POST")]


def _unauthorised(box: Sandbox) -> Checks:
    text = samples.AGENT.encode()
    requests: tuple[tuple[str, str, str, bytes | None], ...] = (
        ("load", "POST", "/load-function", box.loading("hello_world")),
        ("unload", "DELETE", f"/unload-function/{box.hash}/hello_world", None),
        ("upload", "PUT", f"/uploads/{box.hash}/{samples.MODULE}.py", text),
        ("rollback", "POST", f"/_/functions/{box.hash}/hello_world/rollback", None),
    )
    keys: tuple[tuple[KeyToSend, str], ...] = (("none", "without a key"), ("wrong", "with a wrong key"))
    return [
        Step(f"{what} {how}", method, path, 401, sent, {"code": mentions("key_")}, key=key)
        for what, method, path, sent in requests
        for key, how in keys
    ]


def _lists(box: Sandbox) -> Checks:
    names = ["calculate_fibonacci", "descend", "divide", "hello_world", "total"]
    path = f"/list-functions?limit={len(names)}&after={box.hash}/"
    one = f"/_/functions/{box.hash}/hello_world"
    return [
        Step("list of functions", "GET", path, members={"functions": are(names)}),
        Step("one function", "GET", one, members={"function_name": "hello_world", "version": 1}),
    ]


def _calls(box: Sandbox) -> Checks:
    checks = []
    for what in ("function", "agent"):
        path = f"/{what}/{box.hash}"
        checks += [
            Step(f"GET /{what}", "GET", f"{path}/calculate_fibonacci?n=10", body=55, headers=of_version(1)),
            Step(f"POST /{what}", "POST", f"{path}/calculate_fibonacci", 200, b'{"n": 20}', body=6765),
        ]
    items = [{"name": "pen", "price": 1.5, "count": 2}, {"name": "ink", "price": 4}]
    order = json.dumps({"items": items, "currency": "USD"}).encode()
    answer = {"total": 7.0, "currency": "USD", "note": None}
    upper = f"/function/{box.hash.upper()}/hello_world?name=A%20B"
    fibonacci = f"/function/{box.hash}/calculate_fibonacci?n=1"
    return [
        *checks,
        Step("own endpoint by GET", "GET", f"{box.own('hello_world')}?name=you", body="Hello, you!"),
        Step("own endpoint with a slash at its end", "GET", box.own("hello_world/"), body="Hello, world!"),
        Step("own endpoint by POST", "POST", box.own("total"), 200, order, body=answer),
        Step("async function", "GET", f"{box.own('divide')}?a=3&b=2", body=1.5),
        Step("hash in upper case, text with a space", "GET", upper, body="Hello, A B!"),
        Step("call without a key", "GET", fibonacci, body=1, key="none", closed=401),
    ]


def _wrong_calls(box: Sandbox) -> Checks:
    path = f"/function/{box.hash}/calculate_fibonacci"
    return [
        Step("missing argument", "GET", path, 422, members=refused_for("n")),
        Step("argument of another type", "GET", f"{path}?n=ten", 422, members=refused_for("n")),
        Step("argument of another type in JSON", "POST", path, 422, b'{"n": "10"}', refused_for("n")),
        Step("unknown argument", "GET", f"{path}?n=1&m=2", 422, members=refused_for("m")),
        Step("malformed JSON", "POST", path, 400, b'{"n": ', refused_as("malformed_json")),
        Step(
            "not JSON",
            "POST",
            path,
            415,
            b"n=1",
            refused_as("unsupported_media_type"),
            content_type="text/plain",
        ),
        Step(
            "own endpoint by another method",
            "PUT",
            box.own("hello_world"),
            405,
            members=refused_as("method_not_allowed"),
            headers={"Allow": "GET, HEAD"},
        ),
    ]


def _failing_calls(box: Sandbox) -> Checks:
    fault = refused_as("function_error") | {
        "exception.type": "ZeroDivisionError",
        "exception.message": is_text,
        "exception.line": samples.LINE_OF_DIVISION,
    }
    depth = refused_as("function_error") | {"exception.type": "RecursionError"}
    divide, descend = (f"/function/{box.hash}/{name}" for name in ("divide", "descend"))
    return [
        Step("exception in a function", "GET", f"{divide}?a=1&b=0", 500, members=fault),
        Step("recursion without end", "GET", descend, 500, members=depth),
        Step("call after both", "GET", f"{divide}?a=1", body=1.0),
    ]


def _blocked(box: Sandbox) -> Checks:
    checks = []
    for what, (_, line) in samples.BLOCKED.items():
        body = box.loading("run", module_name=samples.blocked_module(what), endpoint_path=box.own("run"))
        members = refused_as("policy_refused") | {"error": mentions(what), "line": line}
        checks.append(Step(f"module with {what}", "POST", "/load-function", 403, body, members))
    return checks


def _missing(box: Sandbox) -> Checks:
    def refused(name: str, body: bytes, *words: str) -> Step:
        members = refused_as("not_found") | {"error": mentions_all(words)}
        return Step(name, "POST", "/load-function", 404, body, members)

    elsewhere = box.loading("hello_world", visible_pixel_hash=box.empty)
    return [
        refused("missing directory", elsewhere, box.empty),
        refused("missing module", box.loading("hello_world", module_name="nothing"), "nothing"),
        refused("missing function", box.loading("goodbye"), "goodbye", "hello_world"),
        Step(
            "call of no function",
            "GET",
            f"/function/{box.hash}/goodbye",
            404,
            members=refused_as("not_found"),
        ),
        Step(
            "unloading of no function",
            "DELETE",
            f"/unload-function/{box.hash}/goodbye",
            404,
            members=refused_as("not_found"),
        ),
    ]


def _conflicts(box: Sandbox) -> Checks:
    def refused(name: str, status: int, code: str, body: bytes) -> Step:
        return Step(name, "POST", "/load-function", status, body, refused_as(code))

    taken = box.loading("divide", endpoint_path=box.own("hello_world"))
    health = box.loading("divide", endpoint_path="/health/agent")
    return [
        refused("endpoint_path of another function", 409, "conflict", taken),
        refused("endpoint_path of the service", 409, "conflict", health),
        refused(
            "endpoint_path that is none", 422, "validation_failed", box.loading("divide", endpoint_path="x")
        ),
        refused(
            "hash that is none", 422, "validation_failed", box.loading("divide", visible_pixel_hash="abc")
        ),
        refused(
            "module beyond the directory", 422, "validation_failed", box.loading("run", module_name="../x")
        ),
        refused("loading without a body's members", 422, "validation_failed", b"{}"),
    ]


def _versions(box: Sandbox) -> Checks:
    one = f"/_/functions/{box.hash}/hello_world"
    call = f"/function/{box.hash}/hello_world"
    split = {"canary.version": 2, "canary.weight": 10}
    canary = b'{"version": 2, "weight": 10}'
    again = {"loaded_version": 2, "created": True}
    return [
        put(box, samples.MODULE, samples.CHANGED, is_new=False),
        Step("what is loaded stays", "GET", call, body="Hello, world!", headers=of_version(1)),
        Step("loading of a change", "POST", "/load-function", 200, box.loading("hello_world"), again),
        Step("call of the new version", "GET", call, body="Welcome, world!", headers=of_version(2)),
        Step(
            "call of the old version", "GET", f"{call}?version=1", body="Hello, world!", headers=of_version(1)
        ),
        Step("call of no version", "GET", f"{call}?version=3", 404, members=refused_as("not_found")),
        Step("list of versions", "GET", f"{one}/versions", members={"versions": numbered([2, 1])}),
        Step("source of a version", "GET", f"{one}/versions/1/source", body=samples.AGENT),
        Step("rollback", "POST", f"{one}/rollback", members={"version": 1}),
        Step("call after the rollback", "GET", call, body="Hello, world!", headers=of_version(1)),
        Step("canary", "PUT", f"{one}/canary", 200, canary, split),
        Step("end of the canary", "DELETE", f"{one}/canary", members={"canary": is_null}),
    ]


def _unloads(box: Sandbox) -> Checks:
    call = f"/function/{box.hash}/hello_world"
    rest = ["calculate_fibonacci", "descend", "divide", "total"]
    path = f"/list-functions?limit={len(rest)}&after={box.hash}/"
    return [
        Step("unloading", "DELETE", f"/unload-function/{box.hash}/hello_world", members={"success": True}),
        Step("call of what is unloaded", "GET", call, 404, members=refused_as("not_found")),
        Step("list without it", "GET", path, members={"functions": are(rest)}),
    ]


def cleaning(box: Sandbox) -> dict[str, Step]:
    """The unloading of all that may be loaded still, by the function's name."""
    names = ("calculate_fibonacci", "descend", "divide", "hello_world", "run", "total")
    return {
        name: Step(f"unloading of {name}", "DELETE", f"/unload-function/{box.hash}/{name}") for name in names
    }
