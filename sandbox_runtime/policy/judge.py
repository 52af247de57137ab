"""The judge: may this text run under this policy?

    source -> length cap -> parser -> tree -> (unless the policy is the whole language) tables -> ways to the
    end -> constants -> verdict

It judges the tree, never the text, runs nothing of it, and does no I/O. Parsing hostile text is expensive in
itself: call it in a jailed process with limits on memory and CPU, never in a front.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from sandbox_runtime.policy.explain import explain, unassigned
from sandbox_runtime.policy.literals import foreign_literals
from sandbox_runtime.policy.paths import always_assigns
from sandbox_runtime.policy.rules import first_violation
from sandbox_runtime.policy.shape import Policy
from sandbox_runtime.policy.source import gave_up, parse
from sandbox_runtime.policy.verdict import Allowed, Rejected, Verdict


def judge(
    source: str,
    policy: Policy,
    *,
    max_bytes: int,
    values: object = None,
    vocabulary: Collection[str] = frozenset(),
) -> Verdict:
    """The verdict on a source text, whatever characters it holds: raises nothing.

    ``Rejected.rule`` is length, parse, node, part, underscore, name, binding, attribute, attribute-write,
    call, function, import, unassigned or literal. Of several violations of the tables the first in source
    order is named. ``values`` and ``vocabulary`` are for literal: see ``foreign_literals``.
    """
    parsed = parse(source, max_bytes)
    if not isinstance(parsed, ast.Module):
        return parsed
    if policy.whole_language:
        return Allowed(parsed)
    try:
        return _refusal(source, parsed, policy, values, vocabulary) or Allowed(parsed)
    except (MemoryError, RecursionError) as error:
        return gave_up(error)


def _refusal(
    source: str, tree: ast.Module, policy: Policy, values: object, vocabulary: Collection[str]
) -> Rejected | None:
    violation = first_violation(tree, policy)
    if violation:
        return explain(violation, policy, source)
    if policy.must_assign and not always_assigns(tree, policy.must_assign):
        return unassigned(policy)
    violation = foreign_literals(tree, values, vocabulary) if values is not None else None
    return explain(violation, policy, source) if violation else None
