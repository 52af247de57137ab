"""The line to the planner: answers find who asked, whatever happens to either side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from blockbuster import BlockBuster
from structlog.testing import capture_logs

from sandbox_runtime import wire
from sandbox_runtime.planning import Answer, Ask, Repair
from service.errors import PlannerFailed
from service.planning.line import Line
from tests.service.planning.planner_end import READY, PlannerEnd, call, connected

ASK = Ask(0, "generate", {"query": "primes", "policy": "program", "data": None}, 5.0, 1000)


@pytest.fixture
async def line(loop_guard: BlockBuster) -> AsyncIterator[Line]:
    line = Line(expected=True)
    yield line
    line.close()


@pytest.fixture
async def end(line: Line) -> AsyncIterator[PlannerEnd]:
    end = await connected(line)
    yield end
    end.close()


async def failure(asking: asyncio.Task[Answer]) -> PlannerFailed:
    with pytest.raises(PlannerFailed) as caught:
        await asking
    return caught.value


async def test_many_questions_at_once(line: Line, end: PlannerEnd) -> None:
    """Each has its own answer, in whatever order they come."""
    questions = [
        Ask(0, "review", {"code": str(n)}, 5.0, n, Repair("x", "y"), "00-ab-cd-01") for n in range(50)
    ]
    asking = [asyncio.create_task(line.ask(question)) for question in questions]
    heard = [await end.asked() for _ in questions]
    assert [(ask.given, ask.tokens, ask.repair, ask.trace) for ask in heard] == [
        (question.given, question.tokens, question.repair, question.trace) for question in questions
    ]
    for ask in reversed(heard):
        end.answer(ask, call(ask.tokens), code=ask.given["code"])
    answers = await asyncio.gather(*asking)
    assert [answer.output for answer in answers] == [{"code": str(n)} for n in range(50)]
    assert [answer.calls[0].tokens for answer in answers] == list(range(50))


async def test_a_planner_that_is_being_started(line: Line) -> None:
    """It is waited for; what is left of the time is all it is given."""
    asking = asyncio.create_task(line.ask(ASK))
    await asyncio.sleep(0)
    end = await connected(line)
    ask = await end.asked()
    assert 0 < ask.seconds < ASK.seconds
    end.answer(ask, code="1")
    assert (await asking).output == {"code": "1"}
    end.close()


async def test_without_a_planner(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for long."""
    monkeypatch.setattr("service.planning.line._PATIENCE", 0.05)
    with pytest.raises(PlannerFailed, match="started again") as caught:
        await line.ask(ASK)
    assert (caught.value.code, caught.value.extra) == ("planner_unavailable", {"retry_after": 1})
    assert line.standing is None


async def test_a_planner_that_ends(line: Line, end: PlannerEnd) -> None:
    """The next planner is asked what it has left unanswered, once: a question may be what ends planners."""
    asking = asyncio.create_task(line.ask(ASK))
    await end.asked()
    stood = [line.standing]
    end.close()
    assert await end.ended()
    second = await connected(line)
    await second.asked()
    assert [*stood, line.standing] == [READY, READY]
    second.close()
    assert (await failure(asking)).code == "planner_unavailable"
    stood.append(line.standing)
    assert stood == [READY, None]
    third = await connected(line)
    asking = asyncio.create_task(line.ask(ASK))
    third.answer(await third.asked(), code="3")
    assert (await asking).output == {"code": "3"}
    third.close()


async def test_the_successor_of_a_planner_that_still_stands(line: Line, end: PlannerEnd) -> None:
    """It is asked at once, and the end of the former one is not its end."""
    second = await connected(line)
    assert await end.ended()
    asking = asyncio.create_task(line.ask(ASK))
    second.answer(await second.asked(), code="2")
    assert (await asking).output == {"code": "2"}
    assert line.standing is not None
    second.close()


async def test_the_former_planner_answers_what_it_was_asked(line: Line, end: PlannerEnd) -> None:
    """Nothing is asked twice; the line to it ends with its last answer."""
    asking = [asyncio.create_task(line.ask(ASK)) for _ in range(2)]
    heard = [await end.asked() for _ in asking]
    second = await connected(line)
    later = asyncio.create_task(line.ask(ASK))
    second.answer(await second.asked(), code="2")
    assert (await later).output == {"code": "2"}
    for ask in heard:
        end.answer(ask, code="1")
    assert [answer.output for answer in await asyncio.gather(*asking)] == [{"code": "1"}] * 2
    assert await end.ended()
    second.close()


async def test_who_leaves_is_forgotten(line: Line, end: PlannerEnd) -> None:
    """The planner hears of it; an answer that comes all the same is nobody's."""
    asking = asyncio.create_task(line.ask(ASK))
    ask = await end.asked()
    asking.cancel()
    assert await end.forgets() == ask.id
    end.answer(ask, code="late")
    again = asyncio.create_task(line.ask(ASK))
    end.answer(await end.asked(), code="in time")
    assert (await again).output == {"code": "in time"}
    assert end.forgotten == []  # who has an answer takes nothing back


async def test_a_planner_that_does_not_answer(
    line: Line, end: PlannerEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own deadline comes first; when it misses that, ours does."""
    monkeypatch.setattr("service.planning.line._GRACE", 0.05)
    asking = asyncio.create_task(line.ask(Ask(0, "plan", {}, 0.05, 10)))
    ask = await end.asked()
    assert (await failure(asking)).code == "planner_unavailable"
    assert await end.forgets() == ask.id


@pytest.mark.parametrize(
    "message",
    [
        wire.encode(wire.Kind.RESULT, b"{}"),
        wire.encode(wire.Kind.ANSWER, b"[]"),
        wire.encode(wire.Kind.ANSWER, b"{"),
        wire.HEADER.pack(0xFFFFFFFF, wire.Kind.ANSWER),
        wire.encode_json(wire.Kind.ANSWER, {"id": 1, "output": None, "failure": None, "calls": []}),
        wire.encode_json(wire.Kind.ANSWER, {"id": 1, "output": {}, "failure": None, "calls": [{}]}),
        wire.encode_json(
            wire.Kind.ANSWER,
            {"id": 1, "output": None, "failure": {"code": "own", "detail": ""}, "calls": []},
        ),
    ],
    ids=["kind", "array", "json", "length", "neither", "call", "code"],
)
async def test_a_planner_that_breaks_the_protocol(
    line: Line, end: PlannerEnd, message: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked nothing more, and whoever waits is told."""
    asking = asyncio.create_task(line.ask(ASK))
    await end.asked()
    monkeypatch.setattr("service.planning.line._PATIENCE", 0.02)
    with capture_logs() as lines:
        end.send(message)
        assert (await failure(asking)).code == "planner_unavailable"
    assert [said["event"] for said in lines] == ["planner_broke_protocol"]
    assert await end.ended()


async def test_a_question_that_is_too_long(line: Line, end: PlannerEnd) -> None:
    """It is refused here, with the limit."""
    with pytest.raises(PlannerFailed, match="the limit is 4194304") as caught:
        await line.ask(Ask(0, "review", {"code": "x" * (4 << 20)}, 5.0, 10))
    assert caught.value.code == "llm_request_budget"
