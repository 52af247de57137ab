"""The shared table is bounded: places are taken over when nothing in them counts, and only then."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

import pytest

from service.errors import LimitsUnavailable
from service.limits.limiter import Limiter
from service.limits.memory_store import MemoryStore
from service.limits.shared_table import SharedTable, create_shared
from tests.service.limits.clock import Clock, principal

SLOTS = 16
ROWS = 4


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Iterator[MemoryStore]:
    table = SharedTable(create_shared(slots=SLOTS, rows=ROWS))
    yield MemoryStore(table, clock)
    table.close()


async def test_a_full_table_refuses_new_keys(store: MemoryStore, clock: Clock) -> None:
    """And serves those that it has; after two windows their places are free."""
    limiter = Limiter(store)
    for number in range(SLOTS):
        await limiter.admit(principal("5/minute", name=f"key:{number}"), runs=True)
    with pytest.raises(LimitsUnavailable, match=f"of its {SLOTS} places all that it may take are in use"):
        await limiter.admit(principal("5/minute", name="key:new"), runs=True)
    await limiter.admit(principal("5/minute", name="key:3"), runs=True)
    clock.now += 119
    with pytest.raises(LimitsUnavailable):
        await limiter.admit(principal("5/minute", name="key:new"), runs=True)
    clock.now += 1
    for number in range(SLOTS):
        admission = await limiter.admit(principal("5/minute", name=f"key:new{number}"), runs=True)
        assert admission is not None
        assert dict(admission.headers())[b"x-ratelimit-remaining"] == b"4"


async def test_a_key_whose_place_was_taken_begins_anew(store: MemoryStore, clock: Clock) -> None:
    """It finds another place; it never counts in one that is another's."""
    limiter = Limiter(store)
    for turn in range(4):
        for number in range(SLOTS):
            who = principal("1/minute", name=f"key:{turn % 2}/{number}")
            assert await limiter.admit(who, runs=True) is not None
        clock.now += 180


async def test_runs_keep_their_place(store: MemoryStore) -> None:
    """As long as there is one; a key that has none has a place that another may take."""
    limiter = Limiter(store)
    holding = [
        await limiter.admit(principal("concurrent=1", name=f"key:{n}"), runs=True) for n in range(ROWS)
    ]
    with pytest.raises(LimitsUnavailable):
        await limiter.admit(principal("concurrent=1", name="key:new"), runs=True)
    assert holding[2] is not None
    await holding[2].release()
    new = await limiter.admit(principal("concurrent=1", name="key:new"), runs=True)
    assert new is not None
    with pytest.raises(LimitsUnavailable):
        await limiter.admit(principal("concurrent=1", name="key:2"), runs=True)
    await new.release()
    assert await limiter.admit(principal("concurrent=1", name="key:2"), runs=True) is not None


async def test_no_amount_overflows(store: MemoryStore) -> None:
    """A cost beyond all measure is counted as one beyond every limit."""
    limiter, who = Limiter(store), principal("tokens=1", "cpu=1")
    admission = await limiter.admit(who, runs=True)
    assert admission is not None
    for _ in range(3):
        await admission.charge(tokens=1 << 70, cpu=1e30)
    assert admission.tokens_left() == 0


def test_its_size_is_final() -> None:
    """Nobody can take pages away from a front that counts in them."""
    descriptor = create_shared()
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)
    assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert os.fstat(descriptor).st_blocks * 512 <= 8192
    os.close(descriptor)


def test_another_file_is_no_table() -> None:
    descriptor = os.memfd_create("other")
    os.ftruncate(descriptor, 4096)
    with pytest.raises(ValueError, match="holds no table of limits"):
        SharedTable(descriptor)
    os.close(descriptor)


def test_digests_differ_from_table_to_table() -> None:
    """So that nobody can make names that fall on one place."""
    tables = [SharedTable(create_shared(slots=SLOTS, rows=ROWS)) for _ in range(2)]
    assert len({table.digest("key:one") for table in tables}) == 2
    for table in tables:
        table.close()
