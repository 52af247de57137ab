"""What a profile may not say, although each of its entries is well-formed. Pure.

Two kinds. A profile contradicts itself when two rules with different actions can match the same call: which
of them wins is then an accident of the compiler. And a profile is beyond the compiler when libseccomp is
known to translate it wrongly: libseccomp 2.5.4 and 2.6.0 give other verdicts, or never return, once
inequalities on one syscall are combined. What is left is held against its meaning by
tests/seccomp/test_seccomp_meaning.py.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

from seccomp.model import Comparison, Operator, Profile, ProfileError, Rule

_EXACT = frozenset({Operator.EQ, Operator.MASKED_EQ})
_ORDER = frozenset({Operator.LT, Operator.LE, Operator.GE, Operator.GT})


def refuse_conflicts(profile: Profile) -> None:
    """ProfileError that names the syscall and both entries, or the one that cannot be compiled."""
    by_syscall: dict[str, list[Rule]] = defaultdict(list)
    for rule in profile.rules:
        by_syscall[rule.syscall].append(rule)
    for rules in by_syscall.values():
        for first, second in combinations(rules, 2):
            _refuse_contradiction(profile.origin, first, second)
        if len(rules) > 1:
            _refuse_combined_inequalities(profile.origin, rules)


def _refuse_contradiction(origin: str, first: Rule, second: Rule) -> None:
    said = (
        f"{origin}: syscalls[{first.entry}] and syscalls[{second.entry}]: {first.syscall} is given "
        f"{first.action} and {second.action}"
    )
    if not first.comparisons or not second.comparisons:
        raise ProfileError(f"{said}; a rule without args leaves no call to the other")
    if first.action != second.action and not _disjoint(first, second):
        raise ProfileError(f"{said}, and both can match one call")


def _refuse_combined_inequalities(origin: str, rules: list[Rule]) -> None:
    several_comparisons = any(len(rule.comparisons) > 1 for rule in rules)
    for rule in rules:
        operators = {comparison.operator for comparison in rule.comparisons}
        unsafe = operators & _ORDER or (several_comparisons and not operators <= _EXACT)
        if unsafe:
            raise ProfileError(
                f"{origin}: syscalls[{rule.entry}]: {rule.syscall} has {len(rules)} rules, and libseccomp "
                f"translates {', '.join(sorted(operators - _EXACT))} wrongly beside other rules; use "
                f"{Operator.EQ} and {Operator.MASKED_EQ}"
            )


def _disjoint(first: Rule, second: Rule) -> bool:
    """Whether no call can match both. False when that cannot be told."""
    return any(
        one.index == other.index and _exclude(one, other)
        for one in first.comparisons
        for other in second.comparisons
    )


def _exclude(one: Comparison, other: Comparison) -> bool:
    if one.operator is Operator.NE or other.operator is Operator.NE:
        return _exclude_unequal(one, other)
    if one.operator in _EXACT and other.operator in _EXACT:
        mask, value = _bits(one)
        other_mask, other_value = _bits(other)
        return (value ^ other_value) & mask & other_mask != 0
    return False


def _exclude_unequal(one: Comparison, other: Comparison) -> bool:
    operators = {one.operator, other.operator}
    return operators == {Operator.EQ, Operator.NE} and one.value == other.value


def _bits(comparison: Comparison) -> tuple[int, int]:
    """An exact comparison as (mask, value under the mask)."""
    if comparison.operator is Operator.EQ:
        return (1 << 64) - 1, comparison.value
    return comparison.value, comparison.value_two
