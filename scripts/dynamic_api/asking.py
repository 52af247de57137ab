"""One request, what must come back, and what is wrong with what did. Standard library only."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Literal

from scripts.test_api import REPLY_SECONDS, Expected, as_json, member, opener_for, same, short

KeyToSend = Literal["own", "none", "wrong"]
# Has no form of its own, as a token that an operator chose has none.
WRONG_KEY = "not-the-key-of-this-service"


@dataclass(frozen=True, slots=True)
class Reply:
    """``body``: its JSON, or its text. ``headers``: names in lower case."""

    status: int
    body: object
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """A request and what must come back: the status, members by dotted path (a value or a predicate), the
    whole ``body`` where that is expected, headers. ``closed``: the status of a service that does not offer
    this."""

    name: str
    method: str
    path: str
    status: int = 200
    sent: bytes | None = None
    members: Mapping[str, Expected] = field(default_factory=dict)
    body: Expected | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    key: KeyToSend = "own"
    closed: int | None = None


def ask(base: str, step: Step, key: str) -> Reply:
    """Send it. OSError when nothing answers."""
    request = urllib.request.Request(base + step.path, data=step.sent, method=step.method)
    if step.sent is not None:
        request.add_header("Content-Type", step.content_type)
    if step.key != "none":
        given = key if step.key == "own" else WRONG_KEY
        request.add_unredirected_header("Authorization", f"Bearer {given}")
    try:
        with opener_for(base).open(request, timeout=REPLY_SECONDS) as reply:
            return Reply(reply.status, as_json(reply.read()), _lowered(reply.headers))
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Reply(refusal.code, as_json(refusal.read()), _lowered(refusal.headers))


def faults(step: Step, reply: Reply) -> list[str]:
    """What is wrong with a reply; empty when nothing is."""
    if reply.status != step.status:
        return [f"status {reply.status}, expected {step.status}: {short(reply.body)}"]
    found = [] if step.body is None else _fault("the body", reply.body, step.body)
    for path, expected in step.members.items():
        try:
            found += _fault(path, member(reply.body, path), expected)
        except KeyError:
            found.append(f"no member {path}")
    for name, text in step.headers.items():
        found += _fault(f"the header {name}", reply.headers.get(name.lower()), text)
    return found


def _fault(what: str, value: object, expected: Expected) -> list[str]:
    if expected(value) if callable(expected) else same(value, expected):
        return []
    wanted = "" if callable(expected) else f", expected {short(expected)}"
    return [f"{what} is {short(value)}{wanted}"]


def _lowered(headers: Message) -> dict[str, str]:
    return {name.lower(): text for name, text in headers.items()}
