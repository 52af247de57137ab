"""How the rows of the policy tests are written, judged and run.

A ``$`` in a row marks where the refusal must point; Python has no such token.
"""

from __future__ import annotations

import sys
import types
from textwrap import dedent

import pytest

from sandbox_runtime.policy import (
    POLICIES,
    Allowed,
    Policy,
    Rejected,
    Verdict,
    judge,
    plan_builtins,
    restricted_builtins,
)

CAP = 1 << 20
RESTRICTED = POLICIES["restricted"]
PROGRAM = POLICIES["program"]
PLAN = POLICIES["plan"]

HARMLESS = set(map(id, restricted_builtins().values()))
INTERNAL = (
    types.ModuleType,
    types.FrameType,
    types.CodeType,
    types.TracebackType,
    types.MappingProxyType,
    types.CoroutineType,
    types.MethodWrapperType,
)

since_3_12 = pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")
since_3_14 = pytest.mark.skipif(sys.version_info < (3, 14), reason="syntax of Python 3.14")


def wide(letters: str) -> str:
    """The letters in their fullwidth form, which Python's identifiers do not tell from the plain one."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in letters)


def verdict_on(source: str, policy: Policy = RESTRICTED) -> Verdict:
    return judge(source, policy, max_bytes=CAP)


def unmark(marked: str) -> tuple[str, int, int]:
    """The source without its mark, and the 1-based line and column where the mark stood."""
    text = dedent(marked).strip("\n")
    before, mark, after = text.partition("$")
    assert mark, f"no mark in {marked!r}"
    lines = before.split("\n")
    return before + after, len(lines), len(lines[-1]) + 1


def assert_refused(marked: str, rule: str, policy: Policy = RESTRICTED) -> Rejected:
    source, line, column = unmark(marked)
    verdict = verdict_on(source, policy)
    assert isinstance(verdict, Rejected), verdict
    assert (verdict.rule, verdict.line, verdict.column) == (rule, line, column)
    assert verdict.message.startswith(f"policy {policy.name} refuses ")
    assert verdict.remedy
    return verdict


def assert_allowed(source: str, policy: Policy = RESTRICTED) -> Allowed:
    verdict = verdict_on(dedent(source), policy)
    assert isinstance(verdict, Allowed), verdict
    return verdict


def run(source: str, data: object = None) -> dict[str, object]:
    """The globals of a restricted program after it ran to its end."""
    verdict = assert_allowed(source)
    namespace: dict[str, object] = {"__builtins__": restricted_builtins(), "data": data}
    exec(compile(verdict.tree, "main.py", "exec", dont_inherit=True), namespace)  # noqa: S102 - what is tested
    return namespace


def assert_plan_refused(marked: str, rule: str) -> Rejected:
    """As ``assert_refused``, of a plan that is complete but for what the row says."""
    return assert_refused(marked + "\nREPLY = 0", rule, PLAN)


def make_response(
    status: int, body: object = None, headers: dict[str, str] | None = None
) -> dict[str, object]:
    return {"status": status, "body": body, "headers": headers or {}}


def run_plan(source: str, ctx: object = None, **given: object) -> object:
    """The REPLY of an admitted plan. ``given``: of plan, store and session_store what it needs."""
    verdict = assert_allowed(source, PLAN)
    return execute_plan(compile(verdict.tree, "main.py", "exec", dont_inherit=True), ctx=ctx, **given)


def execute_plan(code: types.CodeType | str, **given: object) -> object:
    """The REPLY of a plan that nobody judges."""
    namespace = {"__builtins__": plan_builtins(), "make_response": make_response, **given}
    exec(code, namespace)  # noqa: S102 - what is tested
    return namespace.get("REPLY")


def is_prize(loot: object) -> bool:
    """Something that a restricted program must never hold, or text that shows it was reached."""
    if isinstance(loot, type | types.BuiltinFunctionType):
        return id(loot) not in HARMLESS
    if isinstance(loot, dict):
        return "__builtins__" in loot or "print" in loot
    if isinstance(loot, str):
        return "<class 'object'>" in loot or "<frame" in loot or "root:" in loot
    return isinstance(loot, INTERNAL)
