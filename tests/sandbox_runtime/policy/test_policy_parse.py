"""Length cap first, then the parser: what is a refusal, and what is the program's own SyntaxError."""

from __future__ import annotations

import ast
import bisect
import inspect
import subprocess
import sys
import textwrap
import types
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sandbox_runtime
from sandbox_runtime.policy import (
    Allowed,
    Invalid,
    Policy,
    Rejected,
    check_text,
    compiled,
    describe,
    findings,
    judge,
)
from tests.sandbox_runtime.policy.policy_cases import (
    CAP,
    PROGRAM,
    RESTRICTED,
    verdict_on,
    wide,
)

BOTH = pytest.mark.parametrize("policy", [PROGRAM, RESTRICTED], ids=["program", "restricted"])


@BOTH
@pytest.mark.parametrize(
    ("source", "limit", "fits"),
    [
        pytest.param("x = 1", 5, True, id="exactly the cap"),
        pytest.param("x = 1", 4, False, id="one byte over"),
        pytest.param("x = 'é'", 8, True, id="counted in bytes, at the cap"),
        pytest.param("x = 'é'", 7, False, id="counted in bytes, over"),
        pytest.param("'\ud800'", 4, False, id="a surrogate counts, and the cap comes first"),
        pytest.param("'\ud800' +", 100, False, id="a surrogate under the cap"),
        pytest.param("((((", 3, False, id="the cap comes before the parser"),
    ],
)
def test_cap(policy: Policy, source: str, limit: int, fits: bool) -> None:
    verdict = judge(source, policy, max_bytes=limit)
    assert isinstance(verdict, Allowed) is fits
    if isinstance(verdict, Rejected) and limit < 100:
        assert (verdict.rule, verdict.line, verdict.column) == ("length", None, None)
        assert str(limit) in verdict.message


@BOTH
@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        pytest.param("x = 1\0", 1, 6, id="null"),
        pytest.param("x = 1\ny = '\0'", 2, 6, id="null in a string"),
        pytest.param("x = 'é\ud800'", 1, 7, id="lone surrogate"),
        pytest.param("x = 1\r\ny\r\udfff", 3, 1, id="lines end as Python ends them"),
    ],
)
def test_unreadable_character_is_refused_where_it_stands(
    policy: Policy, source: str, line: int, column: int
) -> None:
    verdict = verdict_on(source, policy)
    assert isinstance(verdict, Rejected)
    assert (verdict.rule, verdict.line, verdict.column) == ("parse", line, column)


@BOTH
@pytest.mark.parametrize(
    "source",
    [
        pytest.param("-" * 50_000 + "1", id="unary chain"),
        pytest.param("not " * 50_000 + "1", id="not chain"),
        pytest.param("lambda:" * 50_000 + "1", id="lambda chain"),
        pytest.param("a" + ".b" * 100_000, id="attribute chain"),
        pytest.param("a" + "[0]" * 100_000, id="subscript chain"),
        pytest.param("1" + "+1" * 100_000, id="sum"),
        pytest.param("2" + "**2" * 50_000, id="power"),
        pytest.param("if 1: pass\n" + "elif 1: pass\n" * 50_000, id="elif chain"),
    ],
)
def test_parser_bomb_is_refused(policy: Policy, source: str) -> None:
    verdict = verdict_on(source, policy)
    assert isinstance(verdict, Rejected)
    assert (verdict.rule, verdict.line, verdict.column) == ("parse", None, None)


@BOTH
@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [
        pytest.param("x = (1,\ny = 2", SyntaxError, 1, id="open bracket"),
        pytest.param("x = 1\na b", SyntaxError, 2, id="plain"),
        pytest.param("if x:\npass", IndentationError, 2, id="indentation"),
        pytest.param("if 1:\n\tx\n        y", TabError, 3, id="tabs"),
        pytest.param("(" * 300 + ")" * 300, SyntaxError, 1, id="nesting"),
        pytest.param("1" * 5000, SyntaxError, 1, id="huge number"),
        pytest.param("x = 1 <> 2", SyntaxError, 1, id="not the dialect of a future import"),
        pytest.param("\n'é' é é", SyntaxError, 2, id="after wide characters"),
    ],
)
def test_syntax_error_is_the_programs_own(
    policy: Policy, source: str, kind: type[SyntaxError], line: int
) -> None:
    verdict = verdict_on(source, policy)
    assert isinstance(verdict, Invalid)
    with pytest.raises(kind) as raised:
        compile(source, "main.py", "exec", dont_inherit=True)
    assert type(verdict.error) is kind
    assert verdict.error.args == raised.value.args
    assert (verdict.error.filename, verdict.error.lineno) == ("main.py", line)
    assert verdict.error.__traceback__ is None


def test_program_policy_allows_all_of_python() -> None:
    source = "import os\nclass A(metaclass=type):\n  async def f(self): yield await __import__('x').__y__\n"
    verdict = verdict_on(source, PROGRAM)
    assert isinstance(verdict, Allowed)
    assert isinstance(verdict.tree, ast.Module)


