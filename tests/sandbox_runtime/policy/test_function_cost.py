"""Judging a module of functions is linear too, in what the further rules look at."""

from __future__ import annotations

import pytest

from tests.sandbox_runtime.policy.function_cases import FUNCTION
from tests.sandbox_runtime.policy.policy_cases import verdict_on
from tests.sandbox_runtime.policy.test_policy_cost import assert_linear


@pytest.mark.parametrize(
    ("unit", "count"),
    [
        pytest.param("import math\nmath.pi\n", 800, id="imports and uses"),
        pytest.param("a" + ".b" * 200 + "\n", 15, id="long chains"),
        pytest.param("'{a.b}'.format(a)\n", 800, id="templates"),
        pytest.param("T.format(a)\n", 1_200, id="uses of one template"),
        pytest.param("a.__class__ is b.__class__\n", 800, id="comparisons of classes"),
        pytest.param("class A(B):\n  def __init__(self): self._x = 1\n", 500, id="classes"),
        pytest.param("getattr(a, 'b', type(c))\n", 800, id="calls"),
        pytest.param("match a:\n  case B(c=1, _d=2): pass\n", 500, id="class patterns"),
        pytest.param("x._y\n", 1_200, id="violations"),
    ],
)
def test_judging_a_module_is_linear(unit: str, count: int) -> None:
    template = "T = '" + "{a.b}" * 50 + "'\n"
    assert_linear(lambda text: verdict_on(template + text, FUNCTION), unit, count)


def test_judging_a_module_is_linear_in_one_template() -> None:
    assert_linear(lambda text: verdict_on(f"T = '{text}'\nT.format(1)", FUNCTION), "{a[0].b:{c.d}}", 2_000)


def test_judging_a_module_is_linear_in_one_comparison() -> None:
    assert_linear(lambda text: verdict_on(f"{text} a", FUNCTION), "a.__class__ is ", 1_500)
