"""Names: builtins by name, underscores, and every field of a tree that holds an identifier."""

from __future__ import annotations

import ast
import builtins
import re

import pytest

from sandbox_runtime.policy.builtin_names import ALLOWED_BUILTINS, REFUSED_BUILTINS
from sandbox_runtime.policy.walk import walk
from tests.sandbox_runtime.policy.policy_cases import (
    assert_allowed,
    assert_refused,
    run,
    wide,
)

REFUSED_HERE = sorted(name for name in REFUSED_BUILTINS if hasattr(builtins, name))


@pytest.mark.parametrize("name", REFUSED_HERE)
def test_refused_builtin_is_refused_by_name_with_its_reason(name: str) -> None:
    verdict = assert_refused(f"x = [1]\ny = x if x else ${name}", "name")
    assert verdict.message == f"policy restricted refuses the name '{name}': {REFUSED_BUILTINS[name]}"


@pytest.mark.parametrize("name", REFUSED_HERE)
def test_refused_builtin_is_missing_at_run_time_too(name: str) -> None:
    """The judge asks only whether the program binds a name anywhere, not whether it does so in reach."""
    with pytest.raises(NameError, match=f"name '{name}' is not defined"):
        run(f"def f({name}): return {name}\nresult = {name}")


@pytest.mark.parametrize("name", sorted(ALLOWED_BUILTINS))
def test_allowed_builtin_is_the_real_one(name: str) -> None:
    assert run(f"result = {name}")["result"] is getattr(builtins, name)


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("$open('/etc/passwd')", id="call"),
        pytest.param("f = $open", id="alias"),
        pytest.param(f"${wide('open')}('x')", id="not normalised"),
        pytest.param("del $open", id="delete"),
        pytest.param("[f('1') for f in [$eval]]", id="in a list"),
        pytest.param("{'x': $exec}['x']('1')", id="in a dictionary"),
        pytest.param("sorted(data, key=$vars)", id="as key function"),
        pytest.param("print(*map($type, data))", id="under a star"),
        pytest.param("raise $SystemExit(0)", id="raise"),
        pytest.param("try: pass\nexcept $BaseException: pass", id="except"),
        pytest.param("f'{1:{$globals}}'", id="format specification"),
        pytest.param("if (x := $type): pass", id="walrus value"),
        pytest.param("global open\n$open('x')", id="declared but not bound"),
        pytest.param("open_ = 1\n$open('x')", id="another name bound"),
        pytest.param("f(open=1)\n$open('x')", id="a keyword argument binds nothing"),
    ],
)
def test_refused_builtin_is_found_anywhere(marked: str) -> None:
    assert_refused(marked, "name")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("type = 'a'\nresult = type", id="assignment"),
        pytest.param("for id in [1]: pass\nresult = id", id="loop"),
        pytest.param("def f(input): return input\nresult = f(1)", id="parameter"),
        pytest.param("def open(): return 1\nresult = open()", id="function"),
        pytest.param("result = [dir for dir in [1]]", id="comprehension"),
        pytest.param("if (vars := 1): result = vars", id="walrus"),
        pytest.param("try: 1/0\nexcept ArithmeticError as help: result = help", id="handler"),
        pytest.param("match [1, 2]:\n  case [exit, *quit]: result = exit, quit", id="pattern"),
        pytest.param("match {'a': 1}:\n  case {**object}: result = object", id="mapping pattern"),
        pytest.param("match 1:\n  case int_ if 0: pass\n  case 1 as super: result = super", id="as pattern"),
        pytest.param("list = [3]\nresult = list", id="an allowed builtin rebound"),
        pytest.param("(eval, [exec]) = 1, [2]\nresult = exec", id="unpacking"),
    ],
)
def test_own_variable_may_have_the_name_of_a_builtin(source: str) -> None:
    assert run(source)["result"]


