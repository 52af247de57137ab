"""A session without processes: requests become plans, plans are judged and run on a real store.

What the front and the session's worker do between them, in one call and with nothing replaced but the wire.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox_runtime.policy import POLICIES, Allowed, judge, plan_builtins
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import StoreError
from service.errors import LarsError, problem
from service.rest.builtin import BuiltinPlanner
from service.rest.context import Parts, RequestContext
from service.rest.links import link_header, uri
from service.rest.plan import Plan
from service.rest.shape import Shape, shape_of

JSON = {"Content-Type": "application/json"}
PLANNER = BuiltinPlanner()
VERSIONS = (("planner", PLANNER.version),)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client gets."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


def context_of(
    method: str, target: str, body: object, headers: Mapping[str, str], dialect: str
) -> RequestContext:
    """From a request as a client writes it; ``body``: bytes as they are, else JSON, None for no body."""
    path, _, query = target.partition("?")
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    parts = Parts(
        method,
        path.encode(),
        query.encode(),
        pairs,
        raw,
        ip="127.0.0.1",
        session="s1",
        dialect=dialect,
    )
    return RequestContext.from_parts(parts)


def make_response(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What programs call."""
    return {"status": status, "body": body, "headers": dict(headers or {})}


def admitted(block: str) -> Any:
    """The block's code, judged as the service judges it."""
    verdict = judge(block, POLICIES["plan"], max_bytes=512 * 1024)
    assert isinstance(verdict, Allowed), (verdict, block)
    return compile(block, "plan.py", "exec")


class Session:
    """One session's file and whoever uses it."""

    def __init__(self, directory: Path, dialect: str = "default") -> None:
        self.database = SessionDatabase(str(directory / "data.db"), full_sync=False)
        self.dialect = dialect
        self._codes: dict[str, tuple[Plan, Any]] = {}

    def close(self) -> None:
        self.database.close()

    def send(
        self, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request; a body is JSON unless the headers say otherwise."""
        given = {"Host": "example.org", **(JSON if body is not None else {}), **(headers or {})}
        try:
            context = context_of(method, target, body, given, self.dialect)
            shape = shape_of(context, VERSIONS, PLANNER.body_depth)
            plan, code = self._planned(shape)
        except LarsError as error:
            status, more, content = problem(error)
            return Reply(status, content, more)
        return self._run(plan, code, json.loads(context.encoded()))

    def _planned(self, shape: Shape) -> tuple[Plan, Any]:
        key = shape.key()
        if key not in self._codes:
            plan = PLANNER.plan(shape)
            self._codes[key] = plan, admitted(plan.block)
        return self._codes[key]

    def _run(self, plan: Plan, code: Any, ctx: dict[str, Any]) -> Reply:
        hint = plan.response_hints["transaction"]
        self.database.begin(write=hint != "read")
        sessions = self.database.session_store
        try:
            names = {
                "__builtins__": plan_builtins(),
                "ctx": ctx,
                "plan": plan.as_json(),
                "session_store": sessions,
                "store": sessions.collection(plan.resource) if plan.resource else None,
                "make_response": make_response,
            }
            exec(code, names)  # noqa: S102 - this is what the test is about
            reply = names["REPLY"]
            assert isinstance(reply, dict)
        except StoreError as error:
            self.database.rollback()
            return Reply(error.status, {"error": error.detail, "code": error.code, **error.extra})
        except BaseException:
            self.database.rollback()
            raise
        if reply["status"] >= 400 or hint == "rollback":
            self.database.rollback()
        else:
            self.database.commit()
        return _sent(plan, ctx, reply)


def _sent(plan: Plan, ctx: dict[str, Any], reply: dict[str, Any]) -> Reply:
    headers = dict(reply["headers"])
    for name, value in headers.items():
        assert isinstance(value, str), (name, value)
    if "Location" in headers:
        headers["Location"] = uri(headers["Location"])
    if "Link" in headers:
        url = f"http://{ctx['headers']['host']}{ctx['path']}"
        absolute = plan.response_hints.get("links") == "absolute"
        headers["Link"] = link_header(headers["Link"], url if absolute else None)
    body = json.loads(json.dumps(reply["body"], allow_nan=False))
    return Reply(reply["status"], None if plan.response_hints.get("body") is False else body, headers)
