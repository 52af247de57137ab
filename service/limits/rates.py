"""The limits of one key, and how they are written.

100/minute    requests; also /second, /hour, /day, and multiples: 1000/5 minutes
concurrent=4  runs at once
cpu=3600      CPU seconds by the day
tokens=50000  tokens of language models by the day
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

DAY = 86_400
MAX_WINDOWS = 4
_MAX_AMOUNT = 10**12
_WINDOW = re.compile(r"[0-9]{1,12} ?/ ?(?:[0-9]{1,4} ?)?(?:second|minute|hour|day|month|year)s?", re.ASCII)
_COUNT = re.compile(r"(?P<name>concurrent|cpu|tokens) ?= ?(?P<amount>[0-9]{1,12})", re.ASCII)
_FORM = "100/minute, concurrent=4, cpu=3600 or tokens=50000"


@dataclass(frozen=True, slots=True)
class Window:
    """``amount`` requests in any ``seconds``."""

    amount: int
    seconds: int
    text: str


@dataclass(frozen=True, slots=True)
class Rates:
    """None and the empty tuple: no limit. ``cpu`` in CPU seconds by the day, ``tokens`` by the day."""

    requests: tuple[Window, ...] = ()
    concurrent: int | None = None
    cpu: int | None = None
    tokens: int | None = None

    def texts(self) -> list[str]:
        """As ``read_rates`` reads them."""
        counts = (("concurrent", self.concurrent), ("cpu", self.cpu), ("tokens", self.tokens))
        return [
            *(window.text for window in self.requests),
            *(f"{name}={amount}" for name, amount in counts if amount is not None),
        ]


UNLIMITED = Rates()


def read_rates(texts: Iterable[str]) -> Rates:
    """ValueError says which text is none, or came twice."""
    windows: list[Window] = []
    counts: dict[str, int] = {}
    for text in texts:
        count = _COUNT.fullmatch(text.strip())
        if count is None:
            windows.append(_window(text.strip()))
        elif count["name"] in counts:
            raise ValueError(f"{count['name']} came twice; give it once")
        else:
            counts[count["name"]] = _positive(text, int(count["amount"]))
    if len(windows) > MAX_WINDOWS or len({window.seconds for window in windows}) < len(windows):
        raise ValueError(f"give at most {MAX_WINDOWS} limits of requests, each over another time")
    return Rates(tuple(sorted(windows, key=lambda window: window.seconds)), **counts)


def _window(text: str) -> Window:
    if _WINDOW.fullmatch(text) is None:
        raise ValueError(f"{text[:100]!r} is not a rate; write {_FORM}")
    from limits import parse  # noqa: PLC0415 - 50 ms that a service without such limits need not spend

    item = parse(text)
    return Window(_positive(text, item.amount), item.get_expiry(), "/".join(text.split("/")).replace(" ", ""))


def _positive(text: str, amount: int) -> int:
    if not 0 < amount < _MAX_AMOUNT:
        raise ValueError(f"{text[:100]!r} allows nothing; give at least 1, or revoke the key")
    return amount
