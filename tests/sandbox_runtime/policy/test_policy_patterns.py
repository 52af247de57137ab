"""Match statements, f-strings and t-strings under ``restricted``."""

from __future__ import annotations

import pytest

from tests.sandbox_runtime.policy.policy_cases import assert_allowed, assert_refused, since_3_14


@pytest.mark.parametrize(
    ("marked", "rule"),
    [
        pytest.param("match data:\n  case $str(): pass", "node", id="class pattern"),
        pytest.param("match data:\n  case $int(x): pass", "node", id="positional class pattern"),
        pytest.param("match data:\n  case $object(gi_frame=f): pass", "node", id="attribute by keyword"),
        pytest.param("match data:\n  case [$Exception(args=a)]: pass", "node", id="nested class pattern"),
        pytest.param(
            "match data:\n  case {'a': $int() | None}: pass", "node", id="class pattern in a mapping"
        ),
        pytest.param("match data:\n  case data.$__class__: pass", "underscore", id="value pattern"),
        pytest.param("match data:\n  case data.$foo: pass", "attribute", id="attribute"),
        pytest.param("match data:\n  case {data.$__class__: 1}: pass", "underscore", id="mapping key"),
        pytest.param("match data:\n  case x if $open: pass", "name", id="guard"),
        pytest.param("match $open:\n  case x: pass", "name", id="subject"),
        pytest.param("f'{$open}'", "name", id="f-string"),
        pytest.param("$t'{open}'", "node", id="t-string", marks=since_3_14),
    ],
)
def test_refused(marked: str, rule: str) -> None:
    assert_refused(marked, rule)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("match data:\n  case 1 | -2 | 'a' | b'c' | None | True | 1+2j: pass", id="literals"),
        pytest.param("match data:\n  case [1, [x, *rest], _] as whole if x: pass", id="sequences"),
        pytest.param("match data:\n  case {'a': x, 'b': {'c': y}, **rest}: pass", id="mappings"),
        pytest.param("f'{data!r:>{len(data)}} {data=} {{}} {data:%Y}'", id="f-string"),
    ],
)
def test_allowed(source: str) -> None:
    assert_allowed(source)
