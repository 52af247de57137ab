"""Real session workers for attacks: a sandbox, sessions on it, and blocks that nobody has judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson

from sandbox_runtime.call import Call
from sandbox_runtime.domain import Session
from sandbox_runtime.layers import Layer
from service.control.bulletin import Bulletin
from service.errors import LarsError
from service.pool.job import Spent
from service.pool.local import LocalSandbox, local_sandbox
from service.pool.pool import Pool, PoolSize
from service.sessions.administration import Administration
from service.sessions.directory import digest_of
from service.sessions.sessions import Sessions, session_limits
from service.settings import Settings
from tests.isolation.attack import PRELUDE
from tests.isolation.host import with_numbers
from tests.support import LoopThread, spec_without

T = TypeVar("T")
SECONDS = 10.0
_NAMES = "REPLY = make_response(200, session_store.names())"
# What no plan of the policy may say: out of the empty builtins through a function of the runtime's.
_ESCAPE = """\
_real = make_response.__globals__["__builtins__"]
_space = {{"__builtins__": _real, "ctx": ctx, "session_store": session_store, "said": None}}
_space["reply"] = _space["make_response"] = make_response
_real["exec"]({text!r}, _space)
REPLY = _space.get("REPLY") or make_response(200, _space["said"])
"""


def block_of(text: str) -> str:
    """A plan's block that runs ``text`` as free Python, and answers what that leaves in ``said``."""
    return _ESCAPE.format(text=with_numbers(PRELUDE + text))


def mine(name: str) -> Session:
    """A session of one principal."""
    return Session("attacker", name)


@dataclass(frozen=True, slots=True)
class Said:
    """What a caller got: status, body, trouble's code, headers, or the class of the error instead."""

    status: int = 0
    body: Any = None
    code: str = ""
    headers: Mapping[str, str] | None = None
    error: str = ""


class SessionRoom:
    """One front's sessions, on a loop in a thread of its own. All calls wait for what they ask."""

    def __init__(self, settings: Settings, thread: LoopThread, sessions: Sessions) -> None:
        self.settings = settings
        self.sessions = sessions
        self._thread = thread
        self._calls = 0

    def attack(self, name: str, text: str, seconds: float = SECONDS, **fields: Any) -> Said:
        """One unjudged block in the worker of this session."""
        return self.start(name, text, seconds, **fields).result(50)

    def start(self, name: str, text: str, seconds: float = SECONDS, **fields: Any) -> Future[Said]:
        """The same beside what comes next."""
        self._calls += 1
        about: dict[str, object] = {"resource": ""}
        call = Call(f"attack-{self._calls}", about, {}, True, block=block_of(text), **fields)
        return self._thread.start(self._ask(mine(name), call, seconds))

    def plain(self, name: str, block: str = _NAMES, seconds: float = SECONDS, write: bool = True) -> Said:
        """A block that does nothing a plan may not."""
        return self.ask(name, block, seconds, write).result(50)

    def ask(self, name: str, block: str, seconds: float = SECONDS, write: bool = True) -> Future[Said]:
        """The same beside what comes next."""
        self._calls += 1
        call = Call(f"plain-{self._calls}", {"resource": ""}, {}, write, block=block)
        return self._thread.start(self._ask(mine(name), call, seconds))

    def fork(self, name: str, new: str) -> Future[dict[str, Any]]:
        """The copy beside what comes next."""
        return self._thread.start(Administration(self.sessions, self.settings).fork(mine(name), mine(new)))

    def together(self, work: Callable[[Administration], Awaitable[T]], times: int) -> list[T]:
        """The same operation so often at one time; raises the first error."""

        async def administered() -> list[T]:
            administration = Administration(self.sessions, self.settings)
            return await asyncio.gather(*(work(administration) for _ in range(times)))

        return self._thread.call(administered())

    def administer(self, work: Callable[[Administration], Awaitable[T]]) -> T:
        """An operation on a session as the endpoints ask for it; raises as they would be answered."""

        async def administered() -> T:
            return await work(Administration(self.sessions, self.settings))

        return self._thread.call(administered())

    def directory(self, name: str) -> Path:
        """Where the session's data lie, as the host sees it."""
        digest = digest_of(mine(name))
        return self.settings.data_root / "sessions" / digest[:2] / digest[2:]

    async def _ask(self, session: Session, call: Call, seconds: float) -> Said:
        try:
            body, reply = await self.sessions.call(session, call, time.monotonic() + seconds, Spent())
        except LarsError as error:
            return Said(error=type(error).__name__)
        value = None if body is None else orjson.loads(body)
        return Said(reply.status, value, "" if reply.trouble is None else reply.trouble.code, reply.headers)


@contextmanager
def session_room(
    root: Path, without: tuple[Layer, ...] = (), bulletin: Bulletin | None = None, **settings: str
) -> Iterator[SessionRoom]:
    """A zygote of its own, with these layers off, and the sessions of one front under ``root``, of those that
    share ``bulletin``. Sizes are small."""
    chosen = {"LARS_DATA_ROOT": str(root), "LARS_SESSION_QUOTA": "4m", **settings}
    read = Settings.from_env(chosen)
    thread, stack = LoopThread(), AsyncExitStack()
    try:
        sessions = thread.call(_open(stack, read, without, bulletin or Bulletin()))
        yield SessionRoom(read, thread, sessions)
    finally:
        try:
            thread.call(stack.aclose())
        finally:
            thread.stop()


async def _open(
    stack: AsyncExitStack, settings: Settings, without: tuple[Layer, ...], bulletin: Bulletin
) -> Sessions:
    sandbox: LocalSandbox = await stack.enter_async_context(
        local_sandbox(spec_without(without), PoolSize(idle=1, workers=4, queue=16))
    )
    size = PoolSize(idle=2, workers=settings.session_workers + 1, queue=settings.queue_size)
    sessions = Sessions(Pool(size, prove_first=False, by_shares=False), session_limits(settings), bulletin)
    stack.push_async_callback(sessions.close)
    sandbox.attach(sessions.workers)
    return sessions
