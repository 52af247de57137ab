"""A key that a front does not know yet: what a request waits for, and what ends the wait."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import QueuePool
from starlette.types import Receive, Scope, Send

from service.access.key_text import checksum, make_key
from service.access.passage import Passage
from service.access.principal import Actor, KeySpec
from service.access.scopes import USUAL
from service.access.scopes import Scope as KeyScope
from service.access.watch import LONGEST_WAIT, Watch
from service.control.bulletin import Bulletin, create_bulletin
from service.control.control import Control, open_control
from service.control.migrate import prepare
from service.control.tables import REVISION
from service.errors import ControlUnavailable, KeyMalformed, KeyRevoked, KeyUnknown
from service.functions.following import Following
from service.functions.function_meter import FunctionMeter
from service.functions.table import FunctionTable
from service.limits.store import open_store
from service.settings import Settings
from service.state import new_passage
from tests.pool.puppets import until
from tests.service.http.harness import Exchange
from tests.shortage import no_thread_more

PATIENCE = 10.0
BY = Actor("test", "here")
SPEC = KeySpec("a caller", "prod", USUAL)


class Watched(Watch):
    """``waits`` is released by each request that comes to wait. ``writes`` and ``fails`` are set when it
    begins to write, and when it says what has failed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.waits = asyncio.Semaphore(0)
        self.writes = asyncio.Event()
        self.fails = asyncio.Event()

    async def _write(self) -> None:
        self.writes.set()
        await super()._write()

    def _tell(self, what: str, error: ControlUnavailable) -> None:
        self.fails.set()
        super()._tell(what, error)

    async def after_look(self, scope: Scope) -> None:
        self.waits.release()
        await super().after_look(scope)


class Front:
    """What of a front decides on keys. Nobody looks unless the test does, by ``watch.begin``."""

    def __init__(self, control: Control, passage: Passage) -> None:
        self.control = control
        self.passage = passage
        bulletin = Bulletin(create_bulletin())
        following = Following(control.functions, FunctionTable(), lambda _: None)
        self.watch = passage.watch = Watched(control, passage, bulletin, following, FunctionMeter())
        self._waits = self.watch.waits

    async def waiting(self, *keys: str) -> list[asyncio.Task[str]]:
        """Requests with these keys, each of which waits for a look; their results name the principal."""
        tasks = [asyncio.create_task(self.ask(key)) for key in keys]
        for _ in keys:
            await asyncio.wait_for(self._waits.acquire(), PATIENCE)
        return tasks

    async def ask(self, key: str) -> str:
        """A request with this key; the name of the principal."""
        exchange = Exchange(headers=[("Host", "127.0.0.1"), ("X-API-Key", key)])
        await exchange.run(self._app)
        return exchange.body.decode()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.passage.through(_name, KeyScope.REST, scope, receive, send)


async def _name(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers the name of the principal."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["state"]["principal"].name.encode()})


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """One that has looked at a database without a key."""
    settings = Settings.from_env({"LARS_DATA_ROOT": str(tmp_path)})
    await prepare(settings)
    async with open_control(settings) as control:
        front = Front(control, new_passage(settings, await open_store("memory")))
        await front.watch.begin()
        yield front
        await front.passage.limiter.close()


def with_another_secret(key: str) -> str:
    """A key of the same id that nobody has made."""
    body = "_".join([*key.split("_")[:3], "A" * 32])
    return f"{body}_{checksum(body)}"


async def test_keys_that_were_just_made_or_rotated_are_good_after_a_look(front: Front) -> None:
    """Also the first one, which closes an open service."""
    key, made = await front.control.keys.add(SPEC, BY)
    (request,) = await front.waiting(made.text)
    await front.watch.begin()
    assert await request == f"key:{key.id}"
    _, rotated = await front.control.keys.rotate(key.id, 0, BY)
    (request,) = await front.waiting(rotated.text)
    await front.watch.begin()
    assert await request == f"key:{key.id}"


async def test_a_known_key_waits_for_nothing(front: Front) -> None:
    key, made = await front.control.keys.add(SPEC, BY)
    await front.watch.begin()
    assert await front.ask(made.text) == f"key:{key.id}"
    with pytest.raises(KeyMalformed):
        await front.ask(made.text[:-1])


async def test_unknown_ids_and_wrong_secrets_are_told_at_the_same_moment(front: Front) -> None:
    """At the end of the same look, so that the time does not show which ids there are."""
    _, made = await front.control.keys.add(SPEC, BY)
    await front.watch.begin()
    unknown = make_key("prod").text
    requests = await front.waiting(unknown, with_another_secret(made.text))
    looking = asyncio.create_task(front.watch.begin())
    done, pending = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(pending)) == (2, 0)
    told = {str(request.exception()) for request in done}
    assert all(isinstance(request.exception(), KeyUnknown) for request in done)
    assert len(told) == 1
    await looking


