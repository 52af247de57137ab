"""What a service must refuse of dynamic functions, and how. Pure."""

from __future__ import annotations

from scripts.dynamic_api import samples
from scripts.dynamic_api.asking import KeyToSend, Step
from scripts.dynamic_api.expecting import mentions_all, refused_as, refused_for
from scripts.dynamic_api.sandbox import Checks, Sandbox
from scripts.test_api import is_text, mentions


def refused_uploads(box: Sandbox) -> Checks:
    """Uploads of what can be none."""
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


def unauthorised(box: Sandbox) -> Checks:
    """Changes without a key, and with a wrong one."""
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


def wrong_calls(box: Sandbox) -> Checks:
    """Calls that are the caller's fault."""
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


def failing_calls(box: Sandbox) -> Checks:
    """Calls that are the function's fault, and one after them."""
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


def blocked(box: Sandbox) -> Checks:
    """Modules that say what the policy does not allow."""
    checks = []
    for what, (_, line) in samples.BLOCKED.items():
        body = box.loading("run", module_name=samples.blocked_module(what), endpoint_path=box.own("run"))
        members = refused_as("policy_refused") | {"error": mentions(what), "line": line}
        checks.append(Step(f"module with {what}", "POST", "/load-function", 403, body, members))
    return checks


def missing(box: Sandbox) -> Checks:
    """Directory, module or function that is not there."""

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


def conflicts(box: Sandbox) -> Checks:
    """Paths that are taken, and names that can be none."""

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
