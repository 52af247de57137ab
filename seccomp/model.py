"""What a seccomp profile says, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProfileError(ValueError):
    """A profile says something that is not known, or contradicts itself. The message names file and entry."""


class ActionKind(StrEnum):
    """What the kernel does with a matching call. TRACE and NOTIFY are left out: nobody here would answer."""

    ALLOW = "SCMP_ACT_ALLOW"
    ERRNO = "SCMP_ACT_ERRNO"
    KILL = "SCMP_ACT_KILL"
    KILL_THREAD = "SCMP_ACT_KILL_THREAD"
    KILL_PROCESS = "SCMP_ACT_KILL_PROCESS"
    LOG = "SCMP_ACT_LOG"
    TRAP = "SCMP_ACT_TRAP"


class Operator(StrEnum):
    """How an argument is compared, as an unsigned 64-bit number. For MASKED_EQ ``value`` is the mask."""

    NE = "SCMP_CMP_NE"
    LT = "SCMP_CMP_LT"
    LE = "SCMP_CMP_LE"
    EQ = "SCMP_CMP_EQ"
    GE = "SCMP_CMP_GE"
    GT = "SCMP_CMP_GT"
    MASKED_EQ = "SCMP_CMP_MASKED_EQ"


class Architecture(StrEnum):
    """Those LARS runs on. A profile that names none is compiled for the machine it is compiled on."""

    X86_64 = "SCMP_ARCH_X86_64"
    AARCH64 = "SCMP_ARCH_AARCH64"


@dataclass(frozen=True, slots=True)
class Action:
    """``errno`` is 0 unless the kind is ERRNO."""

    kind: ActionKind
    errno: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.errno}" if self.kind is ActionKind.ERRNO else str(self.kind)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition on argument ``index`` (0 to 5)."""

    index: int
    operator: Operator
    value: int
    value_two: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """``action`` for one syscall when every comparison holds. ``entry`` is its place in ``syscalls``."""

    syscall: str
    action: Action
    comparisons: tuple[Comparison, ...]
    entry: int


@dataclass(frozen=True, slots=True)
class Profile:
    """``rules`` decide; a call that none of them matches gets ``default``. ``origin`` is for messages."""

    origin: str
    default: Action
    architectures: tuple[Architecture, ...]
    rules: tuple[Rule, ...]
