"""LARS_PLANNING=llm: a model's plan serves where it does what the rules' plan does, and the rules do else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sandbox_runtime.planning import Ask, Failure
from service.rest.builtin import BuiltinPlanner
from service.rest.shape import Shape
from tests.rest.in_process import Front, Place
from tests.rest.stand_in import Output, StandIn, echo

pytestmark = pytest.mark.asyncio(loop_scope="module")
Change = Callable[[str], str]


def as_rules(ask: Ask, change: Change = str) -> Output:
    """What the built-in planner writes, in the place of a model that knows as much, or a bit less."""
    shown = ask.given["shape"]
    shape = Shape(
        shown["method"],
        tuple(part for part in shown["path"].split("/") if part),
        tuple((each["name"], each["repeated"]) for each in shown["query"]),
        shown["body"],
        shown["media_type"],
    )
    plan = BuiltinPlanner().plan(shape)
    return {"action": plan.action, "resource": plan.resource, "block": change(plan.block)}


async def sources(front: Front, *requests: tuple[str, str, object]) -> list[str | None]:
    return [(await front.send(*request)).source for request in requests]


async def test_a_plan_that_agrees_serves(place: Place) -> None:
    """One call for each shape, whatever fields the bodies have."""
    stand_in = StandIn(as_rules)
    async with place.modelled(stand_in, LARS_PLANNING="llm") as front:
        made = await front.send("POST", "/notes", {"name": "a"})
        assert (made.status, made.source, made.headers["location"]) == (201, "llm", "/notes/1")
        found = await sources(
            front,
            ("POST", "/notes", {"other": {"deep": [1]}}),
            ("GET", "/notes/1", None),
            ("GET", "/notes/2", None),
            ("GET", "/notes?limit=1&sort=name", None),
            ("DELETE", "/notes/2", None),
        )
        assert found == ["cache", "llm", "cache", "llm", "llm"]
        assert len(stand_in.asks) == 4
        shown = {each["action"]: each for each in (await front.send("GET", "/_/plans")).body["plans"]}
        assert {name: each["hits"] for name, each in shown.items()} == {
            "create": 2,
            "get": 2,
            "list": 1,
            "delete": 1,
        }
        assert (shown["get"]["source"], shown["get"]["identifier"]) == ("llm", "segments[1]")


@pytest.mark.parametrize(
    ("request_", "change", "said"),
    [
        (("POST", "/notes", {"a": 1}), lambda b: b.replace("201", "200"), "the status is 200, expected 201"),
        (("GET", "/notes/1", None), lambda b: b.replace("200, record", "200, [record]"), "the body is ["),
        (
            ("POST", "/notes", {"a": 1}),
            lambda b: b.replace('ctx["body_json"]', '{**ctx["body_json"], "z": 1}'),
            "has the member 'z', which is not expected",
        ),
        (
            ("DELETE", "/notes/1", None),
            lambda b: b.replace('["segments"][1])', '["segments"][1], cascade=True)', 1),
            "what is stored afterwards['details'] has",
        ),
        (
            ("POST", "/notes", {"a": 1}),
            lambda b: b.replace("'/notes/'", "'/note/'"),
            "Location is '/note/4', expected '/notes/4'",
        ),
        (("GET", "/notes", None), lambda b: f"store.insert({{}})\n{b}", "proof"),
    ],
    ids=["status", "body", "member", "data", "location", "writes"],
)
async def test_a_plan_that_does_not_agree_is_told_so_and_never_serves(
    request_: tuple[str, str, object], change: Change, said: str, place: Place
) -> None:
    """The rules answer at once, and for a while nobody is asked again."""
    stand_in = StandIn(lambda ask: as_rules(ask, change))
    async with place.modelled(stand_in, LARS_PLANNING="llm") as front:
        assert await sources(front, request_, request_) == ["builtin", "cache"]
        assert len(stand_in.asks) == 2
        repair = stand_in.asks[1].repair
        assert repair is not None
        assert said in repair.problem, repair.problem


async def test_a_plan_that_heeds_no_condition_does_not_agree(place: Place) -> None:
    stand_in = StandIn(lambda ask: as_rules(ask, lambda _: _WITHOUT_CONDITION))
    async with place.modelled(stand_in, LARS_PLANNING="llm") as front:
        assert (await front.send("POST", "/notes", {"a": 1})).status == 201
        answer = await front.send("PUT", "/notes/1", {"a": 2}, if_match='"stale"')
        assert (answer.status, answer.source) == (412, "builtin")
        repair = stand_in.asks[-1].repair
        assert repair is not None
        assert "the status is 200, expected 412" in repair.problem


_WITHOUT_CONDITION = """\
record = store.replace(ctx["segments"][1], ctx["body_json"]) if len(ctx["segments"]) > 1 else None
REPLY = make_response(200, record) if record else make_response(404, {"code": "not_found"})
"""


async def test_a_query_that_is_no_control_is_for_the_rules(place: Place) -> None:
    stand_in = StandIn(as_rules)
    async with place.modelled(stand_in, LARS_PLANNING="llm") as front:
        for number in range(20):
            assert await sources(front, ("GET", f"/notes?name{number}=a", None)) == ["builtin"]
        assert await sources(front, ("GET", "/notes?name0=b", None)) == ["cache"]
        assert stand_in.asks == []


async def test_what_is_wrong_with_a_request_costs_nothing(place: Place) -> None:
    stand_in = StandIn(as_rules)
    async with place.modelled(stand_in, LARS_PLANNING="llm") as front:
        assert (await front.send("PUT", "/notes", {"a": 1})).status == 405
        assert (await front.send("POST", "/notes", [[1]])).status in (400, 422)
        assert (await front.send("PATCH", "/notes", {"a": 1})).status == 400
        assert len(stand_in.asks) == 1  # whether an array's items are objects is not in its shape


async def test_the_rules_serve_whatever_befalls_the_model(place: Place) -> None:
    stand_in = StandIn(lambda _: Failure("llm_failed", "status 500"))
    async with place.modelled(stand_in, LARS_PLANNING="llm", LARS_LLM_DAY_SHAPES="2") as front:
        assert await sources(front, ("POST", "/notes", {"a": 1}), ("POST", "/notes", {"a": 1})) == [
            "builtin",
            "cache",
        ]
        assert len(stand_in.asks) == 1  # nobody is asked again for some seconds
        stand_in.respond = as_rules
        assert await sources(front, ("GET", "/notes", None), ("GET", "/other", None)) == ["llm", "builtin"]
        await stand_in.leave()
        assert await sources(front, ("GET", "/notes", None), ("GET", "/notes/1", None)) == [
            "cache",
            "builtin",
        ]


async def test_what_no_rule_covers_is_for_the_model_in_either_mode(place: Place) -> None:
    stand_in = StandIn(echo)
    async with place.modelled(stand_in, LARS_PLANNING="llm", LARS_MAX_EXEC_MS="1000") as front:
        assert await sources(front, ("POST", "/notes/1/close", None), ("POST", "/notes/1/close", None)) == [
            "llm",
            "cache",
        ]
        stand_in.gate.clear()
        assert await sources(front, ("GET", "/notes/1", None)) == ["builtin"]  # it had waited enough
        stand_in.gate.set()
