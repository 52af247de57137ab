"""Errors of the service, and what the store of a session refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping

from service.errors.base import (
    LarsError,
    ServiceError,
    TryLater,
)


class StoreRefused(LarsError):
    """The session's worker gave no answer but a reason, whose ``code`` is of STORE_KINDS."""

    def __init__(
        self,
        code: str,
        detail: str,
        extra: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, extra=extra, headers=headers)
        self.code = code


class PlannerFailed(LarsError):
    """No model has given an answer that can be used. ``code`` is of PLANNER_KINDS. ``retry_after``: seconds
    after which the same request may succeed, None where nothing says so."""

    def __init__(self, code: str, detail: str, *, retry_after: float | None = None) -> None:
        seconds = None if retry_after is None else max(1, math.ceil(retry_after))
        super().__init__(
            detail if seconds is None else f"{detail}; send it again after {seconds} s",
            extra={} if seconds is None else {"retry_after": seconds},
            headers={} if seconds is None else {"Retry-After": str(seconds)},
        )
        self.code = code


class PlanPending(TryLater):
    """A model still writes the plan. It is kept when it is there, whoever waits."""

    usual = "a plan for requests of this shape is still being made, and nothing ran"


class Overloaded(TryLater):
    """Pool and queue are full, or the memory for bodies is."""

    usual = "every worker is busy and the queue is full, so the request was refused and nothing ran"


class QueueTimeout(TryLater):
    """The request's own time was over while it waited for a worker."""

    usual = "the request's timeout passed while it waited for a worker, and nothing ran"


class TooManyConnections(TryLater):
    """Every connection that may be open is in use by a request."""

    usual = "every connection that may be open (LARS_MAX_CONNECTIONS) has a request in work"


class RunTimeout(ServiceError):
    """A plan ran past its deadline. Unless it was at its very last step, what it had done is undone."""

    def __init__(
        self,
        detail: str = "the request ran past its deadline (LARS_MAX_EXEC_MS); ask for less at once",
    ) -> None:
        super().__init__(detail)


class NotReady(TryLater):
    """Asked whether it is ready: no worker has run a program yet. Asked to run one: the pool is closed."""

    usual = "no worker is ready to run programs"


class WorkerLost(ServiceError):
    """The worker died without an account of the program."""

    def __init__(
        self, detail: str = "the worker died while it served the request; send it again if that does no harm"
    ) -> None:
        super().__init__(detail)


class StorageUnavailable(ServiceError):
    """The data root cannot be read or written."""


class PlanFailed(ServiceError):
    """A plan gave no reply that can be sent. What it had done is undone."""


class PlannerRequired(ServiceError):
    """No plan for a request of this shape can be made here. ``missing``: what a planner would have to add."""

    def __init__(self, detail: str, *, missing: str) -> None:
        super().__init__(detail, extra={"missing": missing})


class PlanRefused(ServiceError):
    """A planner wrote a program that the policy does not allow, or that did not prove itself: ``rule`` is the
    policy's, or output, proof or agreement. No request saw it run. ``retry_after``: seconds until the planner
    is asked again, None where nothing says so."""

    def __init__(
        self,
        detail: str,
        *,
        rule: str | None = None,
        line: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        seconds = None if retry_after is None else max(1, math.ceil(retry_after))
        super().__init__(
            detail,
            extra={"rule": rule, "line": line, "retry_after": seconds},
            headers={} if seconds is None else {"Retry-After": str(seconds)},
        )


class InternalError(ServiceError):
    """A fault of the service itself. The log has the traceback under the request's id."""

    def __init__(
        self,
        detail: str = "the service failed; its operator finds the reason in the log under the request id",
    ) -> None:
        super().__init__(detail)
