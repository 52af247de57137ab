"""The application of one front or more over one real sandbox, in the test's process, and requests to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Scope

from service.app import create_app
from service.limits.store import open_store
from service.pool.local import LocalSandbox
from service.settings import Settings
from service.state import ServiceState, new_passage, new_state
from tests.rest.stand_in import StandIn

MODEL = {"LARS_DEFAULT_PROVIDER": "openai", "OPENAI_API_KEY": "sk-not-one"}


@dataclass(frozen=True, slots=True)
class Answered:
    """What a client gets."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def source(self) -> str | None:
        """Where the plan came from."""
        return self.headers.get("x-plan-source")


class Front:
    """One front."""

    def __init__(self, state: ServiceState) -> None:
        self.state = state
        self._app: ASGIApp = create_app(state)

    async def send(self, method: str, target: str, body: object = None, **headers: str) -> Answered:
        """One request, in the session ``s`` unless ``x_session_id`` says otherwise. ``_`` in names of headers
        is ``-``."""
        path, _, query = target.partition("?")
        given = {"x_session_id": "s", **headers}
        raw = b"" if body is None else orjson.dumps(body)
        if body is not None:
            given.setdefault("content_type", "application/json")
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
        pairs.append((b"content-length", b"%d" % len(raw)))
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def keep(message: Message) -> None:
            sent.append(message)

        await self._app(_scope(method, path, query, pairs), receive, keep)
        text = b"".join(message.get("body", b"") for message in sent[1:])
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answered(int(sent[0]["status"]), found, orjson.loads(text) if text else None)


def _scope(method: str, path: str, query: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }


async def new_front(sandbox: LocalSandbox, settings: Settings) -> Front:
    """Over this sandbox. Whoever made it closes its state."""
    state = new_state(settings, sandbox.pool, new_passage(settings, await open_store("memory")))
    sandbox.attach(state.sessions.workers)
    return Front(state)


class Place:
    """Where tests make their fronts: one sandbox for all of them, a data root for each."""

    def __init__(self, sandbox: LocalSandbox, root: Path) -> None:
        self.root = root
        self._sandbox = sandbox

    @asynccontextmanager
    async def fronts(self, count: int, **variables: str) -> AsyncIterator[list[Front]]:
        """So many over one data root; a model is configured, and nobody answers for it yet."""
        settings = replace(Settings.from_env({**MODEL, **variables}), data_root=self.root)
        async with AsyncExitStack() as stack:
            made = [await new_front(self._sandbox, settings) for _ in range(count)]
            for front in made:
                stack.push_async_callback(front.state.sessions.close)
                stack.push_async_callback(front.state.plans.close)
            yield made

    @asynccontextmanager
    async def modelled(self, stand_in: StandIn, **variables: str) -> AsyncIterator[Front]:
        """One front whose model is the stand-in."""
        async with self.fronts(1, **variables) as (front,):
            await stand_in.connect(front.state.planning.line)
            try:
                yield front
            finally:
                await stand_in.leave()
