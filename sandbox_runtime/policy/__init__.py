"""What a program may say: tables with names and versions, a judge that reads them, and static findings."""

from sandbox_runtime.policy.builtin_names import plan_builtins, restricted_builtins
from sandbox_runtime.policy.findings import Finding, describe, findings
from sandbox_runtime.policy.function_builtins import function_builtins
from sandbox_runtime.policy.judge import judge
from sandbox_runtime.policy.literals import foreign_literals
from sandbox_runtime.policy.plan_names import SESSION_METHODS, STORE_METHODS
from sandbox_runtime.policy.shape import AllBut, NameTable, Only, Policy
from sandbox_runtime.policy.source import check_text, compiled
from sandbox_runtime.policy.tables import POLICIES
from sandbox_runtime.policy.verdict import Allowed, Invalid, Rejected, Verdict

__all__ = [
    "POLICIES",
    "SESSION_METHODS",
    "STORE_METHODS",
    "AllBut",
    "Allowed",
    "Finding",
    "Invalid",
    "NameTable",
    "Only",
    "Policy",
    "Rejected",
    "Verdict",
    "check_text",
    "compiled",
    "describe",
    "findings",
    "foreign_literals",
    "function_builtins",
    "judge",
    "plan_builtins",
    "restricted_builtins",
]
