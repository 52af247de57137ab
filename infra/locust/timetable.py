"""Users who keep a timetable: each request is due at a moment that was fixed before, whatever became of the
one before it. Response times count from that moment, so that a service that keeps users waiting does not make
its own figures better by it ("coordinated omission"). For the same reason, what was due and has no answer
when the test is over counts as a failure."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Collection
from typing import Any

import gevent
from gevent.event import Event
from locust import FastHttpUser, events, task
from locust.exception import StopUser
from locust.stats import CSV_STATS_INTERVAL_SEC

SHOWN = 200  # characters of an answer that was not expected
NEVER_SENT = "due, and never sent"


class _End:
    """Of the test. ``at``: a moment of ``time.perf_counter()``; what is due later is nobody's."""

    def __init__(self) -> None:
        self.at = math.inf
        self.came = Event()


_end = _End()


@events.test_start.add_listener
def begin(**_: Any) -> None:
    """Another test may have been before, in locust's browser view."""
    _end.at = math.inf
    _end.came.clear()


@events.test_stopping.add_listener
def end(**_: Any) -> None:
    """Users still send what was due until now, for as long as locust lets them."""
    _end.at = time.perf_counter()
    _end.came.set()


@events.quitting.add_listener
def let_files_be_written(**_: Any) -> None:
    """Locust writes its CSV files once a second, and not at the end: without what was counted last."""
    gevent.sleep(2 * CSV_STATS_INTERVAL_SEC)


class Punctual(FastHttpUser):
    """Sends requests at random moments, ``--rate`` of them per second on average (a Poisson process)."""

    abstract = True
    connection_timeout = 10.0
    network_timeout = 60.0

    def on_start(self) -> None:
        """The first one is due within a second's worth."""
        self.due = time.perf_counter() + random.random() / self.pace

    def on_stop(self) -> None:
        """Whoever waits for an answer until the end has not sent what was due meanwhile."""
        while math.isfinite(_end.at) and self.due <= _end.at:
            self._count("LATE", NEVER_SENT, (time.perf_counter() - self.due) * 1000, NEVER_SENT)
            self.due += random.expovariate(self.pace)

    @property
    def pace(self) -> float:
        """Requests per second of this user."""
        return float(self.environment.parsed_options.rate)

    @task
    def keep_time(self) -> None:
        """The next request; at the end all that were due before it."""
        self._keep_one()
        while _end.came.is_set():
            self._keep_one()

    def _keep_one(self) -> None:
        """Wait for the moment, unless it has passed, and do what this kind of user does."""
        _end.came.wait(max(0.0, self.due - time.perf_counter()))
        if self.due > _end.at:
            raise StopUser
        due, self.due = self.due, self.due + random.expovariate(self.pace)
        self.act(due)

    def act(self, due: float) -> None:
        """One turn of the user; its first request was due at this moment of ``time.perf_counter()``."""
        raise NotImplementedError

    def ask(
        self,
        due: float,
        what: str,
        method: str,
        path: str,
        *,
        expected: Collection[int] = (200,),
        **options: Any,
    ) -> Any:
        """Send a request; its answer. ``what``: under which name it is counted. It fails when its status is
        none of those ``expected``, and when the test is over before it has an answer."""
        try:
            with self.client.request(method, path, name=what, catch_response=True, **options) as answer:
                answer.request_meta["response_time"] = (time.perf_counter() - due) * 1000
                if answer.status_code in expected:
                    answer.success()
                else:
                    text = (answer.text or str(answer.error or ""))[:SHOWN]
                    answer.failure(f"{answer.status_code}: {text}")
        except gevent.GreenletExit:
            self._count(method, what, (time.perf_counter() - due) * 1000, "no answer until the end")
            raise
        return answer

    def check(self, what: str, *, ok: bool, said: object) -> None:
        """Count an answer that was wrong, though its status was right, as a failure of its own."""
        if not ok:
            self._count("WRONG", what, 0.0, str(said)[:SHOWN])

    def _count(self, kind: str, what: str, milliseconds: float, why: str) -> None:
        """A failure."""
        self.environment.events.request.fire(
            request_type=kind,
            name=what,
            response_time=milliseconds,
            response_length=0,
            exception=ValueError(why),
            context={},
        )
