"""One row of the table of settings: name, default, unit, meaning, other names, accepted values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from service.settings.parsers import Parser

PREFIX = "LARS_"


@dataclass(frozen=True, slots=True)
class Reading:
    """One variable as read: the text, what it means, and the name it was found under (None: the default)."""

    text: str
    value: Any
    source: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a computed default may depend on: CPUs this process may use, and the rows above it."""

    cpus: int
    readings: Mapping[str, Reading]


@dataclass(frozen=True, slots=True)
class Computed:
    """A default that depends on the host or on other rows. ``words`` stand in the documentation."""

    words: str
    text: Callable[[Facts], str]


@dataclass(frozen=True, slots=True)
class Setting:
    """One row. ``help`` is one sentence for an operator; ``aliases`` are older names, read when ``name`` is
    unset. ``holder``: the process that is given it, where it is ``secret``."""

    name: str
    default: str | Computed
    unit: str
    help: str
    parse: Parser
    aliases: tuple[str, ...] = ()
    secret: bool = False
    holder: Literal["front", "planner"] = "front"

    @property
    def field(self) -> str:
        """The attribute of ``Settings`` that holds the value."""
        return self.name.removeprefix(PREFIX).lower()

    @property
    def full_help(self) -> str:
        """``help`` and, where there are other names, which of them wins."""
        if not self.aliases:
            return self.help
        others = " and ".join(f"`{alias}`" for alias in self.aliases)
        return f"{self.help} Also read from {others}; when both are set, `{self.name}` wins."

    @property
    def default_words(self) -> str:
        """The default as documentation shows it."""
        return self.default.words if isinstance(self.default, Computed) else self.default


def at_most(preferred: str, ceiling: str, parse: Parser) -> Computed:
    """``preferred``, or the value of ``ceiling`` where an operator has set that lower."""

    def text(facts: Facts) -> str:
        limit = facts.readings[ceiling]
        return preferred if parse.read(preferred) <= limit.value else limit.text

    return Computed(f"{preferred}, or {ceiling} where that is lower", text)
