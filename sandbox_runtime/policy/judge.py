"""The judge: may this text run under this policy?

    source -> length cap -> parser -> tree -> (unless the policy is the whole language) tables -> verdict

It judges the tree, never the text, runs nothing of it, and does no I/O. Parsing hostile text is expensive in
itself: call it in a jailed process with limits on memory and CPU, never in a front.
"""

from __future__ import annotations

import ast

from sandbox_runtime.policy.explain import explain
from sandbox_runtime.policy.rules import first_violation
from sandbox_runtime.policy.shape import Policy
from sandbox_runtime.policy.source import gave_up, parse
from sandbox_runtime.policy.verdict import Allowed, Verdict


def judge(source: str, policy: Policy, *, max_bytes: int) -> Verdict:
    """The verdict on a source text, whatever characters it holds: raises nothing.

    ``Rejected.rule`` is length, parse, node, part, underscore, name, binding, attribute, attribute-write,
    call, function or import. Of several violations the first in source order is named.
    """
    parsed = parse(source, max_bytes)
    if not isinstance(parsed, ast.Module):
        return parsed
    if policy.whole_language:
        return Allowed(parsed)
    try:
        violation = first_violation(parsed, policy)
        return explain(violation, policy, source) if violation else Allowed(parsed)
    except MemoryError as error:
        return gave_up(error)
