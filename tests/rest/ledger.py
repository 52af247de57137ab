"""What the clients of one session were told, and the account of what must then be there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

COUNTERS = 12
# Who says so has not begun: the request had no effect and will have none.
NOT_BEGUN = {"503 overloaded", "503 queue_timeout", "503 not_ready", "503 session_busy", "ConnectError"}
UNKNOWN = {"502 worker_lost", "ReadError", "RemoteProtocolError", "WriteError"}
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """``how``: the status, for an error with its code, or the type of the transport's error. ``sent`` and
    ``came``: ``time.monotonic()``."""

    how: str
    sent: float
    came: float
    body: Any = None
    etag: str = ""

    @property
    def failed(self) -> bool:
        """Whether the service did not serve it."""
        return self.how in NOT_BEGUN or self.how in UNKNOWN


@dataclass(slots=True)
class Note:
    """One record. ``possible``: the bodies it may have, without the id; None is no record."""

    token: str
    possible: list[Body | None]
    id: int | None = None
    etag: str = ""

    @property
    def body(self) -> Body:
        """The one body it has."""
        (body,) = self.possible
        assert body is not None
        return body


@dataclass(slots=True)
class Tally:
    """A number that grows by one under If-Match: values acknowledged, and values that may have been set."""

    acknowledged: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Ledger:
    """All that clients were told. ``faults``: every answer and every record that is wrong, in words."""

    notes: dict[str, Note] = field(default_factory=dict)
    ids: set[int] = field(default_factory=set)
    tallies: dict[int, Tally] = field(default_factory=lambda: {n + 1: Tally() for n in range(COUNTERS)})
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Answer] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> bool:
        """Whether it holds; ``what`` is a fault when not."""
        if not holds:
            self.faults.append(what)
        return holds

    def was_given(self, identifier: int) -> None:
        """The service has given out this id."""
        self.expect(identifier not in self.ids, f"the id {identifier} was given out twice")
        self.ids.add(identifier)

    def check_notes(self, found: list[Body]) -> None:
        """``found``: all records of the collection."""
        identifiers = Counter(record["id"] for record in found)
        self.expect(max(identifiers.values(), default=1) == 1, f"ids twice: {identifiers.most_common(3)}")
        there: dict[str, list[Body]] = {}
        for record in found:
            there.setdefault(record["token"], []).append(record)
        for token in there.keys() - self.notes.keys():
            self.faults.append(f"nobody has created {there[token]}")
        for note in self.notes.values():
            self._check_note(note, there.get(note.token, []))

    def _check_note(self, note: Note, found: list[Body]) -> None:
        if not self.expect(len(found) <= 1, f"{note} is there {len(found)} times: {found}"):
            return
        body = without_id(found[0]) if found else None
        if self.expect(body in note.possible, f"{note} is {found}"):
            note.possible = [body]  # what has been seen stays
        if found and note.id is None:
            self.was_given(found[0]["id"])
            note.id = found[0]["id"]
        elif found:
            self.expect(found[0]["id"] == note.id, f"{note} has become {found}")

    def check_tally(self, number: int, value: int) -> None:
        """``value``: what the counter of this number has."""
        tally = self.tallies[number]
        self.expect(
            tally.acknowledged <= set(range(1, value + 1)), f"counter {number} lost an update: {value}"
        )
        untold = set(range(1, value + 1)) - tally.acknowledged - tally.doubtful
        self.expect(not untold, f"counter {number} was set by nobody to {untold}")


def without_id(record: Body) -> Body:
    """The members that a client has sent."""
    return {name: value for name, value in record.items() if name != "id"}
