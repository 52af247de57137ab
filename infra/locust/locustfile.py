"""Users of LARS for locust: ``locust -f infra/locust/locustfile.py --host http://127.0.0.1:8000 Mixed``.

``scripts/loadtest.sh`` runs them without a browser. A key comes from LARS_API_KEY; ``Functions``, ``Mixed``
need one that may load functions, where there are keys.
"""

from __future__ import annotations

import os
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from locust import events

sys.path.insert(0, str(Path(__file__).parent))

import actions
from timetable import Punctual

_KEY = os.environ.get("LARS_API_KEY")
_HEADERS = {} if _KEY is None else {"X-API-Key": _KEY}


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Beside locust's own."""
    parser.add_argument("--rate", type=float, default=2.0, help="requests per second of each user")


class _Caller(Punctual):
    """With the key, if there is one. ``turns``: what the user does, and how often."""

    abstract = True
    default_headers = _HEADERS
    turns: tuple[tuple[actions.Action, int], ...] = ()

    def act(self, due: float) -> None:
        """One of its turns, by weight."""
        (turn,) = random.choices([turn for turn, _ in self.turns], [weight for _, weight in self.turns])
        turn(self, due)


class Execute(_Caller):
    """Runs programs."""

    turns = ((actions.run_program, 1),)


class Crud(_Caller):
    """Keeps records in a session."""

    turns = ((actions.keep_records, 1),)


class Functions(_Caller):
    """Calls a loaded function."""

    turns = ((actions.call_function, 1),)


class Mixed(_Caller):
    """All of these, as an agent does."""

    turns = ((actions.run_program, 3), (actions.keep_records, 5), (actions.call_function, 2))


class Hostile(_Caller):
    """Tries to do harm, a fifth as often as others ask for something."""

    turns = ((actions.do_harm, 1), (actions.send_nonsense, 1))

    @property
    def pace(self) -> float:
        """Requests per second of this user."""
        return super().pace / 5


class Echo(Punctual):
    """The baseline: a server of the same stack that answers what it was sent."""

    def act(self, due: float) -> None:
        """One request."""
        self.ask(due, "POST /echo", "POST", "/echo", json={"values": list(range(50))})


@events.test_start.add_listener
def load_function(environment: Any, **_: Any) -> None:
    """Where a user is going to call it."""
    if not {"Functions", "Mixed"} & {kind.__name__ for kind in environment.user_classes}:
        return
    try:
        why_not = _load(environment.host)
    except requests.RequestException as error:
        why_not = str(error)
    if why_not:
        print(f"the function cannot be loaded: {why_not[:500]}", file=sys.stderr)
        environment.process_exit_code = 3
        environment.runner.quit()


def _load(host: str) -> str:
    """Why it cannot be, or ""."""
    contract, module = actions.HASH, actions.MODULE
    body = {
        "visible_pixel_hash": contract,
        "module_name": module,
        "function_name": actions.FUNCTION,
        "endpoint_path": "/loadtest/rank",
    }
    with _session() as session:
        put = session.put(f"{host}/uploads/{contract}/{module}.py", data=actions.SOURCE, timeout=30)
        loaded = session.post(f"{host}/load-function", json=body, timeout=30)
    done = put.status_code < 300 and loaded.status_code == 200
    return "" if done else f"{put.status_code}, {loaded.status_code} {loaded.text}"


@events.test_stop.add_listener
def unload_function(environment: Any, **_: Any) -> None:
    """It is served to nobody else."""
    url = f"{environment.host}/unload-function/{actions.HASH}/{actions.FUNCTION}"
    if {"Functions", "Mixed"} & {kind.__name__ for kind in environment.user_classes}:
        # A service that is gone by now is told by what was answered, not by how this ends.
        with _session() as session, suppress(requests.RequestException):
            session.delete(url, timeout=30)


def _session() -> requests.Session:
    """As users are: with the key, and through no proxy that the environment names, which would see it."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update(_HEADERS)
    return session