def test_unknown_name_is_the_programs_own_error() -> None:
    with pytest.raises(NameError, match="name 'undefined_name' is not defined"):
        run("result = undefined_name")


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("$__builtins__", id="load"),
        pytest.param("$__name__ == '__main__'", id="module name"),
        pytest.param("$__import__('os')", id="import function"),
        pytest.param("$__build_class__", id="class builder"),
        pytest.param("$__debug__", id="debug flag"),
        pytest.param("$__builtins__ = {}", id="store"),
        pytest.param("$_private = 1", id="single underscore"),
        pytest.param("$__ = 1", id="only underscores"),
        pytest.param("$__builtins__ += 1", id="augmented"),
        pytest.param("$__builtins__: int = 1", id="annotated"),
        pytest.param("del $__builtins__", id="delete"),
        pytest.param("($__builtins__ := {})", id="walrus"),
        pytest.param("[0 for x in data if ($__builtins__ := {})]", id="walrus in a comprehension"),
        pytest.param("for $__builtins__ in data: pass", id="loop"),
        pytest.param("for a, (b, *$__c) in data: pass", id="nested unpacking"),
        pytest.param("[0 for $__builtins__ in data]", id="comprehension"),
        pytest.param("$global __builtins__", id="global"),
        pytest.param("def f():\n  $global a, __builtins__", id="second global"),
        pytest.param("def f():\n  $nonlocal __class__", id="nonlocal"),
        pytest.param("try: pass\n$except ValueError as __e: pass", id="handler"),
        pytest.param("match data:\n  case $__x: pass", id="capture"),
        pytest.param("match data:\n  case [$*__x]: pass", id="star pattern"),
        pytest.param("match data:\n  case ${**__x}: pass", id="mapping rest"),
        pytest.param("match data:\n  case $[1] as __x: pass", id="as pattern"),
        pytest.param(f"$__{wide('b')}uiltins__", id="not normalised"),
    ],
)
def test_underscore_name_is_refused(marked: str) -> None:
    assert_refused(marked, "underscore")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("for _ in data: pass", id="loop"),
        pytest.param("x, _ = data", id="unpacking"),
        pytest.param("[1 for _ in data]", id="comprehension"),
        pytest.param("match data:\n  case [_, x]: pass\n  case _: pass", id="pattern"),
        pytest.param("class_ = 1\na__b = 2", id="underscore elsewhere"),
    ],
)
def test_lone_underscore_is_a_variable(source: str) -> None:
    assert_allowed(source)


def _identifier_fields() -> list[tuple[str, str, bool]]:
    """(node, field, is a list) of every identifier in the grammar that ``ast`` documents for this Python."""
    found: list[tuple[str, str, bool]] = []
    for name, kind in vars(ast).items():
        if isinstance(kind, type) and issubclass(kind, ast.AST) and kind.__doc__ and kind._fields:
            fields = re.findall(r"identifier([?*]?) (\w+)", kind.__doc__)
            found.extend((name, field, mark == "*") for mark, field in fields)
    return found


# Module names: the import rule compares them whole with its table.
_BY_IMPORT_RULE = {("alias", "name"), ("ImportFrom", "module")}


def test_every_identifier_of_the_grammar_is_checked() -> None:
    fields = _identifier_fields()
    assert {("Name", "id", False), ("Global", "names", True), ("keyword", "arg", False)} <= set(fields)
    for name, field, many in fields:
        kind = getattr(ast, name)
        node = kind.__new__(kind)
        node.ctx = ast.Load()
        setattr(node, field, ["x", "__y"] if many else "__y")
        seen = _identifiers(node)
        assert ("__y" in seen) is ((name, field) not in _BY_IMPORT_RULE), (name, field)


def test_identifiers_are_normalised() -> None:
    assert _identifiers(ast.Global(names=[wide("open"), "ﬁ"])) == ["open", "fi"]


def _identifiers(node: ast.AST) -> list[str]:
    return [each.text for each in next(walk(node)).identifiers]
