"""What leaves the process is text, and no key is in it: providers quote keys in their messages, and so do
libraries that cannot send one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sandbox_runtime.planner.model import CallFailed, ModelReply

HIDDEN: Final = "[key]"
_SHORTEST: Final = 8  # characters; a shorter one would be found in words


class Hiding:
    """Of these keys."""

    def __init__(self, keys: Iterable[str]) -> None:
        long = [key for key in keys if len(key) >= _SHORTEST]
        self._forms = sorted({*long, *(repr(key)[1:-1] for key in long)}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Without them, and as UTF-8 can have it."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text.encode("utf-8", "replace").decode()

    def outcome(self, outcome: ModelReply | CallFailed) -> ModelReply | CallFailed:
        """The same call's."""
        if isinstance(outcome, CallFailed):
            outcome.detail = self.text(outcome.detail)
            return outcome
        return ModelReply(self.text(outcome.text), outcome.usage)
