"""The limits of one key, made ready to be counted and told: done once for a key, not once for a request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from service.limits.rates import DAY, Rates

Policy = Literal["requests", "concurrent", "cpu", "tokens"]
CPU_UNIT = 1000  # CPU is counted in milliseconds, and told in seconds
_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Quota:
    """``limit`` units in any ``seconds``; a unit is ``unit`` counts. ``label``: its name in the headers.
    ``gates``: whether nothing runs any more when it is used up; without tokens all runs that needs no
    model."""

    policy: Policy
    label: str
    limit: int
    seconds: int
    unit: int = 1
    gates: bool = True

    @property
    def most(self) -> int:
        """The limit in counts."""
        return self.limit * self.unit

    @property
    def bar(self) -> int:
        """The count from which on nothing runs."""
        return self.most if self.gates else _NEVER

    def counter(self, name: str) -> str:
        """What its counter of the key ``name`` is called."""
        return counter_name(self.policy, self.seconds, name)


@dataclass(frozen=True, slots=True)
class Quotas:
    """All limits of the key ``name``. ``windows``: those of requests, which each request is counted in;
    then the budgets of the day, which are charged when it is known what a run has cost."""

    name: str
    requests: tuple[Quota, ...]
    budgets: tuple[Quota, ...]
    concurrent: int | None

    @property
    def windows(self) -> tuple[Quota, ...]:
        """Requests first."""
        return self.requests + self.budgets

    def __bool__(self) -> bool:
        return bool(self.requests or self.budgets or self.concurrent is not None)


def quotas_of(name: str, rates: Rates) -> Quotas:
    """The limits that ``rates`` are for a key."""
    return Quotas(name, tuple(_requests(rates)), tuple(_budgets(rates)), rates.concurrent)


def counter_name(policy: Policy, seconds: int, name: str) -> str:
    """The amount is no part of it: a limit that is raised does not forget."""
    return f"{policy}/{seconds}/{name}"


def _requests(rates: Rates) -> Iterable[Quota]:
    for number, window in enumerate(rates.requests):
        label = f"requests-{window.seconds}" if number else "requests"
        yield Quota("requests", label, window.amount, window.seconds)


def _budgets(rates: Rates) -> Iterable[Quota]:
    if rates.cpu is not None:
        yield Quota("cpu", "cpu", rates.cpu, DAY, CPU_UNIT)
    if rates.tokens is not None:
        yield Quota("tokens", "tokens", rates.tokens, DAY, gates=False)
