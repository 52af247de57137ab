# ruff: noqa: E501 - a program of one line stays one line
"""Candidates of every kind, examined with calls that really ran, in real workers."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import orjson
import pytest
import pytest_asyncio
from blockbuster import BlockBuster

from sandbox_runtime.domain import Contract
from sandbox_runtime.function import Invocation
from service.errors import QueueTimeout
from service.functions.contracts import TRIALS
from service.functions.recorded_call import RecordedCall
from service.functions.sources import source_of
from service.improvement.trial.examiner import Examiner, Rewrite
from service.improvement.trial.replay import OutOfTime, Replayer
from service.improvement.trial.replies import Question
from service.improvement.trial.values import Case, Evidence, Samples
from service.pool.job import Spent
from service.pool.lending import SPARE_WORKERS
from tests.improvement.trying import NAME, Trials, numbered, trials
from tests.isolation.contract_worker import module_of
from tests.pool.puppets import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOW = "def f(x: int) -> int:\n    return sum(i * i for i in range(8000)) + x"
QUICK = "S = sum(i * i for i in range(8000))\ndef f(x: int) -> int:\n    return S + x"
PLUS = "def f(x: int) -> int:\n    return x + 1"
KEYED = "def f(x: int) -> int:\n    return {0: 7, 1: 8, 2: 9, 4: 5}[x]"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trials]:
    async with trials(tmp_path_factory.mktemp("trials")) as made:
        yield made


def differing(evidence: Evidence) -> object:
    """How many calls of each group."""
    calls = evidence.facts["calls"]
    assert isinstance(calls, dict)
    return calls["differing"]


async def test_what_is_right_and_faster_is_admitted(place: Trials, loop_guard: BlockBuster) -> None:
    """And nothing of it blocks the front."""
    calls = await place.record(SLOW, numbered(12))
    evidence = await place.examine(SLOW, QUICK, calls, cases=[Case(b'{"x": -5}'), Case(b'{"x": 1e999}')])
    assert (evidence.verdict, evidence.problem) == ("admitted", "")
    assert orjson.loads(evidence.signature)["parameters"][0]["name"] == "x"
    facts = orjson.loads(orjson.dumps(evidence.facts))
    assert facts["calls"] == {
        "recorded": 12, "shown": 4, "held_back": 8, "replayed": 12, "unrepeatable": 0, "compared": 12,
        "mended": 0, "differing": {"shown": 0, "held_back": 0}, "not_run": 0,
    }  # fmt: skip
    assert facts["cases"] == {"given": 2, "compared": 1, "differing": 0}
    assert facts["times_ms"]["ratio"] < 0.3
    assert 0 < facts["times_ms"]["candidate"]["p50"] < facts["times_ms"]["live"]["p95"]
    assert min(facts["cpu_s"].values()) > 0


async def test_the_same_again_is_no_gain(place: Trials) -> None:
    """However the clock wavers in a microsecond."""
    calls = await place.record(PLUS, numbered(20))
    evidence = await place.examine(PLUS, PLUS + "  # quickly", calls)
    assert evidence.verdict == "no_gain"


async def test_what_takes_longer_is_slower(place: Trials) -> None:
    calls = await place.record(QUICK, numbered(8))
    evidence = await place.examine(QUICK, SLOW, calls)
    assert evidence.verdict == "slower"


async def test_one_other_answer_is_enough(place: Trials) -> None:
    calls = await place.record(PLUS, numbered(10))
    evidence = await place.examine(PLUS, PLUS + " if x != 2 else 3.0", calls)
    assert (evidence.verdict, differing(evidence)) == ("differs", {"shown": 1, "held_back": 0})
    assert 'The call {"x":2} gives 3.0, expected 3.' in evidence.problem
    assert evidence.facts["differences"] == [
        {"group": "shown", "again": False, "arguments": '{"x":2}', "expected": "3", "got": "3.0"}
    ]


async def test_what_was_only_learned_is_seen(place: Trials) -> None:
    """And the model is told of none of the calls on which it was."""
    text = "def f(x: int) -> str:\n    return str(x * 7919)"
    calls = await place.record(text, [{"x": 1000 + number} for number in range(10)])
    learned = {1000 + number: str((1000 + number) * 7919) for number in range(4)}
    evidence = await place.examine(text, f"def f(x: int) -> str:\n    return {learned}.get(x, '')", calls)
    assert (evidence.verdict, differing(evidence)) == ("differs", {"shown": 0, "held_back": 6})
    assert "on 6 recorded calls that you were not shown" in evidence.problem
    for call in calls:
        assert str(orjson.loads(call.body or b"")["x"]) not in evidence.problem
        assert (call.value or b"").decode().strip('"') not in evidence.problem


async def test_no_answer_carries_what_is_held_back(place: Trials) -> None:
    """What the model is told of was said before the process knew of any other call."""
    text = "def f(x: int) -> str:\n    return 'a'"
    calls = await place.record(text, [{"x": 7000 + number} for number in range(10)])
    spy = "SEEN = []\ndef f(x: int) -> str:\n    SEEN.append(x)\n    return 'a' if x % 2 else str(SEEN)"
    evidence = await place.examine(text, spy, calls, cases=[Case(b'{"x": 2}')])
    assert (evidence.verdict, differing(evidence)) == ("differs", {"shown": 2, "held_back": 3})
    assert "[7000, 7001, 7002]" in evidence.problem
    assert not any(str(7000 + number) in evidence.problem for number in range(4, 10))


async def test_a_spy_that_waits_for_the_second_round_says_nothing(place: Trials) -> None:
    """The second round is the other way round."""
    text = "def f(x: int) -> str:\n    return 'b'"
    calls = await place.record(text, [{"x": 7000 + number} for number in range(10)])
    spy = "SEEN = []\ndef f(x: int) -> str:\n    SEEN.append(x)\n    return str(SEEN) if x == 7000 and len(SEEN) > 1 else 'b'"
    evidence = await place.examine(text, spy, calls)
    assert (evidence.verdict, differing(evidence)) == ("differs", {"shown": 1, "held_back": 0})
    assert "answers 1 calls otherwise when they come again" in evidence.problem
    assert "70" not in evidence.problem


async def test_what_keeps_state_from_call_to_call_differs(place: Trials) -> None:
    """A cache with the wrong key."""
    text = "def f(x: int, y: int) -> int:\n    return x * y"
    cache = "KEPT = {}\ndef f(x: int, y: int) -> int:\n    return KEPT.setdefault(x, x * y)"
    calls = await place.record(text, [{"x": x, "y": y} for y in (1, 2) for x in range(1, 5)])
    evidence = await place.examine(text, cache, calls)
    assert (evidence.verdict, differing(evidence)) == ("differs", {"shown": 0, "held_back": 4})


@pytest.mark.parametrize(
    ("body", "verdict", "got"),
    [
        ("while x == 1: pass\n    return x + 1", "timeout", "no answer in time"),
        ("return chained() if x == 1 else x + 1", "differs", "the end of its process"),
        ("return 'y' * 1000000 if x == 1 else x + 1", "differs", "too long to be compared"),
        ("return 'y' * 2000000 if x == 1 else x + 1", "differs", "ResultError"),
        ("return [0] * 10 ** 9 if x == 1 else x + 1", "differs", "MemoryError"),
        ("return 1 / 0 if x == 1 else x + 1", "differs", "ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
async def test_what_a_candidate_can_do_to_its_worker(
    place: Trials, body: str, verdict: str, got: str
) -> None:
    """After a deadline or the end of the process no other call is run."""
    calls = await place.record(PLUS, numbered(8))
    chained = "import itertools\ndef chained():\n    it = iter(())\n    for _ in range(300000): it = itertools.chain(it)\n    return next(it)\n"
    evidence = await place.examine(PLUS, f"{chained}def f(x: int) -> int:\n    {body}", calls)
    assert (evidence.verdict, differing(evidence)) == (verdict, {"shown": 1, "held_back": 0})
    assert f'The call {{"x":1}} gives {got}' in evidence.problem or got in evidence.problem
    stopped = got in ("no answer in time", "the end of its process")
    assert orjson.loads(orjson.dumps(evidence.facts))["calls"]["not_run"] == (6 if stopped else 0)


@pytest.mark.parametrize(
    ("text", "verdict", "said"),
    [
        ("import os\ndef f(x: int) -> int: return x", "policy_refused", "os"),
        ("def f(x: int) -> int: return (", "module_failed", "SyntaxError"),
        ("1 / 0", "module_failed", "ZeroDivisionError"),
        ("def g(x: int) -> int: return x", "module_failed", "no function f"),
        ("def f(x: int, y: int = 1) -> int: return x + 1", "signature_changed", "the parameters are (x, y)"),
        ("def f(x: str) -> int: return 1", "signature_changed", "schema of parameter x"),
    ],
)  # fmt: skip
async def test_what_is_never_replayed(place: Trials, text: str, verdict: str, said: str) -> None:
    calls = await place.record(PLUS, numbered(8))
    evidence = await place.examine(PLUS, text, calls)
    assert evidence.verdict == verdict
    assert said in evidence.problem
    if verdict == "policy_refused":
        assert evidence.facts == {"refusal": {"rule": "import", "line": 1, "column": 8}}


async def test_too_few_calls(place: Trials) -> None:
    """Nothing is run: the candidate would be refused."""
    evidence = await place.examine(PLUS, "import os", await place.record(PLUS, numbered(3)))
    assert evidence.verdict == "too_few_calls"


async def test_a_failure_is_mended_or_keeps_its_type(place: Trials) -> None:
    calls = await place.record(KEYED, numbered(6))
    mended = KEYED.replace("[x]", ".get(x, 0)")
    other = "def f(x: int) -> int:\n    try:\n        return {0: 7, 1: 8, 2: 9, 4: 5}[x]\n    except KeyError:\n        raise ValueError from None"
    assert (await place.examine(KEYED, mended, calls, "latency")).verdict == "differs"
    assert (await place.examine(KEYED, other, calls, "errors")).verdict == "differs"
    case = Case(b'{"x": 9}', b"1")
    assert (await place.examine(KEYED, mended, calls, "errors", [case])).verdict == "case_differs"
    evidence = await place.examine(KEYED, mended, calls, "errors", [replace(case, result=b"0")])
    assert (evidence.verdict, evidence.reason.partition(";")[0]) == (
        "admitted",
        "6 calls agree, 2 of them mended",
    )


async def test_a_call_that_never_ended_may_be_answered(place: Trials) -> None:
    """Under either goal; the live version goes on in another worker."""
    endless = "def f(x: int) -> int:\n    while x == 1: pass\n    return x + 1"
    calls = await place.record(endless, numbered(6), seconds=0.4)
    assert [call.error for call in calls][:3] == [None, "TimeoutError", None]
    evidence = await place.examine(endless, PLUS, calls)
    assert (evidence.verdict, evidence.reason.partition(";")[0]) == (
        "admitted",
        "6 calls agree, 1 of them mended",
    )


@pytest.mark.parametrize(
    "text",
    [
        "N = []\ndef f(x: int) -> int:\n    N.append(x)\n    return len(N)",
        "import random\ndef f(x: int) -> float:\n    return random.random()",
    ],
)
async def test_what_answers_otherwise_each_time_is_unrepeatable(place: Trials, text: str) -> None:
    """A counter answers alike when all comes in the same order from the beginning, and only then."""
    evidence = await place.examine(text, text + "\n", await place.record(text, numbered(9)))
    assert (evidence.verdict, evidence.facts["differences"]) == ("unrepeatable", [])


@pytest.mark.parametrize("answered", [1, 5])
async def test_what_is_left_must_show_something(place: Trials, answered: int) -> None:
    """Calls that failed of something that has gone are left out, and what then is left is little, or was all
    shown to the model: a table of that is right for all of it, and wrong for every other."""
    live = PLUS.replace("return", "for _ in range(20000): pass\n    return")
    known = await place.record(live, numbered(answered))
    gone = [replace(known[0], body=b'{"x": %d}' % n, value=None, error="MemoryError") for n in range(9, 18)]
    samples = Samples(known, tuple(gone))
    table = {n: n + 1 for n in range(answered)}
    learned = f"def f(x: int) -> int:\n    return {table}.get(x, 0)"
    rewrite = Rewrite(await place.load(live), source_of(learned.encode()), samples, (), "errors")
    evidence = await Examiner(place.functions, 5).examine(rewrite, Spent())
    assert evidence.verdict == "unrepeatable", evidence.reason


async def test_cases_are_measured_by_the_live_version(place: Trials) -> None:
    """Those that it does not take, repeat or finish are left out, whatever the model expects."""
    live = "import random\ndef f(x: int) -> float:\n    while x == 99: pass\n    return random.random() if x == 50 else abs(x)"
    calls = await place.record(live, numbered(6))
    cases = [
        Case(b'{"y": 1}', b"1"),
        Case(b"[", b"1"),
        Case(b'{"x": 50}'),
        Case(b'{"x": -3}', b"-3"),
        Case(b'{"x": 99}', b"1"),
    ]
    evidence = await place.examine(live, "def f(x: int) -> float:\n    return x", calls, cases=cases)
    assert (evidence.verdict, evidence.facts["cases"]) == (
        "case_differs", {"given": 5, "compared": 1, "differing": 1},
    )  # fmt: skip
    assert 'The case {"x": -3} gives -3, expected 3.' in evidence.problem


async def test_an_examination_that_does_not_end_in_time(place: Trials) -> None:
    late = "def f(x: int) -> int:\n    for _ in range(5000000): pass\n    return x + 1"
    calls = await place.record(PLUS, numbered(8))
    samples = Samples(tuple(calls[:4]), tuple(calls[4:]))
    rewrite = Rewrite(await place.load(PLUS), source_of(late.encode()), samples, (), "latency")
    began = time.monotonic()
    evidence = await Examiner(place.functions, 4, seconds=0.3).examine(rewrite, Spent())
    assert (evidence.verdict, evidence.problem) == ("timeout", "the examination did not end in time")
    assert time.monotonic() - began < 5


async def ask(place: Trials, text: str, *seconds: float, go_on: bool = True) -> list[str]:
    """What free Python answers to a call for each of these, which is its argument and its deadline."""
    replayer = Replayer(place.functions.contracts, NAME, 5.0)
    asked = [Question(None, orjson.dumps({"x": each}), each, go_on) for each in seconds]
    replies = await replayer.replay(module_of(text), asked, time.monotonic() + 20, Spent())
    return [reply.error or (reply.value or b"").decode() for reply in replies]


async def test_a_trial_has_an_empty_directory(place: Trials) -> None:
    """Without a policy, too. The control: the contract's own worker sees what it has."""
    look = "import os\ndef f(x: float = 1.0) -> list[str]:\n    return os.listdir('/')"
    contract, module = Contract("ab" * 20), module_of(look)
    home = place.uploads / "results" / contract.visible_pixel_hash
    home.mkdir(parents=True)
    (home / "secret").touch()
    seen, _ = await place.functions.contracts.call(
        contract, module, Invocation(module.digest, NAME), time.monotonic() + 5, Spent()
    )
    assert seen == b'["secret"]'
    assert await ask(place, look, 1.0) == ["[]"]


