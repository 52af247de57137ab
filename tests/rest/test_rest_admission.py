"""Admission: what a planner writes is judged in a jailed worker, and runs only when the policy allows it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from service.errors import PlanRefused
from service.pool.local import local_sandbox
from service.pool.pool import Pool, PoolSize
from service.rest.judge import admit
from service.rest.plan import MAX_BLOCK, Plan
from service.rest.plan_cache import PlanCache
from service.rest.plan_files import PlanFiles
from service.rest.shape import Shape
from tests.support import default_spec

GET = "record = store.get(ctx['segments'][1])\nREPLY = make_response(200 if record else 404, record)\n"
OF_ONE = "record = store.get('4711')\nREPLY = make_response(200, record)\n"
VALUES = [["4711"], {"name": "Ada"}, None]


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with local_sandbox(default_spec(), PoolSize(1, 4, 8)) as sandbox:
        yield sandbox.pool


async def test_what_the_policy_allows_is_admitted(pool: Pool) -> None:
    await admit(pool, GET, None, ())
    await admit(pool, GET, VALUES, {"members"})


@pytest.mark.parametrize(
    ("block", "rule", "line"),
    [
        ("import os\nREPLY = make_response(200)\n", "import", 1),
        ("x = 1\nREPLY = make_response(200, ctx.__class__)\n", "underscore", 2),
        ("REPLY = open('/etc/passwd')\n", "function", 1),
        ("x = 1\n", "unassigned", None),
        ("REPLY = (\n", None, 1),
        ("for x in ctx:\n    break\nelse:\n    REPLY = 1\n", "unassigned", None),
        ("REPLY = 1\n" + "#" * MAX_BLOCK, "length", None),
    ],
)
async def test_what_it_does_not_allow_is_refused(
    block: str, rule: str | None, line: int | None, pool: Pool
) -> None:
    with pytest.raises(PlanRefused) as caught:
        await admit(pool, block, None, ())
    assert caught.value.extra == {"rule": rule, "line": line, "retry_after": None}, caught.value.detail


async def test_a_value_of_the_request_is_refused_where_the_planner_saw_it(pool: Pool) -> None:
    with pytest.raises(PlanRefused) as caught:
        await admit(pool, OF_ONE, VALUES, {"members"})
    assert caught.value.extra["rule"] == "literal"
    await admit(pool, OF_ONE, VALUES, {"members", "4711"})
    await admit(pool, OF_ONE, None, ())


@dataclass
class Author:
    """A planner that knows the request, as one behind a network might."""

    block: str
    version: str = "test"
    body_depth: int = 0
    source: Literal["builtin", "llm"] = "llm"
    sees_values: bool = True
    asked: int = 0

    async def make(self, shape: Shape) -> Plan:
        self.asked += 1
        return Plan("get", shape.path[0], self.block, response_hints={"transaction": "read"})


async def test_another_planner_plugs_in(pool: Pool, tmp_path: Path) -> None:
    """What it wrote is kept with its source; what was refused is not, and is asked for again."""

    async def judge(block: str, values: object, vocabulary: Collection[str]) -> None:
        await admit(pool, block, values, vocabulary)

    author, shape = Author(OF_ONE), Shape("GET", ("members", "{id}"))
    cache = PlanCache(author, judge, PlanFiles(tmp_path, 10), 10)
    for _ in range(2):
        with pytest.raises(PlanRefused):
            await cache.plan_for(shape, VALUES)
    assert (author.asked, os.listdir(tmp_path)) == (2, [])
    author.block = GET
    assert [(await cache.plan_for(shape, VALUES))[1] for _ in range(2)] == ["llm", "cache"]
    again = PlanCache(author, judge, PlanFiles(tmp_path, 10), 10)
    admitted, source = await again.plan_for(shape, VALUES)
    assert (source, admitted.as_json()["source"], author.asked) == ("cache", "llm", 3)


async def test_old_plan_files_make_room(tmp_path: Path) -> None:
    async def anything(block: str, values: object, vocabulary: Collection[str]) -> None:
        """Whatever it is."""

    cache = PlanCache(Author(GET), anything, PlanFiles(tmp_path, 20), 5)
    for number in range(100):
        await cache.plan_for(Shape("GET", (f"c{number}", "{id}")))
    assert len(list((tmp_path / "plans").iterdir())) <= 21
    assert [(await cache.plan_for(Shape("GET", (f"c{number}", "{id}"))))[1] for number in (99, 0)] == [
        "cache",
        "llm",
    ]
