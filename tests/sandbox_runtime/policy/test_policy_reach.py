"""How far an accepted ``restricted`` program reaches: roads that lead nowhere, a sweep over every type."""

from __future__ import annotations

import builtins
import types
from collections.abc import Iterator

import pytest

from sandbox_runtime.policy import restricted_builtins
from sandbox_runtime.policy.attribute_names import ATTRIBUTES, REFUSED_ATTRIBUTES, REFUSED_PREFIXES
from tests.sandbox_runtime.policy.policy_cases import is_prize, run

# Accepted, and tried for the reason given: what they come to is exactly this.
HARMLESS_ROADS = [
    pytest.param("print(1, file=len)", "AttributeError", id="print calls write of its file"),
    pytest.param("print(1, **{'file': data})", "AttributeError", id="file among double star arguments"),
    pytest.param("sorted(data + [1], key=len)", "TypeError", id="key function"),
    pytest.param("'%(__class__)s' % {'a': 1}", "KeyError", id="percent format takes keys, not attributes"),
    pytest.param("'{}' % ()", None, id="braces mean nothing to percent"),
    pytest.param("format(data, '__class__')", "TypeError", id="format specification is no template"),
    pytest.param("next(iter(lambda: 1, 1))", "StopIteration", id="callable iterator"),
    pytest.param("b'a'.decode('os')", "LookupError", id="codec name is no module name"),
    pytest.param("b'a'.decode('../os')", "LookupError", id="codec name is no path"),
    pytest.param("raise len", "TypeError", id="raise of a function"),
    pytest.param("isinstance(1, (lambda: 1))", "TypeError", id="isinstance against a function"),
    pytest.param("len = 1\ndef f(): return len\nresult = f() == 1", None, id="rebinding a builtin"),
    pytest.param("def f(open): return open\nopen('x')", "NameError", id="bound in another scope"),
    pytest.param("[0 for open in data]\nopen('x')", "NameError", id="bound in a comprehension"),
    pytest.param("open = 1\ndel open\nopen('x')", "NameError", id="bound and deleted"),
    pytest.param("if data: eval = 1\neval('1')", "NameError", id="bound on a path not taken"),
    pytest.param("dict(int=1)['int'].append", "AttributeError", id="no such attribute"),
    pytest.param("int.real.real", "AttributeError", id="descriptor"),
    pytest.param("list[int].copy([1]); dict[str, int].fromkeys('a')", None, id="generic aliases"),
    pytest.param("for x in int | str: pass", "TypeError", id="union type"),
    pytest.param(
        "match data:\n  case {'__class__': x}: raise ValueError", None, id="mapping pattern takes keys"
    ),
    pytest.param("match 'ab':\n  case [*x]: raise ValueError", None, id="text is no sequence pattern"),
    pytest.param("[].index(1)", "ValueError", id="method error"),
    pytest.param("OSError(2, 'a', 'b').filename.index('z')", "ValueError", id="os error"),
]


@pytest.mark.parametrize(("source", "error"), HARMLESS_ROADS)
def test_accepted_and_leads_nowhere(source: str, error: str | None) -> None:
    if error is None:
        run(source, [])
        return
    with pytest.raises(getattr(builtins, error)):
        run(source, [])


def _samples() -> Iterator[object]:
    """One of everything a restricted program can hold, as far as types go."""
    yield from restricted_builtins().values()
    yield from run(
        """
        def f(x): return x
        g = (x for x in [1])
        views = [{1: 2}.keys(), {1: 2}.values(), {1: 2}.items()]
        iterators = [iter(x) for x in ('a', b'a', [1], (1,), {1}, {1: 2}, range(3), *views)]
        lazy = [map(f, [1]), filter(f, [1]), zip([1]), enumerate([1]), reversed([1]), iter(f, 2)]
        plain = [1, 1.5, 1j, True, None, ..., 'a', b'a', [1], (1,), {1}, frozenset([1]), {1: 2}, slice(1)]
        types = [list[int], int | str]
        errors = [ValueError(1), KeyError(1), StopIteration(f), OSError(2, 'a'), NameError(name='n')]
        errors.append(AttributeError(name='n', obj=f))
        try: bytes([255]).decode()
        except UnicodeError as e: errors.append(e)
        result = [f, lambda: 1, g, range(3), *views, *iterators, *lazy, *plain, *types, *errors]
        """
    )["result"]  # type: ignore[misc]  # a list, as the program above says


def test_no_allowed_attribute_leads_to_anything_internal() -> None:
    assert _prizes_within_reach(ATTRIBUTES) == []


@pytest.mark.parametrize("name", ["mro", "mapping", "gi_code"])
def test_control_one_attribute_more_and_the_sweep_finds_a_prize(name: str) -> None:
    assert _prizes_within_reach(ATTRIBUTES | {name})


def _prizes_within_reach(attributes: frozenset[str]) -> list[object]:
    """Every attribute of everything, then of what that gave, read and called, three steps far."""
    reached = list(_samples())
    assert len(reached) > 100
    prizes: list[object] = []
    for _ in range(3):
        reached = [part for value in reached for found in _steps(value, attributes) for part in _parts(found)]
        prizes.extend(value for value in reached if is_prize(value) and not _is_method(value))
        # One of each type and name is enough to go on with.
        reached = list({(type(v), getattr(v, "__name__", "")): v for v in reached}.values())
    return prizes


def _steps(value: object, attributes: frozenset[str]) -> Iterator[object]:
    for name in sorted(attributes):
        try:
            found = getattr(value, name)
        except AttributeError:
            continue
        yield found
        if callable(found):
            try:
                yield found()
            except (TypeError, ValueError, LookupError, StopIteration, AttributeError):
                continue


def _parts(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif isinstance(value, dict):
        yield from [*value, *value.values()]


def _is_method(value: object) -> bool:
    """A method of an object the program has; a builtin function proper belongs to a module."""
    owner = getattr(value, "__self__", None)
    return isinstance(value, types.BuiltinFunctionType) and not isinstance(owner, types.ModuleType)


def test_every_public_attribute_of_what_a_program_can_hold_is_sorted() -> None:
    """A later Python's new attribute is refused, and fails here until somebody has looked at it."""
    for value in _samples():
        for name in type(value).__dir__(value):
            if not name.startswith("_"):
                known = (
                    name in ATTRIBUTES or name in REFUSED_ATTRIBUTES or name.startswith((*REFUSED_PREFIXES,))
                )
                assert known, (type(value), name)


def test_no_attribute_is_both_allowed_and_refused() -> None:
    assert ATTRIBUTES.isdisjoint(REFUSED_ATTRIBUTES)
    assert not [name for name in ATTRIBUTES if name.startswith(("_", *REFUSED_PREFIXES))]


def test_restricted_builtins_are_fresh_each_time() -> None:
    first = restricted_builtins()
    first.clear()
    assert "print" in restricted_builtins()
    assert not [name for name in restricted_builtins() if name.startswith("_")]
