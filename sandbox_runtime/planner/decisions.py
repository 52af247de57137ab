"""What to do after a call has failed: pure functions of the failure, the time left and a random number.

One more attempt at the same model where the failure may pass, then the next where another may do better.
"""

from __future__ import annotations

from typing import Final

from sandbox_runtime.planner.model import CallFailed

ATTEMPTS: Final = 2  # at one model, for one question
_BACKOFF: Final = 1.0  # seconds; the first wait is between none of it and all ("full jitter")
_LEAST_CALL: Final = 0.5  # seconds that must be left for a call to have any use
_FIRST_SHARE: Final = 0.6  # of the time left, for a model that is followed by another
# What another model would not change: the question and the answer are to blame, not the provider.
_FINAL: Final = frozenset(("llm_bad_reply", "llm_refused", "llm_request_budget", "llm_truncated"))
# What says that the provider, and not the question, is in trouble.
_TROUBLE: Final = frozenset(
    ("llm_failed", "llm_malformed", "llm_rate_limited", "llm_timeout", "llm_unreachable")
)


def wait_before_retry(failed: CallFailed, attempt: int, left: float, draw: float) -> float | None:
    """Seconds until the same model is asked again, None if it is not. ``attempt``: 1 for the first; ``draw``:
    at least 0 and below 1."""
    if not failed.again or attempt >= ATTEMPTS:
        return None
    wait = failed.retry_after if failed.retry_after is not None else draw * _BACKOFF * 2 ** (attempt - 1)
    return wait if wait + _LEAST_CALL <= left else None


def asks_another(failed: CallFailed) -> bool:
    """Whether the next model is asked."""
    return failed.code not in _FINAL


def is_trouble(failed: CallFailed) -> bool:
    """Whether it counts against the provider in its breaker."""
    return failed.code in _TROUBLE


def share_of(left: float, others: int) -> float:
    """Seconds that a call may take of those that are left, when so many models could be asked after it."""
    return left * _FIRST_SHARE if others else left


def worth_a_call(left: float) -> bool:
    """Whether there is time for another model."""
    return left >= _LEAST_CALL
