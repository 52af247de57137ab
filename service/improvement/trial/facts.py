"""What was found in an examination, in words: for operators, and for the model, which must learn nothing of
calls that are held back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from service.functions.recorded_call import RecordedCall
from service.improvement.trial.replies import Reply
from service.improvement.trial.times import Times, percentile
from service.improvement.trial.values import Case

Group = Literal["shown", "held_back"]
MAX_TOLD = 5
_CUT = 500
_MILLI = 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """A call to which a candidate has another answer. ``group``: of a recorded one, or that a model thought
    of it. ``again``: the first time the answer was right. What is said then may be of calls that came
    between."""

    group: Group | Literal["case"]
    call: RecordedCall | Case
    live: Reply
    mine: Reply
    again: bool = False


def told(difference: Difference) -> dict[str, object]:
    """As JSON, cut."""
    call = difference.call
    return {
        "group": difference.group,
        "again": difference.again,
        "arguments": _arguments(call),
        "expected": answer_text(difference.live),
        "got": answer_text(difference.mine),
    }


def told_times(times: Times) -> dict[str, object]:
    """Milliseconds and ratios, as JSON."""
    sides = {"live": times.live, "candidate": times.mine}
    shown: dict[str, object] = {
        side: {"p50": _ms(percentile(runs, 0.5)), "p95": _ms(percentile(runs, 0.95)), "sum": _ms(sum(runs))}
        for side, runs in sides.items()
    }
    rounds = {
        "live_rounds": [_ms(each) for each in times.live_rounds],
        "candidate_rounds": [_ms(each) for each in times.mine_rounds],
    }
    ratio = None if times.ratio is None else round(times.ratio, 3)
    return {"calls": len(times.live), "ratio": ratio, **shown, **rounds}


def problem_of(differences: Sequence[Difference]) -> str:
    """For the model: what it was shown, or has written itself, is quoted; of the rest the number is told."""
    first = [each for each in differences if not each.again]
    quoted = [_quoted(each) for each in first if each.group != "held_back"][:MAX_TOLD]
    hidden = sum(each.group == "held_back" for each in first)
    again = len(differences) - len(first)
    if hidden:
        quoted.append(f"It answers otherwise on {hidden} recorded calls that you were not shown.")
    if again:
        quoted.append(f"It answers {again} calls otherwise when they come again in another order.")
    return "\n".join(["The candidate does not answer what the live version answers.", *quoted])


def answer_text(reply: Reply) -> str:
    """One reply, cut."""
    if reply.value is not None:
        return _text(reply.value) + (" … (too long to be compared)" if reply.end == "long" else "")
    if reply.end == "timeout":
        return "no answer in time"
    if reply.end == "ended":
        return "the end of its process"
    return f"{reply.error}: {reply.said}"[:_CUT]


def _quoted(difference: Difference) -> str:
    call = "The case" if difference.group == "case" else "The call"
    expected, got = answer_text(difference.live), answer_text(difference.mine)
    return f"{call} {_arguments(difference.call)} gives {got}, expected {expected}."


def _arguments(call: RecordedCall | Case) -> str:
    if isinstance(call, Case):
        return _text(call.arguments)
    query = "" if call.query is None else "?" + orjson.dumps(call.query).decode()
    return (query + " " + _text(call.body or b"")).strip()[:_CUT]


def _text(text: bytes) -> str:
    return text[: 4 * _CUT].decode(errors="replace")[:_CUT]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * _MILLI, 4)
