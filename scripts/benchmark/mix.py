"""The mix of the session rows: create, get, list, search and patch over many sessions. Pure.

Every session starts with the same records, and each of the five operations comes as often as the others, in
an order that is random but the same in every run. No search finds what the mix creates, and lists are pages,
so answers stay of one size.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from scripts.benchmark.load import Ask

SESSIONS = 50
RECORDS = 20  # in each session at the start
PAGE = 10
OPERATIONS = ("create", "get", "list", "search", "patch")
_TURNS = 3  # of each operation for each session, until the order repeats
_SEED = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where one session's notes are: ``session`` is its id, or "" where there are none; ``ids`` of the
    records that it starts with."""

    session: str
    notes: str
    ids: Sequence[str]


Say = Callable[[str, Place, random.Random], Ask]


def names(count: int = SESSIONS) -> list[str]:
    """The ids of the sessions."""
    return [f"bench-{number}" for number in range(count)]


def places(count: int = SESSIONS) -> list[Place]:
    """Those of the service."""
    ids = [str(number) for number in range(1, RECORDS + 1)]
    return [Place(name, "/notes", ids) for name in names(count)]


def content() -> dict[str, list[dict[str, object]]]:
    """What each session starts with, as {collection: [records]}."""
    return {
        "notes": [
            {"id": number, "title": f"note {number}", "rank": number, "tags": ["a", "b"], "done": False}
            for number in range(1, RECORDS + 1)
        ]
    }


def lars(name: str, place: Place, choice: random.Random) -> Ask:
    """One operation as the service is asked."""
    record = f"{place.notes}/{choice.choice(place.ids)}"
    rank = choice.randrange(1, RECORDS + 1)
    if name == "create":
        return Ask(name, "POST", place.notes, _created(), place.session)
    if name == "get":
        return Ask(name, "GET", record, "", place.session)
    if name == "list":
        return Ask(name, "GET", f"{place.notes}?limit={PAGE}", "", place.session)
    if name == "search":
        return Ask(name, "POST", f"{place.notes}/search", _json({"rank": rank}), place.session)
    return Ask(name, "PATCH", record, _json({"done": bool(rank % 2)}), place.session)


def json_server(name: str, place: Place, choice: random.Random) -> Ask:
    """The same as json-server 1 is asked, which has neither sessions nor a search of its own."""
    if name == "list":
        return Ask(name, "GET", f"{place.notes}?_page=1&_per_page={PAGE}")
    if name == "search":
        return Ask(name, "GET", f"{place.notes}?rank={choice.randrange(1, RECORDS + 1)}")
    return lars(name, place, choice)


def mixed(where: Sequence[Place], say: Say = lars) -> tuple[Ask, ...]:
    """The requests in their order."""
    choice = random.Random(_SEED)  # noqa: S311 - no secret, an order
    turns = [(name, place) for name in OPERATIONS for place in where for _ in range(_TURNS)]
    choice.shuffle(turns)
    return tuple(say(name, place, choice) for name, place in turns)


def _created() -> str:
    return _json({"title": "a new note", "rank": 0, "tags": ["a", "b"], "done": False})


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
