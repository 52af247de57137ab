"""Attempts of a plan to leave its names, or to leave something behind for the next request.

Each attack puts its prize in ``REPLY`` and is tried on a real store. The judge refuses it where the ``$``
stands; a control run without the judge, with a plan's own builtins in place, shows that the attack works.
"""

from __future__ import annotations

import builtins
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_runtime.policy import SESSION_METHODS, STORE_METHODS, plan_builtins
from sandbox_runtime.policy.plan_names import METHODS
from sandbox_runtime.store.connection import Connection
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.resource import ResourceStore
from sandbox_runtime.store.session_store import SessionStore
from tests.sandbox_runtime.policy.policy_cases import (
    PLAN,
    assert_refused,
    execute_plan,
    is_prize,
    make_response,
    run_plan,
    since_3_14,
    unmark,
    wide,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SessionDatabase]:
    """In a writing transaction, with one member."""
    opened = SessionDatabase(str(tmp_path / "data.db"), full_sync=False)
    opened.begin(write=True)
    opened.session_store.collection("members").insert({"name": "Alice"})
    yield opened
    opened.rollback()
    opened.close()


def given(database: SessionDatabase) -> dict[str, object]:
    session_store = database.session_store
    return {
        "ctx": {"method": "GET", "query": {}, "body_json": None},
        "plan": {"action": "get"},
        "store": session_store.collection("members"),
        "session_store": session_store,
    }


def is_loot(value: object) -> bool:
    return is_prize(value) or isinstance(value, SessionDatabase | Connection | types.FunctionType)


ESCAPES = [
    pytest.param("REPLY = store.$_database", "underscore", id="database"),
    pytest.param("REPLY = store.$_connection", "underscore", id="connection"),
    pytest.param("REPLY = session_store.$_database.connection", "underscore", id="connection of the session"),
    pytest.param("REPLY = store.$get.__func__", "attribute", id="function of a method"),
    pytest.param("REPLY = store.$get.__globals__", "attribute", id="globals of a method"),
    pytest.param("REPLY = make_response.$__globals__", "underscore", id="globals of the helper"),
    pytest.param("REPLY = make_response.$__builtins__", "underscore", id="builtins of the helper"),
    pytest.param("REPLY = make_response.$__code__", "underscore", id="code of the helper"),
    pytest.param("REPLY = store.$__class__", "underscore", id="class of the store"),
    pytest.param("REPLY = ctx.$__class__.__base__", "underscore", id="class of ctx"),
    pytest.param("REPLY = [].$append.__self__.__class__.__base__", "attribute", id="self of a method"),
    pytest.param("REPLY = len.$__self__", "underscore", id="module of a builtin"),
    pytest.param("REPLY = str.$mro()[-1]", "attribute", id="mro"),
    pytest.param("REPLY = dict[str, int].$mro()[-1]", "attribute", id="mro of a generic alias"),
    pytest.param("REPLY = ctx.keys().$mapping", "attribute", id="mapping of a view"),
    pytest.param("REPLY = (x for x in []).$gi_code", "attribute", id="code of a generator"),
    pytest.param(
        "walker = (walker.$gi_frame.f_back.f_back for x in [0])\nREPLY = next(walker)",
        "attribute",
        id="generator that looks at its own caller",
    ),
    pytest.param(
        "walker = (walker.$gi_frame.f_back.f_back.f_globals for x in [0])\n[REPLY] = walker",
        "attribute",
        id="globals of the runner",
    ),
    pytest.param("REPLY = '{0.__class__.__base__}'.$format('')", "attribute", id="format"),
    pytest.param("REPLY = '{a.__class__.__base__}'.$format_map({'a': ''})", "attribute", id="format_map"),
    pytest.param("f = '{0.__class__.__base__}'.$format\nREPLY = f('')", "attribute", id="format kept"),
    pytest.param(
        "REPLY = [*map(str.$format, ['{0.__class__.__base__}'], [1])][0]", "attribute", id="format mapped"
    ),
    pytest.param("REPLY = f'{str.$__base__}'", "underscore", id="inside an f-string"),
    pytest.param("REPLY = $t'{str.__base__}'.values[0]", "node", id="template string", marks=since_3_14),
    pytest.param(
        "match []:\n  case $list(__class__=found): REPLY = found.__base__", "node", id="class pattern"
    ),
    pytest.param("REPLY = $lambda: 0", "node", id="lambda"),
    pytest.param("$def REPLY(): pass", "node", id="function"),
    pytest.param(
        "$def f():\n  yield g.gi_frame.f_back\ng = f()\nREPLY = next(g)", "node", id="generator function"
    ),
    pytest.param("$async def f(): pass\nc = f()\nREPLY = c.cr_frame\nc.close()", "node", id="coroutine"),
    pytest.param("REPLY = ().$__class__.__base__.__subclasses__()[0]", "underscore", id="subclasses"),
    pytest.param(f"REPLY = ().$__{wide('c')}lass__.__base__", "underscore", id="in other letters"),
]