async def test_a_look_that_had_begun_may_have_missed_it(front: Front) -> None:
    looking = asyncio.create_task(front.watch.begin())
    await asyncio.sleep(0)  # it has begun
    (request,) = await front.waiting(make_key("prod").text)
    await looking
    for _ in range(10):
        await asyncio.sleep(0)
    assert not request.done()
    await front.watch.begin()
    with pytest.raises(KeyUnknown):
        await request


async def test_a_look_that_fails_ends_the_wait(front: Front, tmp_path: Path) -> None:
    await front.control.keys.add(SPEC, BY)
    await front.watch.begin()
    (request,) = await front.waiting(make_key("prod").text)
    with closing(sqlite3.connect(tmp_path / "control.db")) as database:
        database.execute(f"DROP TABLE {REVISION.name}")
    with pytest.raises(ControlUnavailable):
        await front.watch.begin()
    done, _ = await asyncio.wait([request], timeout=LONGEST_WAIT / 2)
    assert [type(one.exception()) for one in done] == [KeyUnknown]


async def test_after_a_look_that_failed_everything_is_read_again(front: Front, tmp_path: Path) -> None:
    """A successor of the database may lack the last change, and have another of its number."""
    key, made = await front.control.keys.add(SPEC, BY)
    await front.watch.begin()
    with closing(sqlite3.connect(tmp_path / "control.db", isolation_level=None)) as database:
        database.execute(f"ALTER TABLE {REVISION.name} RENAME TO away")
        with pytest.raises(ControlUnavailable):
            await front.watch.begin()
        database.execute("UPDATE lars_keys SET revoked = 1.0")
        database.execute(f"ALTER TABLE away RENAME TO {REVISION.name}")
    assert await front.ask(made.text) == f"key:{key.id}"
    await front.watch.begin()
    with pytest.raises(KeyRevoked):
        await front.ask(made.text)


async def test_where_no_look_ends_the_wait_does(front: Front) -> None:
    """After a second: the database may hang."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(KeyUnknown):
        await front.ask(make_key("prod").text)
    assert LONGEST_WAIT * 0.9 < loop.time() - began < PATIENCE


async def test_a_request_that_is_cancelled_leaves_nothing(front: Front) -> None:
    tasks = asyncio.all_tasks()
    (request,) = await front.waiting(make_key("prod").text)
    request.cancel()
    await asyncio.wait([request])
    assert request.cancelled()
    assert asyncio.all_tasks() == tasks


async def test_where_nobody_looks_it_is_told_at_once(front: Front) -> None:
    front.passage.watch = None
    with pytest.raises(KeyUnknown):
        await asyncio.wait_for(front.ask(make_key("prod").text), LONGEST_WAIT / 2)


async def passed_on(front: Front) -> None:
    """Return when a look has told something, before requests with keys are refused for want of one."""
    gate = front.passage.gate
    before = gate.fresh_until
    await until(lambda: gate.fresh_until != before, "a look", 3.0)


async def test_a_write_that_stands_keeps_no_look_waiting(front: Front, tmp_path: Path) -> None:
    """Another process has the database, or its disk hangs: keys can be read all the same."""
    front.passage.meter.count("key:abc", failed=False)
    with closing(sqlite3.connect(tmp_path / "control.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        beside = asyncio.create_task(front.watch.run())
        await asyncio.wait_for(front.watch.writes.wait(), PATIENCE)
        await passed_on(front)
        other.execute("ROLLBACK")
        beside.cancel()
        await asyncio.wait((beside,))


async def test_writes_that_stand_leave_a_connection_to_who_looks(front: Front, tmp_path: Path) -> None:
    async def write() -> None:
        async with front.control.database.writing():
            pass

    with closing(sqlite3.connect(tmp_path / "control.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writes = [asyncio.create_task(write()) for _ in range(6)]
        pool = front.control.database._engine.pool
        assert isinstance(pool, QueuePool)
        await until(lambda: pool.checkedout() >= 3, "writes stand")
        with pytest.raises(AssertionError):
            await until(lambda: pool.checkedout() > 3, "more of them", 0.3)
        async with asyncio.timeout(3.0):
            await front.watch.begin()
        other.execute("ROLLBACK")
        await asyncio.gather(*writes)


async def test_a_want_of_threads_ends_when_there_are_threads(front: Front) -> None:
    """Not only when the front is started again, letting nobody in until then."""
    await front.control.database.close()
    beside = asyncio.create_task(front.watch.run())
    with no_thread_more():
        await asyncio.wait_for(front.watch.fails.wait(), PATIENCE)
    await passed_on(front)
    beside.cancel()
    await asyncio.wait((beside,))
