"""Every check of dynamic functions, in the order in which they are made: what a later one calls, an earlier
one has loaded. Pure."""

from __future__ import annotations

import hashlib
import json

from scripts.dynamic_api import refusals, samples
from scripts.dynamic_api.asking import Step
from scripts.dynamic_api.expecting import are, has, has_not, is_null, numbered, of_version, refused_as
from scripts.dynamic_api.sandbox import Checks, Sandbox
from scripts.test_api import Expected, is_text


def all_checks(box: Sandbox) -> Checks:
    """From the first upload to the last unloading."""
    parts = (
        _uploads,
        refusals.refused_uploads,
        _loads,
        refusals.unauthorised,
        _lists,
        _calls,
        refusals.wrong_calls,
        refusals.failing_calls,
    )
    more = (refusals.blocked, refusals.missing, refusals.conflicts, _versions, _unloads)
    between = [step for part in (*parts, *more) for step in part(box)]
    return [_health("before"), *between, _health("after")]


def put(box: Sandbox, module: str, text: str, *, is_new: bool = True) -> Step:
    """The upload of a module."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    said = {"module_name": module, "digest": digest, "size": len(text.encode()), "created": is_new}
    name = f"upload of {module}" if is_new else f"upload of {module} once more"
    path = f"/uploads/{box.hash}/{module}.py"
    return Step(name, "PUT", path, 201 if is_new else 200, text.encode(), said, content_type="text/x-python")


def _document(name: str, paths: Expected) -> Step:
    """Without a key: whose key has a session is shown the API of that."""
    members = {"openapi": "3.1.0", "paths": paths}
    return Step(name, "GET", "/openapi.json", members=members, key="none", closed=401)


def _health(when: str) -> Step:
    return Step(f"health {when}", "GET", "/health", members={"status": "healthy"})


def _uploads(box: Sandbox) -> Checks:
    blocked = [put(box, samples.blocked_module(what), text) for what, (text, _) in samples.BLOCKED.items()]
    return [put(box, samples.MODULE, samples.AGENT), *blocked]


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


def _lists(box: Sandbox) -> Checks:
    names = ["calculate_fibonacci", "descend", "divide", "hello_world", "total"]
    path = f"/list-functions?limit={len(names)}&after={box.hash}/"
    one = f"/_/functions/{box.hash}/hello_world"
    return [
        Step("list of functions", "GET", path, members={"functions": are(names)}),
        Step("one function", "GET", one, members={"function_name": "hello_world", "version": 1}),
        _document("document with a function", has(box.own("hello_world"))),
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
        _document("document without it", has_not(box.own("hello_world"))),
    ]


def cleaning(box: Sandbox) -> dict[str, Step]:
    """The unloading of all that may be loaded still, by the function's name."""
    names = ("calculate_fibonacci", "descend", "divide", "hello_world", "run", "total")
    return {
        name: Step(f"unloading of {name}", "DELETE", f"/unload-function/{box.hash}/{name}") for name in names
    }