@pytest.mark.parametrize("action", ["error", "default"])
def test_warnings_of_the_parser_are_left_to_the_run(action: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)  # type: ignore[arg-type]  # both are actions
        assert isinstance(verdict_on(r"x = '\d'", PROGRAM), Allowed)
    assert caught == []


_ANY_TEXT = st.text(st.characters())
_WORDS = (
    "( ) [ ] { } : , . = := + - * ** @ -> # \\ ; ... if else for in while def class lambda import from as x "
    "_ __y open match case try except except* with async await yield return del global nonlocal assert raise "
    "not is 1 1.5 'a' b'c' f'{x}' f'{ None True type print(x) x.y x[0] x.__z__ é ﬁ"
)
_TOKENS = st.sampled_from([*_WORDS.split(), "\n", "\n\t", "\0", "\ud800", wide("a"), wide("5")])
_SOUP = st.lists(_TOKENS, max_size=60).map(" ".join)
_REAL = [textwrap.dedent(inspect.getsource(module)) for module in (bisect, textwrap)]


@st.composite
def _mutations(draw: st.DrawFn) -> str:
    """A real program with a few pieces of it removed, doubled or moved."""
    text = draw(st.sampled_from(_REAL))
    for _ in range(draw(st.integers(1, 6))):
        start, width, target = (draw(st.integers(0, top)) for top in (len(text), 40, len(text)))
        piece = text[start : start + width]
        if draw(st.booleans()):
            text = text[:start] + text[start + width :]
        text = text[:target] + draw(st.sampled_from([piece, "", "(", "\n", "é", "\0"])) + text[target:]
    return text


@BOTH
@settings(deadline=None, max_examples=250)
@given(source=st.one_of(_ANY_TEXT, _SOUP, _mutations()))
def test_never_raises(policy: Policy, source: str) -> None:
    verdict = judge(source, policy, max_bytes=CAP)
    if isinstance(verdict, Rejected):
        lines = len(source.split("\n")) + source.count("\r")
        assert verdict.line is None or 1 <= verdict.line <= lines
        assert verdict.column is None or verdict.column >= 1
    elif isinstance(verdict, Invalid):
        assert isinstance(verdict.error, SyntaxError)
    else:
        assert isinstance(describe(findings(verdict.tree)), str)


@pytest.mark.parametrize("source", ["x = 1", "((((", "import os"])
def test_text_check_does_not_parse(source: str) -> None:
    assert check_text(source, 100) is None


def test_text_check_is_the_judges_own() -> None:
    for source in ("x" * 101, "'\0'", "'\ud800'"):
        assert check_text(source, 100) == judge(source, PROGRAM, max_bytes=100)


def test_compiled_makes_the_code_of_the_program() -> None:
    code = compiled("x = 6 * 7", CAP)
    assert isinstance(code, types.CodeType)
    namespace: dict[str, object] = {}
    exec(code, namespace)  # noqa: S102 - the line above
    assert (namespace["x"], code.co_filename) == (42, "main.py")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("a b", id="of the parser"),
        pytest.param("x = 1\nreturn x", id="of the compiler: return"),
        pytest.param("nonlocal x", id="of the compiler: nonlocal"),
    ],
)
def test_compiled_gives_every_syntax_error_without_a_frame(source: str) -> None:
    verdict = compiled(source, CAP)
    assert isinstance(verdict, Invalid)
    with pytest.raises(SyntaxError) as raised:
        compile(source, "main.py", "exec", dont_inherit=True)
    assert verdict.error.args == raised.value.args
    assert verdict.error.__traceback__ is None


@pytest.mark.parametrize("source", ["x" * (CAP + 1), "'\0'", "'\ud800'", "-" * 50_000 + "1"])
def test_compiled_refuses_as_the_judge_does(source: str) -> None:
    verdict = compiled(source, CAP)
    assert isinstance(verdict, Rejected)
    assert verdict == verdict_on(source, PROGRAM)


_STARVED = """
import resource
from sandbox_runtime.policy import POLICIES, judge

judge("x.real", POLICIES["restricted"], max_bytes=100)
with open("/proc/self/statm") as file:
    mapped = int(file.read().split()[0]) * resource.getpagesize()
source = "a.real;" * 40_000
resource.setrlimit(resource.RLIMIT_AS, (mapped + {spare} * 1024 * 1024, resource.RLIM_INFINITY))
verdict = judge(source, POLICIES["restricted"], max_bytes=len(source))
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(type(verdict).__name__, getattr(verdict, "rule", None))
"""


@pytest.mark.parametrize(
    ("spare", "outcome"),
    [
        pytest.param(4, "Rejected parse", id="not enough for the parser"),
        pytest.param(1024, "Allowed None", id="control: enough"),
    ],
)
def test_lack_of_memory_is_a_refusal(spare: int, outcome: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STARVED.format(spare=spare)],
        env={"PYTHONPATH": str(Path(sandbox_runtime.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.stdout.strip(), done.stderr) == (outcome, "")
