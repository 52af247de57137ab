"""Which calls of a function are kept: in the registry of both databases."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from service.control.control import Control
from service.errors import NotFound, ValidationFailed
from service.functions.registry_work import Share
from service.functions.values import Recording, Split
from tests.service.control.functions import HASH, SIGNATURE, load, source, spec
from tests.service.control.made import BY

HALF = Recording(50, 10)


async def test_it_is_kept_until_it_is_unloaded(control: Control) -> None:
    """Through every reading and every change; every front hears of it."""
    registry = control.functions
    plain = (await load(control, "a")).function
    assert plain.recording is None
    function = await registry.set_recording(HASH.upper(), "hello", HALF, BY)
    assert function == replace(plain, recording=HALF, updated=function.updated, revision=2)
    assert await registry.get(HASH, "hello") == function
    assert (await registry.changes_since(1)).functions == (function,)
    assert await registry.set_recording(HASH, "hello", HALF, BY) == function
    for changed in (
        (await load(control, "b")).function,
        (await registry.stage(spec(), source("c"), SIGNATURE, BY, Share(5))).function,
        await registry.set_canary(HASH, "hello", Split(1, 5), BY),
        await registry.set_canary(HASH, "hello", None, BY),
        await registry.rollback(HASH, "hello", BY),
        (await load(control, "c", path="/other")).function,
    ):
        assert changed.recording == HALF
    assert (await registry.unload(HASH, "hello", BY)).recording is None
    assert (await load(control, "c")).function.recording is None


async def test_it_is_ended(control: Control) -> None:
    """Also of what is not recorded, or was unloaded; not of what never was."""
    registry = control.functions
    function = (await load(control, "a")).function
    assert await registry.set_recording(HASH, "hello", None, BY) == function
    await registry.set_recording(HASH, "hello", HALF, BY)
    ended = await registry.set_recording(HASH, "hello", None, BY)
    assert ended == replace(function, updated=ended.updated, revision=3)
    gone = await registry.unload(HASH, "hello", BY)
    assert await registry.set_recording(HASH, "hello", None, BY) == gone
    for asked in (
        registry.set_recording(HASH, "hello", HALF, BY),
        registry.set_recording(HASH, "never", None, BY),
        registry.set_recording("x", "hello", None, BY),
    ):
        with pytest.raises(NotFound):
            await asked


@pytest.mark.parametrize(
    ("recording", "fields"),
    [
        (Recording(0, 1), ["sample_percent"]),
        (Recording(101, 1000), ["sample_percent"]),
        (Recording(100, 1001), ["max_calls"]),
        (Recording(-1, 0), ["sample_percent", "max_calls"]),
    ],
)
async def test_what_is_out_of_range(control: Control, recording: Recording, fields: list[str]) -> None:
    function = (await load(control, "a")).function
    with pytest.raises(ValidationFailed) as raised:
        await control.functions.set_recording(HASH, "hello", recording, BY)
    assert [error.field for error in raised.value.errors] == fields
    assert await control.functions.get(HASH, "hello") == function


async def test_it_is_written_down(control: Control) -> None:
    """Who, what, and how it ended."""
    await load(control, "a")
    await control.functions.set_recording(HASH, "hello", HALF, BY)
    await control.functions.set_recording(HASH, "hello", None, BY)
    with pytest.raises(NotFound):
        await control.functions.set_recording(HASH, "other", HALF, BY)
    entries = (await control.audit.last(3))[-3:]
    digest = {"version": 1, "digest": source("a").digest}
    half = {"sample_percent": 50, "max_calls": 10}
    assert sorted((entry.target, entry.outcome, entry.action) for entry in entries) == [
        (f"{HASH}/hello", "ok", "function.record"),
        (f"{HASH}/hello", "ok", "function.record"),
        (f"{HASH}/other", "not_found", "function.record"),
    ]
    details = [json.loads(entry.detail) for entry in entries]
    assert all(detail in details for detail in ({**half, **digest}, {"recording": None, **digest}, half))
