"""Hostile sources of eight times the length cost about eight times the work, not sixty-four times.

CPU time of this process, as a ratio within one run. The f-strings of Python 3.11 are left out: its parser
itself is quadratic in the number of fields, which is one more reason to judge under a CPU limit.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable

import pytest

from sandbox_runtime.policy import findings, judge
from tests.sandbox_runtime.policy.policy_cases import CAP, PLAN, verdict_on

FACTOR = 8
ATTEMPTS = 4
BETWEEN = 24  # between FACTOR, which is linear, and its square


def seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def assert_linear(action: Callable[[str], object], unit: str, count: int) -> None:
    action(unit * 100)  # what is paid once
    ratios: list[float] = []
    while len(ratios) < ATTEMPTS:  # a busy machine spoils one of them, the square spoils all
        small = min(seconds(lambda: action(unit * count)) for _ in range(2))
        ratios.append(seconds(lambda: action(unit * count * FACTOR)) / small)
        if ratios[-1] < BETWEEN:
            return
    pytest.fail(f"{FACTOR} times the length cost {ratios} times the work")


@pytest.mark.parametrize(
    ("unit", "count"),
    [
        pytest.param("a.__b;", 2_500, id="violations on one line"),
        pytest.param("é.__b\n", 2_500, id="violations on many lines"),
        pytest.param("import socket\n", 2_500, id="imports"),
        pytest.param("a.b.c.d.e.f.g.h.i.j.k.l;", 1_000, id="attributes"),
    ],
)
def test_judge_is_linear(unit: str, count: int) -> None:
    assert_linear(verdict_on, unit, count)


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("global {}", id="one declaration"),
        pytest.param("f({})", id="arguments of one call"),
        pytest.param("x = __y, {}", id="one tuple"),
    ],
)
def test_judge_is_linear_in_one_node(template: str) -> None:
    assert_linear(lambda items: verdict_on(template.format(items + "z")), "a, ", 10_000)


def test_judge_is_linear_in_one_identifier() -> None:
    assert_linear(lambda name: verdict_on(f"x.__{name}"), "abc", 20_000)


@pytest.mark.parametrize(
    ("unit", "count"),
    [
        pytest.param("import socket\n", 2_500, id="imports"),
        pytest.param("import multiprocessing\nmultiprocessing.x\n", 1_500, id="imports and uses"),
        pytest.param("a" + ".b" * 200 + "\n", 60, id="long chains"),
        pytest.param("a()" + "().__subclasses__" * 50 + "\n", 100, id="chains of calls"),
        pytest.param("while True: x = 1\n", 1_500, id="endless loops"),
        pytest.param("for x in os.listdir(): x.unlink()\n", 1_500, id="deletions"),
        pytest.param("open('/a'); eval(x)\n", 1_500, id="calls"),
    ],
)
def test_findings_are_linear(unit: str, count: int) -> None:
    assert_linear(lambda source: findings(ast.parse(source)), unit, count)


@pytest.mark.parametrize(
    ("unit", "count"),
    [
        pytest.param("x = ctx['a']\n", 2_500, id="assignments"),
        pytest.param("REPLY = 1 if ctx else 2\n", 1_500, id="replies"),
        pytest.param("for x in ctx:\n  if x: break\nelse: y = 1\n", 1_000, id="loops with ways out"),
        pytest.param("match ctx:\n  case 1: x = 1\n  case y: pass\n", 1_000, id="matches"),
        pytest.param("y = 'a/b/c', 'value', 12345\n", 1_500, id="constants"),
        pytest.param("print(ctx)\n", 2_500, id="violations"),
    ],
)
def test_judging_a_plan_is_linear(unit: str, count: int) -> None:
    values = {"a": ["some value", 54321, "a/b"], "b": {"c": 1.5}}
    assert_linear(lambda text: judge(f"{text}REPLY = 0", PLAN, max_bytes=CAP, values=values), unit, count)


def test_judging_a_plan_is_linear_in_its_elif_parts() -> None:
    assert_linear(
        lambda text: judge(f"if ctx: REPLY = 0\n{text}else: REPLY = 0", PLAN, max_bytes=CAP),
        "elif plan: REPLY = 1\n",
        100,
    )


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda n: n, id="integers"),
        pytest.param(lambda n: n * ((1 << 61) - 1), id="integers with one hash"),
        pytest.param(lambda n: n / 8, id="fractions"),
        pytest.param(lambda n: f"text {n}", id="texts"),
        pytest.param(lambda n: [[{"a": str(n)}]], id="nested"),
    ],
)
def test_judging_a_plan_is_linear_in_the_values(value: Callable[[int], object]) -> None:
    small, large = ([value(n) for n in range(2_000 * factor)] for factor in (1, FACTOR))

    def cost(values: object) -> float:
        return seconds(lambda: judge("REPLY = 'x', 5", PLAN, max_bytes=CAP, values=values))

    assert cost(large) / min(cost(small), cost(small)) < BETWEEN
