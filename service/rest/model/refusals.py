"""Shapes that a model was asked about and that have no plan: for a while nobody asks again."""

from __future__ import annotations

import time
from collections import OrderedDict

from service.errors import LarsError, PlannerFailed, PlanRefused

SECONDS = 60.0
_MOST = 10_000
# What the model answered is at fault, and will hardly be better at once. All else is the provider's trouble.
_OF_THE_REPLY = frozenset(("llm_bad_reply", "llm_refused", "llm_truncated"))


def is_of_the_reply(error: LarsError) -> bool:
    """Whether the reply is at fault, and not who could not give one."""
    return isinstance(error, PlanRefused) or (
        isinstance(error, PlannerFailed) and error.code in _OF_THE_REPLY
    )


def again_after(error: LarsError, seconds: float) -> LarsError:
    """The same error, saying when to come again."""
    if isinstance(error, PlanRefused):
        rule, line = error.extra["rule"], error.extra["line"]
        return PlanRefused(
            error.detail,
            rule=rule if isinstance(rule, str) else None,
            line=line if isinstance(line, int) else None,
            retry_after=seconds,
        )
    if isinstance(error, PlannerFailed):
        return PlannerFailed(error.code, error.detail, retry_after=seconds)
    return error


class Refusals:
    """Of one front. The oldest go first when there are too many."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, LarsError]] = OrderedDict()

    def note(self, key: str, error: LarsError, seconds: float) -> None:
        """For so long this error is the answer."""
        self._known[key] = time.monotonic() + seconds, error
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def of(self, key: str) -> LarsError | None:
        """The error that is the answer now, with the time that is left."""
        known = self._known.get(key)
        if known is None:
            return None
        left = known[0] - time.monotonic()
        if left <= 0:
            del self._known[key]
            return None
        return again_after(known[1], left)