@pytest.mark.parametrize(("marked", "rule"), ESCAPES)
def test_escape_is_refused(marked: str, rule: str) -> None:
    assert_refused(marked, rule, PLAN)


@pytest.mark.parametrize(("marked", "rule"), ESCAPES)
def test_control_the_escape_works_without_the_judge(
    marked: str, rule: str, database: SessionDatabase
) -> None:
    loot = execute_plan(unmark(marked)[0], make_response=make_response, **given(database))
    assert is_loot(loot)


STATE = [
    pytest.param(
        "session_store.$seen = 1", "attribute-write", "session_store.seen", id="attribute of the session"
    ),
    pytest.param(
        "make_response.$seen = 1", "attribute-write", "make_response.seen", id="attribute of the helper"
    ),
    pytest.param(
        "make_response.$__defaults__ = (1, 1)",
        "underscore",
        "make_response(200)['body']",
        id="defaults of the helper",
    ),
    pytest.param(
        "make_response.$__globals__['SEEN'] = 1",
        "underscore",
        "make_response.__globals__['SEEN']",
        id="globals of the helper",
    ),
    pytest.param(
        "store.$name = 'others'", "attribute-write", "int(store.name == 'others')", id="name of the store"
    ),
    pytest.param(
        "$def f(seen=[1]): return seen\nmake_response.seen = f",
        "node",
        "make_response.seen()[0]",
        id="default of a function",
    ),
    pytest.param(
        "g = (x for x in [0, 1])\nnext(g)\nmake_response.$seen = g",
        "attribute-write",
        "next(make_response.seen)",
        id="generator half-way",
    ),
]


@pytest.mark.parametrize(("first", "rule", "second"), STATE)
def test_nothing_is_left_behind(first: str, rule: str, second: str) -> None:
    assert_refused(f"{first}\nREPLY = 0", rule, PLAN)


@pytest.mark.parametrize(("first", "rule", "second"), STATE)
def test_control_something_would_be_left_behind(
    first: str, rule: str, second: str, database: SessionDatabase
) -> None:
    helper = types.FunctionType(make_response.__code__, {"__builtins__": {}}, "helper", (None, None))
    names = {**given(database), "make_response": helper}
    execute_plan(unmark(first)[0], **names)
    assert execute_plan(f"REPLY = {second}", **names) == 1


@pytest.mark.parametrize(
    ("source", "reply"),
    [
        pytest.param("REPLY = f'{[].copy()}{{}}{1:>3}'", "[]{}  1", id="f-string"),
        pytest.param("REPLY = '{0.__class__}' + '%(__class__)s'", "{0.__class__}%(__class__)s", id="text"),
        pytest.param("x = (len, str)\nREPLY = [*map(*x[1:], [1])]", ["1"], id="functions as values"),
        pytest.param("REPLY = sorted(['bb', 'a'], key=len)", ["a", "bb"], id="key function"),
        pytest.param("list_ = list[int].copy([1])\nREPLY = list_", [1], id="generic alias"),
        pytest.param("REPLY = isinstance(1, int | str)", True, id="union"),
        pytest.param("ctx['x'] = 1\nREPLY = ctx['x']", 1, id="ctx is this run's own"),
        pytest.param("plan.clear()\nREPLY = plan", {}, id="plan is this run's own"),
    ],
)
def test_admitted_and_harmless(source: str, reply: object, database: SessionDatabase) -> None:
    assert run_plan(source, **given(database)) == reply


