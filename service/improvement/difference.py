"""What a rewritten module changes: the unified diff of two texts, made in the jail.

The texts are foreign, and for some that are no longer than a module may be difflib takes minutes, so it never
runs in a front.
"""

from __future__ import annotations

import time
from typing import Final

import orjson

from sandbox_runtime.job import Program
from service.errors import Overloaded, QueueTimeout, WorkerLost
from service.pool.job import Job, JobLimits, Outcome
from service.pool.pool import Pool

MAX_DIFFERENCE: Final = 256 * 1024  # bytes of UTF-8
_SECONDS: Final = 2.0
_ESCAPED: Final = 6  # bytes of JSON for one of a text, at most: \u0000
_LIMITS: Final = JobLimits(timeout=_SECONDS, cpu=_SECONDS, memory=128 << 20, file_size=1 << 20, output=4096)
# Lines end with \n alone, as those of diff(1). The result is the text, or how many bytes it has.
_CODE: Final = f"""
from difflib import unified_diff

def lines(text):
    *whole, rest = text.split("\\n")
    ended = [line + "\\n" for line in whole]
    return ended + [rest + "\\n\\\\ No newline at end of file\\n"] if rest else ended

found = "".join(unified_diff(lines(data["before"]), lines(data["after"]), "before", "after"))
size = len(found.encode())
result = found if size <= {MAX_DIFFERENCE} else size
"""
_PROGRAM: Final = Program(code=_CODE, has_data=True, max_result=_ESCAPED * MAX_DIFFERENCE + 2)


async def difference(pool: Pool, before: str, after: str, deadline: float) -> str:
    """The unified diff, "" where there is none; a sentence that says why it is not shown when it is longer
    than MAX_DIFFERENCE, or is not there after two seconds or at ``deadline`` (of ``time.monotonic()``),
    waiting for a worker included. NotReady when the pool is closed."""
    if before == after:
        return ""
    texts = {"before": _text(before), "after": _text(after)}
    end = min(deadline, time.monotonic() + _SECONDS)
    try:
        outcome = await pool.run(Job(_PROGRAM, _LIMITS, end, data=orjson.dumps({"data": texts})))
    except (Overloaded, QueueTimeout, WorkerLost) as error:
        return _unknown(error.detail)
    return _shown(outcome)


def _text(text: str) -> str:
    """A lone surrogate is no text, and cannot be sent."""
    return text.encode("utf-8", "replace").decode()


def _shown(outcome: Outcome) -> str:
    """What the worker says is its own word: form and length are checked."""
    found = _value(outcome.result)
    if isinstance(found, str) and len(found.encode()) <= MAX_DIFFERENCE:
        return found
    if isinstance(found, int):
        return _too_long(f"it has {found} bytes, the limit is {MAX_DIFFERENCE}")
    if outcome.verdict in ("timeout", "cpu"):
        return _too_long("it was not found in time")
    return _unknown(outcome.detail or outcome.verdict)


def _value(result: bytes | None) -> object:
    try:
        return None if result is None else orjson.loads(result)
    except orjson.JSONDecodeError:  # of a number that only other readers take
        return None


def _too_long(why: str) -> str:
    return f"the difference is too long to be shown: {why}; compare the texts of the two versions"


def _unknown(why: str) -> str:
    return f"the difference could not be made: {why}; compare the texts of the two versions"
