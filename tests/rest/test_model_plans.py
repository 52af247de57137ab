"""Plans that a model writes, over the real application, judge, proof and workers; a stand-in is the model."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sandbox_runtime.planning import Failure, Standing
from tests.rest.in_process import Front, Place
from tests.rest.stand_in import TOKENS, Output, StandIn, echo

pytestmark = pytest.mark.asyncio(loop_scope="module")
CANCEL = "/orders/1/cancel"


# Each item has another come after it.
ENDLESS = """\
rows = [1]
for row in rows:
    rows.append(row)
REPLY = make_response(200)
"""


def plan(block: str, action: str = "act", resource: str = "orders") -> Output:
    return {"action": action, "resource": resource, "block": block}


async def fill(front: Front, **headers: str) -> None:
    assert (await front.send("POST", "/orders", {"name": "one"}, **headers)).status == 201


async def test_a_shape_is_bought_once_and_by_shape_alone(place: Place) -> None:
    stand_in = StandIn()
    async with place.modelled(stand_in) as front:
        await fill(front)
        first = await front.send("POST", CANCEL)
        assert (first.status, first.source, first.body["done"]) == (200, "llm", "cancel")
        assert "plan;dur=" in first.headers["server-timing"]
        again = await front.send("POST", "/orders/7/cancel")
        assert (again.status, again.source) == (404, "cache")
        assert again.headers["x-plan-id"] == first.headers["x-plan-id"]
        (shown,) = [
            each for each in (await front.send("GET", "/_/plans")).body["plans"] if each["source"] == "llm"
        ]
        assert (shown["id"], shown["model"]) == (first.headers["x-plan-id"], "openai/test-model")
        assert len(stand_in.asks) == 1
        assert stand_in.asks[0].given == {
            "shape": {
                "method": "POST",
                "path": "/orders/{id}/cancel",
                "query": [],
                "body": "none",
                "media_type": "",
                "conditional_headers": [],
                "prefer": [],
                "dialect": "default",
            }
        }


async def test_names_in_a_query_buy_nothing(place: Place) -> None:
    """They are told in Warning, and refused under handling=strict, as the rules do."""
    stand_in = StandIn()
    async with place.modelled(stand_in) as front:
        await fill(front)
        for number in range(30):
            answer = await front.send("POST", f"{CANCEL}?secret{number}=1")
            assert answer.status == 200
            assert answer.headers["warning"] == f'299 - "secret{number} is not known here and was ignored"'
        strict = await front.send("POST", f"{CANCEL}?secret=1", prefer="handling=strict")
        assert (strict.status, strict.body["errors"][0]["field"]) == (400, "secret")
        assert "warning" not in (await front.send("POST", CANCEL)).headers
        assert len(stand_in.asks) == 1
        assert b"secret" not in stand_in.heard[0]


async def test_fifty_at_once_buy_one_plan(place: Place) -> None:
    stand_in = StandIn()
    stand_in.gate.clear()
    async with place.modelled(stand_in) as front:
        await fill(front)
        waiting = [asyncio.create_task(front.send("POST", CANCEL)) for _ in range(50)]
        await asyncio.wait_for(stand_in.asked.wait(), 20)
        stand_in.gate.set()
        answers = await asyncio.gather(*waiting)
        assert {(answer.status, answer.source) for answer in answers} == {(200, "llm")}
        assert len(stand_in.asks) == 1


async def test_two_fronts_buy_one_plan(place: Place) -> None:
    """Whoever is second waits for the first's, and finds it on the disk."""
    stand_in = StandIn()
    stand_in.gate.clear()
    async with place.fronts(2) as both:
        for front in both:
            await stand_in.connect(front.state.planning.line)
        await fill(both[0])
        waiting = [asyncio.create_task(front.send("POST", CANCEL)) for front in both]
        await asyncio.wait_for(stand_in.asked.wait(), 20)
        stand_in.gate.set()
        answers = await asyncio.gather(*waiting)
        assert sorted((answer.status, str(answer.source)) for answer in answers) == [
            (200, "cache"),
            (200, "llm"),
        ]
        assert len(stand_in.asks) == 1
        await stand_in.leave()


