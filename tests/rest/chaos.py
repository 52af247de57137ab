"""Clients of one session that change it at random and keep what they are told.

Each client owns its records, so for each there is at every moment one state that it may have, or two while an
answer is missing. A record whose answer never came is left alone from then on: what became of it may show at
any later time. Requests under an Idempotency-Key are sent again until there is an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import httpx

from tests.rest.ledger import COUNTERS, NOT_BEGUN, UNKNOWN, Answer, Body, Ledger, Note, without_id
from tests.service_process import NO_TLS
from tests.supervisor.serving import PATIENCE

_PAUSE = 0.25  # seconds, on average
_ABANDONED, _REPEATED = 0.1, 0.3  # of the requests with a key
_OWNED = 4  # records that a client has at once
_JSON_PATCH = {"Content-Type": "application/json-patch+json"}
_DONE = {"POST": "201", "PATCH": "200", "DELETE": "204"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; ``body`` is what its JSON says."""

    method: str
    path: str
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Caller:
    """One connection's worth of requests to the session. ``url`` is asked for every time: a service that was
    started again has another."""

    def __init__(self, ledger: Ledger, url: Callable[[], str], session: str) -> None:
        self.ledger = ledger
        self._url = url
        self._client = httpx.AsyncClient(
            headers={"X-Session-ID": session}, timeout=PATIENCE, verify=NO_TLS, trust_env=False
        )

    async def ask(self, asked: Asked) -> Answer:
        """One request. An answer that the service may never give is a fault."""
        sent = time.monotonic()
        try:
            got = await self._request(asked)
        except httpx.TransportError as error:
            answer = Answer(type(error).__name__, sent, time.monotonic())
        else:
            content = got.json() if got.content else None
            how = str(got.status_code) + (f" {content['code']}" if content and got.is_error else "")
            answer = Answer(how, sent, time.monotonic(), content, got.headers.get("etag", ""))
        self.ledger.counts[f"{asked.method} {answer.how}"] += 1
        if answer.failed:
            self.ledger.failures.append(answer)
        return answer

    async def abandon(self, asked: Asked, seconds: float) -> None:
        """Send a request and leave, with or without an answer, which nobody hears."""
        with contextlib.suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(seconds):
                await self._request(asked)
        self.ledger.counts["abandoned"] += 1

    async def _request(self, asked: Asked) -> httpx.Response:
        url = self._url() + asked.path
        return await self._client.request(asked.method, url, json=asked.body, headers=asked.headers)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