@pytest.mark.parametrize(
    ("source", "error"),
    [
        pytest.param("REPLY = [*map(store, [1])]", TypeError, id="store mapped"),
        pytest.param("REPLY = sorted([1], key=ctx)", TypeError, id="data as key function"),
        pytest.param("REPLY = store['_database']", TypeError, id="subscript of the store"),
        pytest.param("REPLY = [*store]", TypeError, id="unpacking the store"),
        pytest.param("REPLY = dict(session_store)", TypeError, id="dictionary of the session"),
        pytest.param("REPLY = {**store}", TypeError, id="store as a mapping"),
        pytest.param("REPLY = sum(1 for x in store)", TypeError, id="iterating the store"),
        pytest.param("REPLY = [y for y in [REPLY]]", NameError, id="read before it is assigned"),
        pytest.param("[0 for open in [1]]\nREPLY = open", NameError, id="bound in a comprehension"),
        pytest.param("REPLY = bytes('a', 'os')", LookupError, id="codec name is no module name"),
        pytest.param("REPLY = int('9' * 5000)", ValueError, id="digits"),
        pytest.param("REPLY = divmod('%9999d', 1)", TypeError, id="percent through divmod"),
        pytest.param("REPLY = f'{store:>9}'", TypeError, id="width of the store"),
    ],
)
def test_admitted_and_fails(source: str, error: type[Exception], database: SessionDatabase) -> None:
    with pytest.raises(error):
        run_plan(source, **given(database))


def test_methods_open_nothing_of_the_store_but_its_interface() -> None:
    """A new method of the store whose name text or lists have too would be open to plans: look at it."""
    assert {name for name in dir(ResourceStore) if name in METHODS} == STORE_METHODS
    assert {name for name in dir(SessionStore) if name in METHODS} == SESSION_METHODS


def _samples(names: dict[str, object]) -> list[object]:
    """One of everything that a plan can hold, as far as types go."""
    made = run_plan(
        """
        views = [{1: 2}.keys(), {1: 2}.values(), {1: 2}.items()]
        lazy = [map(str, [1]), filter(str, [1]), zip([1]), enumerate([1]), reversed([1]), (x for x in [1])]
        plain = [1, 1.5, 1j, True, None, ..., 'a', b'a', [1], (1,), {1}, frozenset([1]), {1: 2}, range(3)]
        REPLY = [list[int], int | str, *views, *lazy, *plain]
        """,
        **names,
    )
    assert isinstance(made, list)
    return [*made, *names.values(), make_response, *plan_builtins().values()]


ARGUMENTS: tuple[tuple[object, ...], ...] = ((), (1,), ("a",), ({},), ([],), (1, {}), ("", ""))


def _prizes_within_reach(methods: frozenset[str], names: dict[str, object]) -> list[object]:
    """Every method of everything, then of what that gave, called in several ways, two steps far."""
    reached = _samples(names)
    assert len(reached) > 50
    prizes: list[object] = []
    for _ in range(2):
        found = [result for value in reached for result in _results(value, methods)]
        prizes.extend(value for value in found if is_loot(value))
        # One of each type is enough to go on with.
        reached = list({type(value): value for value in found}.values())
    return prizes


def _results(value: object, methods: frozenset[str]) -> Iterator[object]:
    for name in sorted(methods):
        method = getattr(value, name, None)
        for arguments in ARGUMENTS if callable(method) else ():
            try:
                result = method(*arguments)  # type: ignore[misc]  # callable, as the line above says
            except Exception:  # noqa: BLE001, S112 - whatever a method says to the wrong arguments
                continue
            yield result
            if isinstance(result, list | tuple | set | frozenset):
                yield from result


def test_no_method_leads_out(database: SessionDatabase) -> None:
    assert _prizes_within_reach(METHODS, given(database)) == []


def test_control_one_method_more_and_the_sweep_finds_a_prize(database: SessionDatabase) -> None:
    assert object in _prizes_within_reach(METHODS | {"mro"}, given(database))


def test_plan_builtins_are_types_and_functions_of_no_module_but_builtins() -> None:
    for name, value in plan_builtins().items():
        assert value is getattr(builtins, name)
        assert getattr(value, "__module__", None) == "builtins"