async def test_what_is_bought_serves_while_there_is_no_planner(place: Place) -> None:
    """From memory, and from the disk on a front that never had one."""
    stand_in = StandIn()
    async with place.fronts(2, LARS_LLM_TIMEOUT="0.3") as (front, other):
        await stand_in.connect(front.state.planning.line)
        await fill(front)
        assert (await front.send("POST", CANCEL)).source == "llm"
        await stand_in.leave()
        for each in (front, other):
            assert (await each.send("POST", CANCEL)).source == "cache"
            gone = await each.send("POST", "/orders/1/close")
            assert (gone.status, gone.body["code"]) == (503, "planner_unavailable")
        ours, end = socket.socketpair()
        await other.state.planning.line.connect(end, Standing((), {"openai": "set OPENAI_API_KEY"}, {}))
        unready = await other.send("POST", "/orders/1/close")
        assert (unready.body["code"], "set OPENAI_API_KEY" in unready.body["detail"]) == (
            "planner_not_configured",
            True,
        )
        ours.close()


async def test_without_a_model_it_is_as_it_was(place: Place) -> None:
    async with place.fronts(1, LARS_DEFAULT_PROVIDER="builtin") as (front,):
        answer = await front.send("POST", CANCEL)
        assert (answer.status, answer.body["code"]) == (501, "planner_required")
        assert answer.body["missing"] == "the action 'cancel' on a record of 'orders'"


@pytest.mark.parametrize(
    ("output", "rule", "said"),
    [
        (plan("import os\n"), "import", "os"),
        (plan("REPLY = make_response(200)\n", resource="users"), "output", "users"),
        (plan("REPLY = make_response(200, ctx['body_json']['name'])\n"), "proof", "TypeError"),
        (plan("REPLY = make_response(503)\n"), "proof", "503"),
        (plan("REPLY = make_response(200, 1, {'Set-Cookie': 'a'})\n"), "proof", "Set-Cookie"),
        (plan("REPLY = 7\n"), "proof", "REPLY"),
    ],
    ids=["policy", "resource", "exception", "status", "header", "no reply"],
)
async def test_a_refused_plan_is_asked_for_again_once(
    output: Output, rule: str, said: str, modelled: tuple[Front, StandIn]
) -> None:
    """The second time with what was wrong; then nobody asks for a while, and every caller is told when."""
    served, stand_in = modelled
    stand_in.respond = lambda _: output
    path = f"/orders/1/{rule}-{said.lower()}"
    for _ in range(3):
        answer = await served.send("POST", path)
        assert (answer.status, answer.body["code"], answer.body["rule"]) == (502, "plan_refused", rule)
        assert said in answer.body["detail"]
        assert 50 < int(answer.headers["retry-after"]) <= 60
    first, second = stand_in.asks
    assert (first.repair, first.given) == (None, second.given)
    assert second.repair is not None
    assert said in second.repair.problem
    assert str(output["block"]).strip()[:6] in second.repair.reply


async def test_a_repaired_plan_serves(modelled: tuple[Front, StandIn]) -> None:
    """And one that runs for ever is refused by the clock."""
    served, stand_in = modelled
    stand_in.respond = lambda ask: echo(ask) if ask.repair else plan(ENDLESS)
    answer = await served.send("POST", "/orders/1/spin")
    assert (answer.status, answer.source) == (200, "llm")
    repair = stand_in.asks[1].repair
    assert repair is not None
    assert "longer than 1 s" in repair.problem or "too much memory" in repair.problem


@pytest.mark.parametrize("code", ["llm_bad_reply", "llm_refused", "llm_truncated"])
async def test_what_is_wrong_with_a_reply_is_remembered(code: str, modelled: tuple[Front, StandIn]) -> None:
    served, stand_in = modelled
    stand_in.respond = lambda _: Failure(code, "of no use", reply="I would rather not")
    answers = [await served.send("POST", f"/orders/1/{code}") for _ in range(3)]
    assert {answer.body["code"] for answer in answers} == {code}
    assert all(int(answer.headers["retry-after"]) > 50 for answer in answers)
    repairs = [ask.repair.reply for ask in stand_in.asks if ask.repair]
    assert repairs == (["I would rather not"] if code == "llm_bad_reply" else [])
    assert len(stand_in.asks) == 1 + len(repairs)


@pytest.mark.parametrize(
    "said", [plan("import os\n"), Failure("llm_refused", "it declined")], ids=["plan", "model"]
)
async def test_every_front_knows_what_was_refused(said: Output | Failure, place: Place) -> None:
    """In the same words."""
    stand_in = StandIn(lambda _: said)
    async with place.fronts(2) as both:
        for front in both:
            await stand_in.connect(front.state.planning.line)
        first, second, third = [await front.send("POST", CANCEL) for front in (both[0], both[1], both[1])]
        asked = len(stand_in.asks)
        assert asked == (1 if isinstance(said, Failure) else 2)
        for answer in (second, third):
            assert answer.status == first.status
            assert answer.body["code"] == first.body["code"]
            assert answer.body.get("rule") == first.body.get("rule")
            assert 50 < int(answer.headers["retry-after"]) <= 60
        await stand_in.leave()