class Client(Caller):
    """One of many: does something at random, one thing after another. ``up`` is set while there is a
    service."""

    def __init__(
        self, ledger: Ledger, url: Callable[[], str], session: str, up: asyncio.Event, chance: random.Random
    ) -> None:
        super().__init__(ledger, url, session)
        self._up = up
        self._chance = chance
        self._mine: list[Note] = []

    async def act(self) -> None:
        """One operation, after a pause: 200 clients without any would only measure how fast they are."""
        await asyncio.sleep(self._chance.expovariate(1 / _PAUSE))
        await self._up.wait()
        actions = [self._create, self._increment, self._increment]
        if self._mine:
            actions += [
                self._read,
                self._find,
                self._patch,
                self._patch,
                self._append,
                self._append,
                self._delete,
            ]
        await self._chance.choice(actions)()

    async def _create(self) -> None:
        if len(self._mine) == _OWNED:
            return
        token = uuid.UUID(int=self._chance.getrandbits(128)).hex
        body = {"token": token, "n": 0, "log": []}
        note = self.ledger.notes[token] = Note(token, [None])
        answer = await self._change(note, body, Asked("POST", "/notes", body), keyed=self._toss())
        if answer.how == "201":
            note.id = answer.body["id"]
            self.ledger.was_given(answer.body["id"])
            self._mine.append(note)

    async def _patch(self) -> None:
        note = self._chance.choice(self._mine)
        change = {"n": note.body["n"] + 1}
        await self._change(
            note, note.body | change, Asked("PATCH", place(note), change, self._maybe_match(note))
        )

    async def _append(self) -> None:
        """What would show if it were done twice."""
        note = self._chance.choice(self._mine)
        entry = f"{self._chance.getrandbits(64):x}"
        after = note.body | {"log": [*note.body["log"], entry]}
        change = [{"op": "add", "path": "/log/-", "value": entry}]
        await self._change(note, after, Asked("PATCH", place(note), change, _JSON_PATCH), keyed=True)

    async def _delete(self) -> None:
        note = self._chance.choice(self._mine)
        asked = Asked("DELETE", place(note), headers=self._maybe_match(note))
        if (await self._change(note, None, asked)).how == "204":
            self._mine.remove(note)

    async def _increment(self) -> None:
        """Read, add one, write if nobody else has: of those who read the same, one succeeds."""
        number = self._chance.randint(1, COUNTERS)
        path, tally = f"/counters/{number}", self.ledger.tallies[number]
        now = await self.ask(Asked("GET", path))
        if now.failed or not self.ledger.expect(now.how == "200", f"GET {path}: {now}"):
            return
        value = now.body["n"] + 1
        await self._up.wait()
        asked = Asked("PATCH", path, {"n": value}, {"If-Match": now.etag})
        answer = await (self._insist(asked) if self._toss() else self.ask(asked))
        if answer.how == "200":
            self.ledger.expect(value not in tally.acknowledged, f"counter {number}: twice {value}")
            self.ledger.expect(answer.body["n"] == value, f"{asked}: {answer}")
            tally.acknowledged.add(value)
        elif answer.how in UNKNOWN:
            tally.doubtful.add(value)
        elif answer.how not in NOT_BEGUN:
            self.ledger.expect(answer.how == "412 precondition_failed", f"{asked}: {answer}")

    async def _read(self) -> None:
        note = self._chance.choice(self._mine)
        answer = await self.ask(Asked("GET", place(note)))
        if not answer.failed:
            right = answer.body == {"id": note.id, **note.body} and answer.etag == note.etag
            self.ledger.expect(right, f"GET {note}: {answer}")

    async def _find(self) -> None:
        """By what is in it, among all clients' records."""
        note = self._chance.choice(self._mine)
        answer = await self.ask(Asked("GET", f"/notes?token={note.token}&id__gte={note.id}"))
        if not answer.failed:
            items = answer.body["items"] if answer.how == "200" else None
            self.ledger.expect(items == [{"id": note.id, **note.body}], f"find {note}: {answer}")

    async def _change(self, note: Note, after: Body | None, asked: Asked, *, keyed: bool = False) -> Answer:
        """Ask for what makes ``after`` of the note, and keep what it may be by the answer."""
        before = note.possible[0]
        note.possible = [before, after]
        answer = await (self._insist(asked) if keyed else self.ask(asked))
        if answer.how in NOT_BEGUN:
            note.possible = [before]
        elif answer.how in UNKNOWN:
            if note in self._mine:
                self._mine.remove(note)
        elif self.ledger.expect(
            answer.how == _DONE[asked.method] and (after is None or without_id(answer.body) == after),
            f"{asked} on {note}: {answer}",
        ):
            note.possible, note.etag = [after], answer.etag
        return answer

    async def _insist(self, asked: Asked) -> Answer:
        """Ask under one Idempotency-Key until there is an answer, which stays the same."""
        key = {"Idempotency-Key": f"{self._chance.getrandbits(128):x}"}
        asked = replace(asked, headers={**asked.headers, **key})
        if self._chance.random() < _ABANDONED:
            await self.abandon(asked, self._chance.uniform(0, 0.05))
        answer = await self._ask_on(asked)
        if self._chance.random() < _REPEATED:
            again = await self._ask_on(asked)
            same = (again.how, again.body, again.etag) == (answer.how, answer.body, answer.etag)
            self.ledger.expect(
                same or answer.how[0] == again.how[0] == "4", f"{asked}: {answer}, then {again}"
            )
        return answer

    async def _ask_on(self, asked: Asked) -> Answer:
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = await self.ask(asked)
            if not answer.failed and answer.how != "409 idempotency_conflict":
                return answer
            if not self.ledger.expect(time.monotonic() < deadline, f"{asked} was never answered"):
                return Answer("ReadError", answer.sent, answer.came)
            self.ledger.counts["sent again"] += 1
            await self._up.wait()

    def _toss(self) -> bool:
        return self._chance.random() < 0.5

    def _maybe_match(self, note: Note) -> dict[str, str]:
        return {"If-Match": note.etag} if self._toss() else {}


def place(note: Note) -> str:
    """Its path."""
    return f"/notes/{note.id}"
