"""The proof: every plan of the built-in planner passes it, and agrees with itself; what else it sees."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from blockbuster import BlockBuster

from service.errors import PlanRefused
from service.rest.builtin import BuiltinPlanner
from service.rest.plan import Plan
from service.rest.proof.prover import Prover
from service.rest.proof.scratch import remove_stale
from service.rest.shape import ID, SEARCH, Shape
from tests.rest.in_process import Front, Place
from tests.rest.stand_in import StandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")
JSON = "application/json"
SHAPES = [
    Shape("GET", ()),
    Shape("GET", ("notes",)),
    Shape("GET", ("notes",), (("_embed", False), ("_expand", False), ("limit", False), ("sort", True))),
    Shape("HEAD", ("notes", ID), conditions=("if-none-match",)),
    Shape("OPTIONS", ("notes",)),
    Shape("POST", ("notes",), body="object", media_type=JSON),
    Shape("POST", ("notes",), body="array", media_type=JSON, prefer=("return=minimal",)),
    Shape("POST", ("notes", SEARCH), body="object", media_type=JSON),
    Shape("PUT", ("notes", ID), body="object", media_type=JSON, conditions=("if-match",)),
    Shape("PATCH", ("notes", ID), body="array", media_type="application/json-patch+json"),
    Shape("PATCH", ("notes",), body="object", media_type=JSON, prefer=("max-affected", "tx=rollback")),
    Shape("DELETE", ("notes", ID), (("cascade", False),)),
    Shape("GET", ("notes", ID, "lines", ID, "parts")),
    Shape("POST", ("notes", ID, "lines"), body="object", media_type=JSON),
    Shape("GET", ("notes",), (("_limit", False), ("_page", False), ("_sort", False)), dialect="json-server"),
    Shape("DELETE", ("notes", ID), dialect="json-server"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def proofs(place: Place) -> AsyncIterator[tuple[Prover, Front]]:
    async with place.fronts(1) as (front,):
        yield Prover(front.state.sessions.workers, front.state.settings), front


async def test_what_rules_write_is_proved_and_agrees_with_itself(proofs: tuple[Prover, Front]) -> None:
    """And nothing of a proof is left."""
    prover, front = proofs
    for shape in SHAPES:
        plan = BuiltinPlanner().plan(shape)
        await prover.prove(shape, plan, plan)
    assert os.listdir(front.state.settings.data_root / "proofs") == []


async def test_a_read_that_writes_is_refused(proofs: tuple[Prover, Front]) -> None:
    """The control: under the hint of a write the same program passes."""
    prover, _ = proofs
    shape = Shape("GET", ("notes",))
    plan = Plan("list", "notes", "store.insert({})\nREPLY = make_response(200)\n")
    with pytest.raises(PlanRefused, match="only reads") as caught:
        await prover.prove(shape, replace(plan, response_hints={"transaction": "read"}), None)
    assert caught.value.extra["rule"] == "proof"
    await prover.prove(shape, replace(plan, response_hints={"transaction": "write"}), None)


async def test_a_plan_that_fills_the_disk_is_refused(proofs: tuple[Prover, Front]) -> None:
    prover, front = proofs
    rows = "[{'a': 'x' * 60000} for each in range(99)]"
    block = f"done = store.insert_many({rows})\nREPLY = make_response(200)\n"
    shape = Shape("POST", ("notes",))
    with pytest.raises(PlanRefused, match="proof"):
        await prover.prove(shape, Plan("fill", "notes", block), None)
    assert os.listdir(front.state.settings.data_root / "proofs") == []


async def test_what_a_dead_front_has_left_goes(place: Place) -> None:
    """When it is old: another front may be proving something."""
    proofs = place.root / "proofs"
    for name, age in (("old", 3600), ("new", 0)):
        (proofs / name / "sessions").mkdir(parents=True)
        when = (proofs / name).stat().st_mtime - age
        os.utime(proofs / name, (when, when))
    remove_stale(proofs)
    assert os.listdir(proofs) == ["new"]
    remove_stale(place.root / "none")


async def test_nothing_of_it_blocks_a_front(place: Place, loop_guard: BlockBuster) -> None:
    async with place.modelled(StandIn()) as front:
        await front.send("POST", "/orders", {"name": "one"})
        assert (await front.send("POST", "/orders/1/cancel")).source == "llm"
