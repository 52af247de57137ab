"""Attributes: read, called, written and deleted, wherever an expression can hide one."""

from __future__ import annotations

import pytest

from tests.sandbox_runtime.policy.policy_cases import (
    assert_allowed,
    assert_refused,
    since_3_12,
    wide,
)

INSPECTION = (
    "gi_frame gi_code gi_yieldfrom gi_running gi_suspended cr_frame cr_code cr_await cr_origin "
    "ag_frame ag_code ag_await f_back f_builtins f_code f_globals f_lasti f_lineno f_locals f_trace "
    "f_generator tb_frame tb_next tb_lineno co_code co_consts co_names func_globals func_code "
    "mro with_traceback obj mapping send throw close"
)


@pytest.mark.parametrize("name", INSPECTION.split())
def test_inspection_attribute_is_refused_with_a_reason(name: str) -> None:
    verdict = assert_refused(f"x = data.${name}", "attribute")
    assert "it is not in the table" not in verdict.message
    assert_refused(f"data.${name}(1)", "attribute")


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("'{0.__class__}'.$format(1)", id="format"),
        pytest.param("'{a.__class__}'.$format_map({'a': 1})", id="format_map"),
        pytest.param("str.$format('{0.__class__}', 1)", id="unbound format"),
        pytest.param("f = 'x'.$format", id="format kept for later"),
        pytest.param("sorted(['{}'], key=str.$format)", id="format as key function"),
        pytest.param("print(*map(str.$format, data, data))", id="format mapped"),
        pytest.param(f"''.${wide('f')}ormat(1)", id="format not normalised"),
        pytest.param("[].$no_such_method()", id="unknown"),
        pytest.param("x.\\\n  $format", id="on another line"),
        pytest.param("x .  $format", id="after blanks"),
    ],
)
def test_attribute_outside_the_table_is_refused(marked: str) -> None:
    assert_refused(marked, "attribute")


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("data.$__class__", id="load"),
        pytest.param("data.$__class__.__base__.__subclasses__()", id="chain: the first"),
        pytest.param("data.$__class__ = 1", id="store"),
        pytest.param("del data.$__class__", id="delete"),
        pytest.param("data.$__class__ += 1", id="augmented"),
        pytest.param("data.$__class__: int = 1", id="annotated"),
        pytest.param("(x, data.$__class__) = data", id="unpacked into"),
        pytest.param("[*data.$__class__] = data", id="starred target"),
        pytest.param("for data.$__class__ in data: pass", id="loop target"),
        pytest.param("[0 for data.$__class__ in data]", id="comprehension target"),
        pytest.param("data.$_", id="lone underscore"),
        pytest.param(f"data.$__{wide('c')}lass__", id="not normalised"),
        pytest.param("é.$__class__", id="after a wide character"),
        pytest.param("'é' + data.$__class__", id="after a wide string"),
        pytest.param("f'{data.$__class__}'", id="f-string"),
        pytest.param("f'{data.$__class__!r:>10}'", id="f-string conversion"),
        pytest.param("f'{1:{data.$__class__}}'", id="format specification"),
        pytest.param("f'{data.$__class__=}'", id="f-string with equals sign"),
        pytest.param("f'''\n{data.$__class__}\n'''", id="multi-line f-string"),
        pytest.param("f'{f\"{data.$__class__}\"}'", id="nested f-string"),
        pytest.param("f'{f'{data.$__class__}'}'", id="nested f-string, same quotes", marks=since_3_12),
        pytest.param("lambda x=data.$__class__: x", id="lambda default"),
        pytest.param("print(*data.$__class__, **data.__dict__)", id="star argument"),
        pytest.param("f(x=data.$__class__)", id="keyword argument"),
        pytest.param("data[data.$__class__:]", id="slice"),
        pytest.param("data[0, data.$__class__] = 1", id="subscript"),
        pytest.param("assert data, data.$__class__", id="assertion message"),
        pytest.param("raise ValueError from data.$__class__", id="raise from"),
        pytest.param("x: data.$__class__", id="annotation"),
        pytest.param("data.$__class__ if data.__doc__ else 0", id="conditional: the first in the source"),
        pytest.param("[data.$__class__ for x in data.__doc__]", id="comprehension: the first in the source"),
        pytest.param("{data.$__class__: data.__doc__}", id="dictionary: the first in the source"),
        pytest.param("try: pass\nexcept data.$__class__: pass", id="handler type"),
        pytest.param("if (x := data.$__class__): pass", id="walrus"),
    ],
)
def test_underscore_attribute_is_refused(marked: str) -> None:
    assert_refused(marked, "underscore")


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("def f(): pass\nf.$count = 1", id="function attribute"),
        pytest.param("def f(): pass\nf.$count += 1", id="augmented"),
        pytest.param("del data.$count", id="delete"),
        pytest.param("for data.$count in []: pass", id="loop target"),
        pytest.param("a = b.$args = 1", id="exception arguments"),
    ],
)
def test_writing_any_attribute_is_refused(marked: str) -> None:
    assert_refused(marked, "attribute-write")


def test_methods_of_the_builtin_types_are_allowed() -> None:
    assert_allowed(
        "x = 'a'.upper().join([]).encode().hex()\nkey = str.lower\ny = (3).real + data.get('a').imag"
    )
