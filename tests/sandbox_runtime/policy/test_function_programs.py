"""Ordinary modules are admitted as they are, and do under the policy's own builtins what they do without."""

from __future__ import annotations

import builtins

import pytest

from tests.sandbox_runtime.policy.function_cases import assert_function_allowed, evaluate, loaded
from tests.sandbox_runtime.policy.function_corpus import classes, data, encodings, graphs, money, text

MODULES = {
    name: row
    for part in (data, money, text, encodings, graphs, classes)
    for name, row in part.MODULES.items()
}


@pytest.mark.parametrize("name", MODULES)
def test_ordinary_module_is_admitted_and_runs(name: str) -> None:
    source, calls = MODULES[name]
    assert_function_allowed(source)
    with loaded(source) as namespace:
        assert {call: evaluate(call, namespace) for call in calls} == calls


@pytest.mark.parametrize("name", MODULES)
def test_control_it_returns_the_same_under_the_whole_of_python(name: str) -> None:
    source, calls = MODULES[name]
    with loaded(source, dict(vars(builtins))) as namespace:
        assert {call: evaluate(call, namespace) for call in calls} == calls


def test_there_are_enough_of_them() -> None:
    assert len(MODULES) >= 40
    assert all(calls for _, calls in MODULES.values())
