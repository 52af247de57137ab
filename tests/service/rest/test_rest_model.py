"""A model's answer becomes a plan, and its shape becomes an object; refusals last; locks are one front's."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from service.errors import LarsError, PlannerFailed, PlanRefused
from service.rest.builtin import BuiltinPlanner, read_query
from service.rest.model.locks import PlanLocks
from service.rest.model.output import plan_of
from service.rest.model.refusal_files import RefusalFiles
from service.rest.model.refusals import Refusals, is_of_the_reply
from service.rest.model.shapes import deep_shape, model_versions, readable
from service.rest.plan import MAX_BLOCK
from service.rest.shape import ID, Shape
from service.settings import Settings
from tests.service.rest.sessions import context_of

ACT = Shape("POST", ("orders", ID, "cancel"))
KEY, OTHER = Shape("GET", ("a",)).key(), Shape("GET", ("b",)).key()
BLOCK = "REPLY = make_response(200)\n"
OUTPUT = {"action": "cancel", "resource": "orders", "block": BLOCK}


def test_what_is_a_models_to_say() -> None:
    """Its program, the collection, and a word; transaction, id and body are ours."""
    plan = plan_of(OUTPUT, ACT, None)
    assert (plan.action, plan.resource, plan.block) == ("cancel", "orders", BLOCK)
    assert (plan.identifier, plan.payload, plan.response_hints) == (
        "segments[1]",
        None,
        {"transaction": "write"},
    )
    body = Shape("POST", ("orders",), body="object", media_type="application/x+json", prefer=("tx=rollback",))
    dry = plan_of({**OUTPUT, "hints": {"transaction": "write"}}, body, None)
    assert (dry.identifier, dry.payload, dry.response_hints) == (
        None,
        "body_json",
        {"transaction": "rollback"},
    )
    head = plan_of(OUTPUT, Shape("HEAD", ("orders",)), None)
    assert head.response_hints == {"transaction": "read", "body": False}
    assert plan_of({**OUTPUT, "resource": "", "action": "a\nb"}, ACT, None).action == "other"


def test_where_there_is_a_rule_its_hints_count() -> None:
    shape = Shape("GET", ("orders",), (("_delay", False), ("_page", False)), dialect="json-server")
    rival = BuiltinPlanner().plan(shape)
    plan = plan_of(OUTPUT, shape, rival)
    assert plan.block == BLOCK
    assert plan.response_hints == rival.response_hints
    assert plan.response_hints["delay"] == "query._delay"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"resource": "users"}, 'expected a collection of the path: orders, cancel, ""'),
        ({"resource": ID}, "expected a collection"),
        ({"resource": None}, "resource is of type NoneType"),
        ({"block": " \n"}, "block is empty"),
        ({"block": "x" * (MAX_BLOCK + 1)}, f"the limit is {MAX_BLOCK}"),
        ({"action": "a" * 61}, "the limit is 60"),
    ],
)
def test_what_is_no_plan(change: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanRefused) as caught:
        plan_of({**OUTPUT, **change}, ACT, None)
    assert said in caught.value.detail
    assert caught.value.extra["rule"] == "output"


def test_a_readable_shape_has_names_and_types_and_no_value() -> None:
    body = {"sku": "secret-1", "lines": [{"n": 47110, "deep": {"x": {"y": 1}}}], "note": None}
    headers = {"Content-Type": "application/vnd.odd+json", "If-Match": '"secret-2"', "X-Odd": "secret-3"}
    target = "/orders/secret-4/lines?fields=secret-5&secret=1"
    context = context_of("POST", target, body, headers, "default")
    shape = deep_shape(context, model_versions(Settings.from_env({})), (("fields", False),))
    told = readable(shape)
    assert told == {
        "method": "POST",
        "path": "/orders/{id}/lines",
        "query": [{"name": "fields", "repeated": False}],
        "body": {
            "object": {
                "lines": {"array": [{"object": {"deep": "object", "n": "integer"}}]},
                "note": "null",
                "sku": "string",
            }
        },
        "media_type": "application/vnd.odd+json",
        "conditional_headers": ["if-match"],
        "prefer": [],
        "dialect": "default",
    }
    assert b"secret" not in orjson.dumps(told)


def test_the_key_names_all_that_decides() -> None:
    """Another model, and its plans are others."""
    environ = {"OPENAI_API_KEY": "k", "LARS_LLM_MODEL": "large-1"}
    mine, others = model_versions(Settings.from_env(environ)), model_versions(Settings.from_env({}))
    assert dict(mine)["model"] == "openai/large-1"
    assert [name for name, _ in mine] == ["planner", "prompt", "model", "rules", "proof", "policy"]
    assert Shape("GET", (), versions=mine).key() != Shape("GET", (), versions=others).key()
    mock = model_versions(Settings.from_env({"LLM_MOCK_HANDLER": "a.b"}))
    assert dict(mock)["model"] == "mock/a.b"


def test_what_a_rule_would_know_of_a_query() -> None:
    action = read_query(Shape("POST", ("orders", ID, "cancel"), (("_embed", False), ("name", False))))
    assert (action.controls, [each.name for each in action.unknown]) == (frozenset({"_embed"}), ["name"])
    listed = read_query(
        Shape("GET", ("orders",), (("_page", False), ("x_like", False)), dialect="json-server")
    )
    assert (listed.controls, listed.filters) == (frozenset({"_page"}), ("x_like",))
    assert read_query(Shape("GET", ("orders",), (("a", False),), dialect="other")).controls == frozenset()


@pytest.mark.parametrize(
    ("error", "remembered"),
    [
        (PlanRefused("no", rule="proof", line=3), True),
        (PlannerFailed("llm_bad_reply", "no"), True),
        (PlannerFailed("llm_failed", "no"), False),
        (PlannerFailed("llm_day_budget", "no"), False),
    ],
)
def test_which_refusals_are_remembered(error: LarsError, remembered: bool) -> None:
    assert is_of_the_reply(error) is remembered


def test_a_refusal_tells_when_it_ends_and_ends() -> None:
    refusals = Refusals()
    refusals.note("a", PlanRefused("no", rule="proof", line=3), 30)
    refusals.note("b", PlannerFailed("llm_refused", "no"), 30)
    refusals.note("c", PlannerFailed("llm_refused", "no"), 0)
    first, second = refusals.of("a"), refusals.of("b")
    assert first is not None
    assert second is not None
    assert first.extra == {"rule": "proof", "line": 3, "retry_after": 30}
    assert first.headers == second.headers == {"Retry-After": "30"}
    assert refusals.of("c") is refusals.of("d") is None


def test_a_refusal_on_the_disk_ends_too(tmp_path: Path) -> None:
    """And one that is no refusal counts for nothing."""
    files = RefusalFiles(tmp_path)
    files.save(KEY, PlanRefused("no", rule="proof", line=3), 30)
    files.save(OTHER, PlannerFailed("llm_refused", "it declined"), 0)
    found = files.load(KEY)
    assert found is not None
    assert (found[0].detail, found[0].extra["rule"], found[0].extra["line"]) == ("no", "proof", 3)
    assert 20 < found[1] <= 30
    assert files.load(OTHER) is None
    assert [entry.name for entry in os.scandir(tmp_path / "plans")] == [f"{KEY}.refused"]
    (tmp_path / "plans" / f"{OTHER}.refused").write_text('{"until": "soon"}')
    assert files.load(OTHER) is None


async def test_one_at_a_time_has_a_lock(tmp_path: Path) -> None:
    """Another key's does not matter, and nothing is written."""
    locks = PlanLocks(tmp_path)
    inside = most = 0

    async def use(key: str) -> None:
        nonlocal inside, most
        async with locks.held(key):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async with locks.held(OTHER):
        await asyncio.gather(*(use(KEY) for _ in range(5)))
    assert most == 1
    assert [(entry.name, entry.stat().st_size) for entry in os.scandir(tmp_path)] == [("plans.lock", 0)]


_HOLD = """
import sys, pathlib
from service.rest.model import locks
assert locks.try_lock(pathlib.Path(sys.argv[1]), sys.argv[2]) is not None
print("held", flush=True)
sys.stdin.read()
"""


async def test_a_front_that_dies_lets_go(tmp_path: Path) -> None:
    path = str(tmp_path / "plans.lock")
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLD, path, KEY, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    waiting = asyncio.create_task(_enter(PlanLocks(tmp_path)))
    await asyncio.wait((waiting,), timeout=0.1)
    assert not waiting.done()
    holder.kill()
    await asyncio.wait_for(waiting, 20)
    await holder.communicate()


async def _enter(locks: PlanLocks) -> None:
    async with locks.held(KEY):
        pass
