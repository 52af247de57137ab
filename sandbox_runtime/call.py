"""One call of a plan as both sides of the wire see it: what a worker is bound to, the call, the reply.

Pure values, sent as JSON objects of their fields. What comes back is the plan's own word: ``Reply.from_wire``
checks its form, and it is believed about this one request only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox_runtime.wire import WireError

# Of all that a kept plan relies on: the policy, the names it is given, the form of its reply.
PLAN_VERSION = "1"
MAX_HEADERS = 32
MAX_HEADER_BYTES = 8192
_MAX_TEXT = 16 * 1024


def largest_file(quota: int) -> int:
    """Bytes that one file of a session may have: the write-ahead log may hold every page once more before it
    is folded into the database."""
    return 2 * quota


@dataclass(frozen=True, slots=True)
class Binding:
    """What a session's worker is limited to for as long as it lives. Bytes; ``full_sync``: every commit is on
    the disk before its reply (SQLite's ``synchronous=FULL``)."""

    memory: int
    quota: int
    max_result: int
    full_sync: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """The caller's Idempotency-Key, and a digest of what it was sent with."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a session.

    ``block``: the plan's text, sent once to each worker. ``body``: the body of the request as JSON text, or
    None. ``write``: whether the plan may change anything. ``dry_run``: whether what it changes is undone.
    """

    plan_id: str
    plan: dict[str, object]
    ctx: dict[str, object]
    write: bool
    block: str | None = None
    body: str | None = None
    dry_run: bool = False
    replay: Replay | None = None


END = "end"


@dataclass(frozen=True, slots=True)
class Operation:
    """Something done to the session as a whole: END, after which nobody's transaction begins, or one of
    ``session_operations``."""

    name: str
    options: dict[str, object]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no reply of the plan's own: a stable ``code``, ``detail`` in one line, further members."""

    code: str
    detail: str
    extra: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the plan answered, its body apart: or the trouble it came to. ``run`` in seconds; ``last``: the
    worker must not be called again."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    trouble: Trouble | None = None
    run: float = 0.0
    last: bool = False

    @classmethod
    def from_wire(cls, body: Mapping[str, object]) -> Reply:
        """From a REPLY payload. WireError when it is not of the form above."""
        if set(body) != set(cls.__slots__):
            raise WireError(f"REPLY: members {sorted(body)!r:.100}")
        status, run = body["status"], body["run"]
        if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
            raise WireError(f"REPLY: status is {status!r:.60}")
        if isinstance(run, bool) or not isinstance(run, int | float) or not 0 <= run < 1e9:
            raise WireError(f"REPLY: run is {run!r:.60}")
        headers, trouble = _headers(body["headers"]), _trouble(body["trouble"])
        return cls(status, headers, trouble, float(run), body["last"] is True)


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_HEADERS:
        raise WireError("REPLY: headers is not a small object")
    for name, text in value.items():
        if not isinstance(text, str) or len(name) + len(text) > MAX_HEADER_BYTES:
            raise WireError(f"REPLY: header {name!r:.60} is no short text")
    return value


def _trouble(value: object) -> Trouble | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != set(Trouble.__slots__):
        raise WireError("REPLY: trouble is not of its form")
    code, detail, extra = value["code"], value["detail"], value["extra"]
    if not isinstance(code, str) or not isinstance(detail, str) or not isinstance(extra, dict):
        raise WireError("REPLY: trouble is not of its form")
    return Trouble(code[:100], detail[:_MAX_TEXT], extra)