async def test_replaying_goes_on_in_another_worker(place: Trials) -> None:
    """Where it is to; and in the same one as long as that lives."""
    text = "import os, time\nN = []\ndef f(x: float):\n    N.append(x)\n    if x == 0.25: time.sleep(30)\n    if x == 0.5: os._exit(1)\n    return len(N)"
    assert await ask(place, text, 1, 1, 0.25, 1, 1, 0.5, 1) == ["1", "2", "TimeoutError", "1", "2", "ProcessEnded", "1"]  # fmt: skip
    assert await ask(place, text, 1, 0.5, 1, 1, go_on=False) == ["1", "ProcessEnded"]
    assert await ask(place, "import os\nos._exit(1)", 1, 1) == ["ProcessEnded", "ProcessEnded"]


async def test_time_for_all_of_it(place: Trials) -> None:
    replayer = Replayer(place.functions.contracts, NAME, 5.0)
    asked = [Question(None, b'{"x": 1}', 30.0)]
    endless = module_of("def f(x):\n    while True: pass")
    with pytest.raises(OutOfTime):
        await replayer.replay(endless, asked, time.monotonic() + 0.4, Spent())


async def test_so_many_are_tried_at_once(place: Trials) -> None:
    """And a trial that is over leaves its place, and no descriptor."""
    contracts = place.functions.contracts
    await ask(place, PLUS.replace("int", "float"), 1)
    before = await descriptors(place)
    async with AsyncExitStack() as stack:
        for _ in range(TRIALS):
            await stack.enter_async_context(contracts.trial(time.monotonic() + 5))
        with pytest.raises(QueueTimeout):
            async with contracts.trial(time.monotonic() + 0.1):
                pass
    assert await ask(place, PLUS.replace("int", "float"), 1) == ["2.0"]
    assert await descriptors(place) <= before


async def descriptors(place: Trials) -> int:
    """That this process has open when as many workers as are kept ready are ready."""
    figures = place.functions.contracts.workers.figures
    await until(lambda: (figures()["idle"], figures()["starting"]) == (SPARE_WORKERS, 0), "workers at rest")
    return len(os.listdir("/proc/self/fd"))


async def test_calls_come_with_a_query_too(place: Trials) -> None:
    """Text is converted as it was."""
    function = await place.load(PLUS)
    calls = [
        RecordedCall(function.digest, {"x": str(n)}, None, b"%d" % (n + 1), None, 0.0, n) for n in range(6)
    ]
    evidence = await place.examine(PLUS, PLUS.replace("x + 1", "x"), calls)
    assert (evidence.verdict, differing(evidence)) == ("differs", {"shown": 3, "held_back": 3})
    assert '?{"x":"0"} gives 0, expected 1.' in evidence.problem
