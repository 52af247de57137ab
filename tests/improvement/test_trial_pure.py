"""What of an examination is decided without a worker: samples, equality of JSON, times, the verdict."""

from __future__ import annotations

import itertools
import json
import math
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime import wire
from service.functions.recorded_call import RecordedCall
from service.improvement.trial.comparing import canonical, same
from service.improvement.trial.examiner import affordable
from service.improvement.trial.facts import Difference, problem_of
from service.improvement.trial.replies import Reply, case_relation, relation, repeats
from service.improvement.trial.samples import (
    MAX_HELD_BACK,
    MAX_SHOWN,
    MAX_SHOWN_EACH,
    MAX_SHOWN_TOGETHER,
    choose,
    size_of,
)
from service.improvement.trial.signatures import signature_change
from service.improvement.trial.times import Times, chance, percentile, times_of
from service.improvement.trial.values import Case, Goal, Samples
from service.improvement.trial.verdict import Counts, decide

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=6,
)
SMALL = VALUES.filter(lambda value: len(json.dumps(value)) < 200)


def text_of(value: Any, **options: Any) -> bytes:
    return json.dumps(value, **options).encode("utf-8", "surrogatepass")


def alike(one: Any, other: Any) -> bool:
    """The definition: kinds and values, the order of members apart."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def shuffled(value: Any, draw: random.Random) -> Any:
    """The same with members in another order."""
    if isinstance(value, dict):
        names = list(value)
        draw.shuffle(names)
        return {name: shuffled(value[name], draw) for name in names}
    return [shuffled(item, draw) for item in value] if isinstance(value, list) else value


@given(VALUES, st.randoms(use_true_random=False))
def test_order_spaces_and_escapes_change_nothing(value: Any, draw: random.Random) -> None:
    other = text_of(shuffled(value, draw), indent=1)
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    assert same(text_of(value), other)
    assert same(other, text_of(value))
    if not any(0xD800 <= ord(letter) < 0xE000 for letter in str(value)):
        assert same(plain, other)


@given(SMALL, SMALL)
def test_equal_is_what_is_equal_by_kind_and_value(one: Any, other: Any) -> None:
    assert same(text_of(one), text_of(other)) == alike(one, other)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (b"1", b"1.0", False),
        (b"1", b"true", False),
        (b"0", b"false", False),
        (b"1.0", b"1e0", True),
        (b"1E+2", b"100.0", True),
        (b"0", b"-0", True),
        (b"0.0", b"-0.0", True),
        (b"0.1", b"0.1000000000000000055", True),
        (b"18446744073709551616", b"18446744073709551617", False),
        (b"-9007199254740993", b"-9007199254740992", False),
        (b"9" * 5000, b"9" * 5000 + b" ", True),
        (b"9" * 5000, b"9" * 4999 + b"8", False),
        (b"1" + b"0" * 400, b"1e400", False),
        (b"1e400", b"1e500", False),
        (b'{"a": 1, "a": 2}', b'{"a": 2}', True),
        (b'{"a": 1, "\\u0061": 2}', b'{"a": 2}', True),
        (b'{"a": 1, "a": 2}', b'{"a": 1}', False),
        (b'{"a": 1, "b": 2}', b'{"b": 1, "a": 2}', False),
        (b"[1, 2]", b"[2, 1]", False),
        (b"[[1], 2]", b"[[1, 2]]", False),
        (b"[]", b"{}", False),
        (b"[[], []]", b"[[[]]]", False),
        (b'""', b"[]", False),
        (b'"a,b"', b'"a", "b"', False),
        (b'"\\u00e9"', '"é"'.encode(), True),
        (b'"\\\\"', b'"\\""', False),
        (b'"1"', b"1", False),
        (b"null", b'"null"', False),
    ],
)
def test_values_that_are_nearly_equal(one: bytes, other: bytes, equal: bool) -> None:
    assert (same(one, other), same(other, one)) == (equal, equal)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 1000 + b"1" + b"]" * 1000,
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b"[" + b"9" * 200_000 + b"]",
        b"[" + b"1," * 60_000 + b"1]",
        b'"' + b"\\\\" * 60_000 + b'"',
        b"0." + b"9" * 100_000,
    ],
)
def test_what_may_be_sent_is_compared(text: bytes) -> None:
    """However deep and long: the wire lets it through, and it is equal to itself written otherwise."""
    wire.check_json(text)
    assert same(text, text.replace(b",", b", ") + b"\n")
    assert not same(text, b"[" + text + b"]")


@given(st.binary(max_size=40) | st.text('[]{}",:\\ 1-.e+', max_size=40).map(str.encode))
def test_no_text_is_too_strange(text: bytes) -> None:
    """Even what is no JSON, but for what begins as a number and is none."""
    try:
        wire.check_json(text)
    except wire.WireError:
        return
    assert canonical(text) == canonical(b" " + text + b" ")


def call(number: int, **members: Any) -> RecordedCall:
    usual: dict[str, Any] = {"digest": "d", "query": None, "body": b"{}", "value": b"1", "error": None}
    return RecordedCall(**{**usual, "run": 0.001, "time": float(number), **members})


CALLS = st.lists(
    st.builds(
        lambda x, big, failed, run, time: call(
            time,
            body=b'{"x": %d}' % x,
            value=None if failed else b"1" * big,
            error="ValueError" if failed else None,
            run=run,
        ),
        st.integers(0, 200),
        st.sampled_from([1, 1000, 1900, 3000]),
        st.booleans(),
        st.floats(0, 1),
        st.integers(0, 1000),
    ),
    max_size=250,
)


@given(CALLS, st.integers())
def test_samples_keep_their_bounds(calls: list[RecordedCall], seed: int) -> None:
    samples = choose(calls, random.Random(seed))
    distinct = {each.body for each in calls}
    both = samples.shown + samples.held_back
    assert len(samples.shown) <= min(MAX_SHOWN, len(distinct) // 2)
    assert len(samples.held_back) == min(MAX_HELD_BACK, len(distinct) - len(samples.shown))
    assert len({each.body for each in both}) == len(both)
    assert all(size_of(each) <= MAX_SHOWN_EACH for each in samples.shown)
    assert sum(map(size_of, samples.shown)) <= MAX_SHOWN_TOGETHER
    for group in (samples.shown, samples.held_back):
        assert [each.time for each in group] == sorted(each.time for each in group)
    for each in both:
        assert each.time == max(other.time for other in calls if other.body == each.body)


def test_arguments_are_equal_as_values_and_the_newest_stays() -> None:
    bodies = [b'{"a":1,"b":2}', b'{"b": 2, "a": 1}', b'{"a":1.0,"b":2}', None]
    calls = [call(number, body=body) for number, body in enumerate(bodies)]
    calls.append(call(9, body=None, query={"a": "1"}))
    samples = choose(calls, random.Random(1))
    assert {each.time for each in samples.shown + samples.held_back} == {1, 2, 3, 9}


def test_failures_and_slow_calls_are_shown_first() -> None:
    calls = [call(number, body=b'{"x":%d}' % number) for number in range(100)]
    calls += [call(200, body=b'{"x":200}', value=None, error="KeyError"), call(201, body=b'{"x":201}', run=2)]
    for seed in range(20):
        assert {200, 201} <= {each.time for each in choose(calls, random.Random(seed)).shown}
    chosen = [tuple(each.time for each in choose(calls, random.Random(seed)).shown) for seed in range(9)]
    assert len(set(chosen)) == 9


def test_calls_are_replayed_that_there_is_time_for() -> None:
    """Of both groups the newest; what is shown comes first."""
    shown = tuple(call(number, run=1.0) for number in range(4))
    held_back = tuple(call(number, run=1.0) for number in range(10, 60))
    found = affordable(Samples(shown, held_back), 8.0)
    assert [(each.group, each.call.time) for each in found] == [
        *(("shown", float(number)) for number in range(4)),
        *(("held_back", float(number)) for number in range(54, 60)),
    ]
    late = affordable(Samples((), tuple(call(n, run=8.0, error="TimeoutError") for n in range(9))), 8.0)
    assert [each.call.time for each in late] == [7, 8]


OK, OTHER = Reply("ok", b"1"), Reply("ok", b"2")
FAILED, LATE, ENDED = Reply("error", error="KeyError"), Reply("timeout"), Reply("ended")


@pytest.mark.parametrize(
    ("live", "mine", "mending", "strict"),
    [
        (OK, Reply("ok", b" 1"), "same", "same"),
        (OK, OTHER, "differs", "differs"),
        (OK, FAILED, "differs", "differs"),
        (OK, LATE, "timeout", "timeout"),
        (OK, ENDED, "differs", "differs"),
        (OK, Reply("long", b"1"), "differs", "differs"),
        (OK, Reply("wrong", error="wrong arguments"), "differs", "differs"),
        (FAILED, Reply("error", error="KeyError", said="else"), "same", "same"),
        (FAILED, Reply("error", error="ValueError"), "differs", "differs"),
        (FAILED, OK, "mended", "differs"),
        (FAILED, LATE, "timeout", "timeout"),
        (LATE, OK, "mended", "mended"),
        (LATE, LATE, "same", "same"),
        (LATE, FAILED, "differs", "differs"),
        (ENDED, OK, "mended", "mended"),
        (Reply("long", b"1"), Reply("long", b"1"), "differs", "differs"),
    ],
)
def test_how_two_replies_are_related(live: Reply, mine: Reply, mending: str, strict: str) -> None:
    assert relation(live, mine, mending=True) == mending
    assert relation(live, mine, mending=False) == strict


def test_a_case_that_failed_has_one_right_answer() -> None:
    assert case_relation(Case(b"{}", b"1"), FAILED, OK) == "mended"
    assert case_relation(Case(b"{}", b"1"), FAILED, OTHER) == "differs"
    assert case_relation(Case(b"{}"), FAILED, OK) == "differs"
    assert case_relation(Case(b"{}", b"2"), OK, OK) == "same"


def test_what_is_repeated() -> None:
    assert repeats(call(1), OK)
    assert not repeats(call(1), OTHER)
    assert not repeats(call(1), FAILED)
    failed = call(1, value=None, error="KeyError")
    assert repeats(failed, FAILED)
    assert not repeats(failed, OK)
    assert not repeats(failed, Reply("error", error="ValueError"))
    assert repeats(call(1, value=None, error="TimeoutError"), Reply("timeout", error="TimeoutError"))


SIGNATURE: dict[str, Any] = {
    "parameters": [
        {"name": "a", "kind": "either", "schema": {"type": "integer"}, "required": False, "default": 1}
    ],
    "returns": {"type": "integer"},
    "doc": "One.",
    "line": 3,
    "is_async": False,
}


def with_parameter(**members: Any) -> dict[str, Any]:
    return {**SIGNATURE, "parameters": [{**SIGNATURE["parameters"][0], **members}]}


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({**SIGNATURE, "doc": "Two.", "line": 9}, ""),
        ({**SIGNATURE, "is_async": True}, "is_async is true, expected false"),
        ({**SIGNATURE, "returns": {}}, 'returns is {}, expected {"type":"integer"}'),
        (with_parameter(default=True), "default of parameter a is true, expected 1"),
        (with_parameter(default=1.0), "default of parameter a is 1.0, expected 1"),
        (with_parameter(name="b"), "the parameters are (b), expected (a)"),
        ({**SIGNATURE, "parameters": []}, "the parameters are (), expected (a)"),
    ],
)
def test_what_has_changed_of_a_signature(after: dict[str, Any], said: str) -> None:
    assert signature_change(json.dumps(SIGNATURE), json.dumps(after)) == said


def brute(quick: list[int], slow: list[int]) -> float:
    """The same by looking at every way to label the times."""
    pooled = quick + slow

    def wrong(chosen: tuple[int, ...]) -> int:
        rest = [value for at, value in enumerate(pooled) if at not in chosen]
        return sum(pooled[at] >= other for at in chosen for other in rest)

    ways = list(itertools.combinations(range(len(pooled)), len(quick)))
    return sum(wrong(chosen) <= wrong(tuple(range(len(quick)))) for chosen in ways) / len(ways)


@given(st.permutations(range(9)), st.integers(1, 8))
def test_chance_is_the_part_of_all_orders(order: list[int], cut: int) -> None:
    assert math.isclose(chance(order[:cut], order[cut:]), brute(order[:cut], order[cut:]))


def test_times_are_the_quickest_of_each_call() -> None:
    times = times_of(
        [{0: 1.0, 1: 4.0, 2: 1.0}, {0: 2.0, 1: 3.0, 2: 1.0}], [{0: 0.5, 1: 9.0}, {0: 2.0, 1: 1.5}]
    )
    assert (times.live, times.mine) == ((1.0, 3.0), (0.5, 1.5))
    assert times.ratio == 0.5
    assert (times.live_rounds, times.mine_rounds) == ((5.0, 5.0), (6.5, 3.5))
    assert times_of([{}], [{1: 1.0}]).ratio is None
    assert [percentile([3.0, 1.0, 2.0], part) for part in (0.5, 0.95)] == [2.0, 3.0]
    assert percentile([], 0.5) is None


def clear(ratio: float) -> Times:
    """Ten rounds that differ by no chance."""
    return Times((1.0,), (ratio,), (1.0,) * 10, (ratio,) * 10)


COUNTS = st.builds(Counts, *[st.integers(0, 30)] * 10)
TIMES = st.floats(0.01, 3).map(clear) | st.just(Times())
GOALS = st.sampled_from(["errors", "latency"])


@given(COUNTS, TIMES, GOALS)
def test_what_is_admitted_has_nothing_against_it(counts: Counts, times: Times, goal: Goal) -> None:
    verdict = decide(counts, times, goal)
    bad = counts.differ + counts.late + counts.cases_differ + counts.cases_late
    assert verdict not in ("too_few_calls", "policy_refused", "module_failed", "signature_changed")
    if verdict == "admitted":
        assert bad == 0
        assert counts.compared > 0
        assert counts.compared - counts.shown >= counts.compared / 4
        assert times.ratio is None or times.ratio <= 1.1
        assert counts.mended or (times.ratio is not None and times.ratio <= 0.9)
        assert counts.answered_unrepeatable <= 0.2 * counts.answered
    elif verdict in ("slower", "no_gain"):
        assert bad == 0


@given(COUNTS, TIMES, GOALS, st.sampled_from(["differ", "late", "cases_differ", "cases_late"]))
def test_one_fault_more_admits_nothing(counts: Counts, times: Times, goal: Goal, what: str) -> None:
    worse = Counts(
        **{name: getattr(counts, name) for name in Counts.__slots__} | {what: getattr(counts, what) + 1}
    )
    assert decide(worse, times, goal) in ("unrepeatable", "timeout", "differs", "case_differs")


@pytest.mark.parametrize(
    ("counts", "times", "goal", "verdict"),
    [
        (Counts(10), clear(0.9), "latency", "admitted"),
        (Counts(10), clear(0.91), "latency", "no_gain"),
        (Counts(10), clear(1.0), "latency", "no_gain"),
        (Counts(10), clear(1.11), "latency", "slower"),
        (Counts(10), Times((1.0,), (0.5,), (1.0, 0.4) * 5, (0.5,) * 10), "latency", "no_gain"),
        (Counts(10), Times((1.0,), (2.0,), (1.0, 3.0) * 5, (2.0,) * 10), "latency", "no_gain"),
        (Counts(10), Times((1.0,), (0.5,), (1.0,) * 3, (0.5,) * 3), "latency", "admitted"),
        (Counts(10), clear(0.5), "errors", "admitted"),
        (Counts(10, 2, mended=1), clear(1.1), "errors", "admitted"),
        (Counts(10, 2, mended=1), clear(1.2), "errors", "slower"),
        (Counts(0, 2, mended=1), Times(), "errors", "admitted"),
        (Counts(10, answered_unrepeatable=2), clear(0.5), "latency", "admitted"),
        (Counts(10, answered_unrepeatable=3), clear(0.5), "latency", "unrepeatable"),
        (Counts(5, 5, 0, 3), clear(0.5), "latency", "unrepeatable"),
        (Counts(5, 5, 0, 4, mended=1), clear(1.0), "errors", "admitted"),
        (Counts(5, 5, 2, 0, mended=1), clear(1.0), "errors", "unrepeatable"),
        (Counts(0, 5, 0, 5), Times(), "errors", "unrepeatable"),
        (Counts(8, shown=6), clear(0.5), "latency", "admitted"),
        (Counts(8, shown=7), clear(0.5), "latency", "unrepeatable"),
        (Counts(10, late=1, differ=1), clear(0.5), "latency", "timeout"),
        (Counts(10, cases_differ=1, differ=1), clear(0.5), "latency", "differs"),
    ],
)
def test_verdicts(counts: Counts, times: Times, goal: Goal, verdict: str) -> None:
    assert decide(counts, times, goal) == verdict


def test_a_problem_quotes_nothing_that_is_held_back() -> None:
    def secret(number: int) -> Reply:
        return Reply("ok", b'"secret %d"' % number)

    hidden = call(1, body=b'{"x":"secret"}')
    plain = call(1, body=b'{"x":"plain"}')
    told = problem_of(
        [
            Difference("held_back", hidden, secret(1), secret(2)),
            Difference("shown", plain, Reply("ok", b"1"), Reply("error", error="KeyError", said="'x'")),
            Difference("shown", plain, secret(3), secret(4), again=True),
            Difference("case", Case(b'{"x":2}'), LATE, OK),
        ]
    )
    assert "secret" not in told
    assert '{"x":"plain"} gives KeyError: \'x\', expected 1.' in told
    assert '{"x":2} gives 1, expected no answer in time.' in told
    assert "on 1 recorded calls that you were not shown" in told
    assert "answers 1 calls otherwise when they come again" in told


def test_query_and_body_are_told_apart() -> None:
    """The same names, as text and as JSON, are two calls."""
    calls = [call(1, query={"a": "1"}, body=None), call(2, query=None, body=orjson.dumps({"a": "1"}))]
    assert len(choose(calls, random.Random(1)).held_back) == 1
