"""The Prefer header (RFC 7240): which preferences are understood, and how they are named afterwards.

Preferences are wishes: one that is unknown or malformed is as if it were absent (RFC 7240 section 2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ITEM = re.compile(
    r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?\s*(?:;[^,]*)?(?:,|$)'
)
_CHOICES = {
    "return": ("minimal", "representation"),
    "handling": ("strict", "lenient"),
    "tx": ("rollback", "commit"),
    "dialect": ("default", "json-server"),
}
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
MAX_HEADER = 2_000


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a request prefers. None: it did not say. ``max_affected``: records a filtered write may touch."""

    returns: str | None = None
    handling: str | None = None
    transaction: str | None = None
    dialect: str | None = None
    max_affected: int | None = None

    def tokens(self) -> tuple[str, ...]:
        """What a plan depends on, sorted. The number of max-affected is a value and no part of it."""
        found = [f"{name}={value}" for name, value in self._chosen()]
        if self.max_affected is not None:
            found.append("max-affected")
        return tuple(sorted(found))

    def canonical(self) -> str:
        """The header as programs read it: understood preferences only, sorted, unquoted, no blank but after
        commas."""
        found = [f"{name}={value}" for name, value in self._chosen()]
        if self.max_affected is not None:
            found.append(f"max-affected={self.max_affected}")
        return ", ".join(sorted(found))

    def _chosen(self) -> Iterator[tuple[str, str]]:
        pairs = (
            ("return", self.returns),
            ("handling", self.handling),
            ("tx", self.transaction),
            ("dialect", self.dialect),
        )
        for name, value in pairs:
            if value is not None:
                yield name, value


NO_PREFERENCES = Preferences()


def parse_prefer(header: str) -> Preferences:
    """From the header's text, several of them joined by commas. Of a repeated preference the first counts."""
    if not header:
        return NO_PREFERENCES
    found: dict[str, str] = {}
    for name, value in _items(header[:MAX_HEADER]):
        found.setdefault(name, value)
    count = found.get("max-affected", "")
    return Preferences(
        returns=_choice(found, "return"),
        handling=_choice(found, "handling"),
        transaction=_choice(found, "tx"),
        dialect=_choice(found, "dialect"),
        max_affected=int(count) if _COUNT.fullmatch(count) else None,
    )


def _choice(found: dict[str, str], name: str) -> str | None:
    value = found.get(name, "").lower()
    return value if value in _CHOICES[name] else None


def _items(header: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(header):
        match = _ITEM.match(header, at)
        if match is None:  # malformed: on with what follows the next comma
            at = header.find(",", at) + 1
            if at == 0:
                return
            continue
        quoted, plain = match[2], match[3]
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or ""
        yield match[1].lower(), value
        at = match.end()
