"""What a version answers when a call is tried, and what that is beside what the live version answers.
Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from service.functions.recorded_call import Query, RecordedCall
from service.improvement.trial.comparing import same
from service.improvement.trial.values import Case

MAX_ANSWER: Final = 256 << 10
"""Bytes of an answer that are compared; recorded calls have a quarter of it."""

TIMED_OUT: Final = "TimeoutError"
PROCESS_ENDED: Final = "ProcessEnded"
Relation = Literal["same", "mended", "differs", "timeout"]


@dataclass(frozen=True, slots=True)
class Question:
    """One call as it is tried. ``seconds``: how long it may take. ``go_on``: whether the next ones are asked
    when this one gets no answer."""

    query: Query | None
    body: bytes | None
    seconds: float
    go_on: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """``error``: the type of the exception, None where there is a ``value``, which is JSON text; ``said``:
    its message. ``end``: ``wrong`` when the function did not run, because of its arguments; ``long`` for a
    value that is longer than MAX_ANSWER, of which the beginning is kept. ``run`` in seconds."""

    end: Literal["ok", "long", "error", "wrong", "timeout", "ended"]
    value: bytes | None = None
    error: str | None = None
    said: str = ""
    run: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether there is a value to be compared."""
        return self.end == "ok"

    @property
    def unfinished(self) -> bool:
        """Whether its worker had to be ended, or ended: what the function would have said is not known."""
        return self.end in ("timeout", "ended")


def repeats(call: RecordedCall, reply: Reply) -> bool:
    """Whether the version that answered the call answers the same again."""
    if call.value is None:
        return reply.error is not None and reply.error == call.error
    return reply.answered and same(call.value, reply.value or b"")


def agree(one: Reply, other: Reply) -> bool:
    """Whether two replies say the same: equal values, or errors of one type."""
    if one.answered and other.answered:
        return same(one.value or b"", other.value or b"")
    return one.end == other.end and one.end != "long" and one.error == other.error


def relation(live: Reply, mine: Reply, *, mending: bool) -> Relation:
    """The candidate's reply beside the live version's. ``mending``: whether a call that fails may be
    answered. One that the live version does not finish may be in any case: nobody can wait for its
    answer."""
    if agree(live, mine):
        return "same"
    if mine.end == "timeout":
        return "timeout"
    if mine.answered and (live.unfinished or (mending and live.end == "error")):
        return "mended"
    return "differs"


def case_relation(case: Case, live: Reply, mine: Reply) -> Relation:
    """The same for a call that a model has thought of: where the live version fails, only what the model
    expects is an answer."""
    found = relation(live, mine, mending=True)
    if found == "mended" and not (case.result is not None and same(case.result, mine.value or b"")):
        return "differs"
    return found
