"""Users who keep a timetable: each request is due at a moment that was fixed before, whatever became of the
one before it. Response times count from that moment, so that a service that keeps users waiting does not make
its own figures better by it ("coordinated omission")."""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from typing import Any

import gevent
from locust import FastHttpUser, task

SHOWN = 200  # characters of an answer that was not expected


class Punctual(FastHttpUser):
    """Sends requests at random moments, ``--rate`` of them per second on average (a Poisson process)."""

    abstract = True
    connection_timeout = 10.0
    network_timeout = 60.0

    def on_start(self) -> None:
        """The first one is due within a second's worth."""
        self.due = time.perf_counter() + random.random() / self.pace

    @property
    def pace(self) -> float:
        """Requests per second of this user."""
        return float(self.environment.parsed_options.rate)

    @task
    def keep_time(self) -> None:
        """Wait for the moment, unless it has passed, and do what this kind of user does."""
        gevent.sleep(max(0.0, self.due - time.perf_counter()))
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
        none of those ``expected``."""
        with self.client.request(method, path, name=what, catch_response=True, **options) as answer:
            answer.request_meta["response_time"] = (time.perf_counter() - due) * 1000
            if answer.status_code in expected:
                answer.success()
            else:
                text = (answer.text or str(answer.error or ""))[:SHOWN]
                answer.failure(f"{answer.status_code}: {text}")
        return answer

    def check(self, what: str, *, ok: bool, said: object) -> None:
        """Count an answer that was wrong, though its status was right, as a failure of its own."""
        if not ok:
            self.environment.events.request.fire(
                request_type="WRONG",
                name=what,
                response_time=0,
                response_length=0,
                exception=ValueError(str(said)[:SHOWN]),
                context={},
            )
