"""How one entry of the audit log is sealed, and how the head is. Pure.

    seal(n) = HMAC-SHA256(key, seal(n - 1) || entry n as canonical JSON)       seal(0) is 32 zero bytes
    mac     = HMAC-SHA256(key, "head" || seq as 8 bytes || seal)

RFC 2104. What makes a MAC is 44 bytes, and what makes a seal is longer: none reads as the other.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from service.access.principal import Actor

ORIGIN: Final = bytes(32)
OK: Final = "ok"
_MAX_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class Event:
    """What is to be recorded. ``action``: such as ``key.add``; ``target``: such as the id of a key;
    ``outcome``: ``ok`` or the code of an error; ``detail``: JSON, and no secret."""

    by: Actor
    action: str
    target: str
    detail: Mapping[str, object] = field(default_factory=dict)
    outcome: str = OK


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it is kept. ``seq`` counts from 1; ``time``: seconds since the epoch; ``detail``: JSON."""

    seq: int
    time: float
    principal: str
    source: str
    action: str
    target: str
    outcome: str
    detail: str
    seal: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry, which vouches for all before it. ``mac`` is empty before the first."""

    seq: int
    seal: bytes
    mac: bytes


def seal_of(key: bytes, before: bytes, entry: Entry) -> bytes:
    """The seal that ``entry`` must have after one that has ``before``."""
    content = {
        "seq": entry.seq,
        "time": entry.time,
        "principal": entry.principal,
        "source": entry.source,
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
        "detail": entry.detail,
    }
    return hmac.digest(key, before + orjson.dumps(content, option=orjson.OPT_SORT_KEYS), "sha256")


def mac_of(key: bytes, seq: int, seal: bytes) -> bytes:
    """What vouches for a head."""
    return hmac.digest(key, b"head" + seq.to_bytes(8, "big") + seal, "sha256")


def is_head_of(key: bytes, head: Head) -> bool:
    """Whether it was made with ``key``. A log without entries has no MAC yet."""
    if head.seq == 0:
        return head.seal == ORIGIN and head.mac == b""
    return hmac.compare_digest(head.mac, mac_of(key, head.seq, head.seal))


def plain(text: str) -> str:
    """``text`` as every database keeps it: short, on one line, without NUL and lone surrogates."""
    short = text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "..."
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in short)
