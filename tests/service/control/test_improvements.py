"""Functions that are improvements, in the registry of both databases."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from service.control.control import Control
from service.errors import Conflict, NotFound
from service.functions.registry import FunctionChanges
from tests.service.control.functions import HASH, load
from tests.service.control.made import BY

IMPROVED = {"path": "/improved/scan/hello", "improvement": "scan"}
OTHER_HASH = "0" * 64


async def test_what_it_improves_is_kept(control: Control) -> None:
    """Through every reading and every change of it."""
    function = (await load(control, "a", **IMPROVED)).function
    assert (function.spec.improvement, function.spec.methods) == ("scan", ("GET", "POST"))
    assert await control.functions.get(HASH, "hello") == function
    assert await control.functions.list() == (function,)
    assert await control.functions.changes_since(0) == FunctionChanges((function,), 1)
    assert (await load(control, "a", **IMPROVED)).function == function
    await load(control, "b", **IMPROVED)
    back = await control.functions.rollback(HASH, "hello", BY, which="improvement")
    assert back.spec == function.spec
    gone = await control.functions.unload(HASH, "hello", BY, "improvement")
    assert gone.spec == function.spec
    entries = [json.loads(entry.detail) for entry in await control.audit.last(99)]
    assert [entry.get("improvement") for entry in entries] == ["scan"] * 3 + [None] * 2


async def test_it_is_one_or_is_none(control: Control) -> None:
    """The last load decides; a text that is the same stays the version that it is."""
    plain = await load(control, "a")
    moved = await load(control, "a", **IMPROVED)
    assert (moved.version, moved.created) == (1, False)
    assert moved.function == replace(
        plain.function, spec=moved.function.spec, updated=moved.function.updated, revision=2
    )
    with pytest.raises(Conflict, match=f"of {HASH}"):
        await load(control, "x", hash=OTHER_HASH, **IMPROVED)
    again = await load(control, "b")
    assert (again.version, again.function.spec) == (2, plain.function.spec)
    assert (await load(control, "x", hash=OTHER_HASH, **IMPROVED)).created


async def test_a_function_is_not_found_as_improvement(control: Control) -> None:
    """And is not changed; the refusal is written down."""
    await load(control, "a")
    function = (await load(control, "b")).function
    for asked in (
        control.functions.unload(HASH, "hello", BY, "improvement"),
        control.functions.rollback(HASH, "hello", BY, 1, "improvement"),
    ):
        with pytest.raises(NotFound, match="is a function and no improvement"):
            await asked
    assert await control.functions.get(HASH, "hello") == function
    assert [entry.outcome for entry in await control.audit.last(2)] == ["not_found"] * 2
