"""Tokens that questions in flight may still use: without counting them, many at once would each be given all
that is left of a budget, and together use it many times over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Of one question. It may use more where it is given more; what several do then is bounded by this.
MOST: Final = 20_000


class Holds:
    """One front's, by whose budget it is."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    def of(self, name: str) -> int:
        """Tokens of this budget that are not to be given to another question."""
        return self._held[name]

    @contextmanager
    def holding(self, names: tuple[str, ...], tokens: int) -> Iterator[None]:
        """While a question is in flight that was given so many tokens of these budgets."""
        held = min(tokens, MOST)
        for name in names:
            self._held[name] += held
        try:
            yield
        finally:
            for name in names:
                self._held[name] -= held
                if not self._held[name]:
                    del self._held[name]