async def test_a_providers_trouble_is_not(modelled: tuple[Front, StandIn]) -> None:
    served, stand_in = modelled
    stand_in.respond = lambda _: Failure("llm_failed", "status 500", retry_after=3)
    answer = await served.send("POST", "/orders/1/later")
    assert (answer.status, answer.headers["retry-after"]) == (502, "3")
    stand_in.respond = echo
    assert (await served.send("POST", "/orders/1/later")).source == "llm"


async def test_a_slow_model_is_not_waited_for_for_ever(place: Place) -> None:
    """The request is told to come again; what it has begun goes on, and is there then."""
    stand_in = StandIn()
    stand_in.gate.clear()
    async with place.modelled(stand_in, LARS_MAX_EXEC_MS="1000") as front:
        await fill(front)
        early = await front.send("POST", CANCEL)
        assert (early.status, early.body["code"], early.headers["retry-after"]) == (503, "plan_pending", "2")
        stand_in.gate.set()
        key = await _bought(front)
        late = await front.send("POST", CANCEL)
        assert (late.status, late.source, late.headers["x-plan-id"]) == (200, "cache", key)
        assert len(stand_in.asks) == 1


async def test_new_shapes_of_one_caller_are_bounded(place: Place) -> None:
    """However they differ: by the collection, the body's fields, the media type."""
    stand_in = StandIn(lambda _: plan("REPLY = make_response(200)\n", resource=""))
    async with place.modelled(stand_in, LARS_LLM_DAY_SHAPES="3") as front:
        odd = {"content_type": "application/odd+json"}
        requests = [
            ("/a/1/act", None),
            ("/b", {"x1": 1}),
            ("/b", {"x2": 1}),
            ("/b", {"x3": 1}),
            ("/c/1/d", None),
        ]
        answers = [await front.send("POST", path, body, **odd) for path, body in requests]
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        assert "shapes" in answers[-1].body["detail"]
        assert len(stand_in.asks) == 3
        assert (await front.send("POST", "/b", {"x2": 5}, **odd)).source == "cache"
        assert (await front.send("POST", "/b", {"plain": 5})).status == 201


async def test_all_that_rules_can_plan_works_at_zero_budget(place: Place) -> None:
    stand_in = StandIn()
    for planning in ("rules", "llm"):
        async with place.modelled(stand_in, LARS_LLM_DAY_TOKENS="0", LARS_PLANNING=planning) as front:
            await _use(front)
            answer = await front.send("POST", CANCEL)
            assert (answer.status, answer.body["code"]) == (503, "llm_day_budget")
    assert stand_in.asks == []


async def test_a_key_without_tokens_has_the_rules_and_what_is_bought(place: Place) -> None:
    stand_in = StandIn()
    limits = {"LARS_AUTH_TOKEN": "t" * 40, "LARS_RATE": f"tokens={TOKENS // 2}", "LARS_PLANNING": "rules"}
    async with place.modelled(stand_in, **limits) as front:
        own = {"x_api_key": "t" * 40}
        await fill(front, **own)
        assert (await front.send("POST", CANCEL, **own)).source == "llm"
        refused = await front.send("POST", "/orders/1/close", **own)
        assert (refused.status, refused.body["code"]) == (429, "rate_limited")
        assert (await front.send("POST", CANCEL, **own)).source == "cache"
        await _use(front, **own)
        assert len(stand_in.asks) == 1


async def _use(front: Front, **headers: str) -> None:
    """Create, read, list, search, change, delete."""
    made = await front.send("POST", "/notes", {"name": "a"}, **headers)
    path = made.headers["location"]
    requests = (
        ("GET", path, None, 200),
        ("GET", "/notes?name=a&sort=name", None, 200),
        ("GET", "/notes/search?name=a", None, 200),
        ("PUT", path, {"name": "b"}, 200),
        ("PATCH", path, {"name": "c"}, 200),
        ("DELETE", path, None, 204),
        ("GET", path, None, 404),
    )
    assert made.status == 201
    for method, target, body, status in requests:
        assert (await front.send(method, target, body, **headers)).status == status, (method, target)


async def _bought(front: Front) -> str:
    """The key of the model's plan, when it is on the disk."""
    async with asyncio.timeout(20):
        while True:
            for path in (front.state.settings.data_root / "plans").glob("*"):
                kept = await front.state.plans.kept(path.name)
                if kept is not None and kept.source == "llm":
                    return path.name
            await asyncio.sleep(0.005)
