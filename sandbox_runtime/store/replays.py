"""Answers kept under the caller's Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), in the same
transaction as what they answer: either both last or neither."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from sandbox_runtime.call import Replay
    from sandbox_runtime.store.connection import Connection

MAX_REPLAYS = 10_000
MAX_AGE = 24 * 3600  # seconds
_FORGET_AT_ONCE = 10
SCHEMA = (
    """
    CREATE TABLE replays (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        made INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        status INTEGER NOT NULL,
        headers TEXT NOT NULL,
        body TEXT
    )
    """,
)


class Replays:
    """Only for use within a transaction; ``keep`` within a writing one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, key: str) -> tuple[str, int, dict[str, str], bytes | None] | None:
        """Fingerprint, status, headers and body (JSON text) of the answer, when there is one of less than a
        day."""
        rows = self._connection.rows(
            "SELECT fingerprint, status, headers, body FROM replays WHERE key = ? AND made > ?",
            (key, int(time.time()) - MAX_AGE),
        )
        if not rows:
            return None
        fingerprint, status, headers, body = rows[0]
        return fingerprint, status, orjson.loads(headers), None if body is None else body.encode()

    def keep(self, replay: Replay, status: int, headers: dict[str, str], body: bytes | None) -> None:
        """Keep an answer, and forget those that are too old or too many."""
        run = self._connection.run
        now = int(time.time())
        run("DELETE FROM replays WHERE key = ?", (replay.key,))
        cursor = run(
            "INSERT INTO replays (key, made, fingerprint, status, headers, body) VALUES (?, ?, ?, ?, ?, ?)",
            (
                replay.key,
                now,
                replay.fingerprint,
                status,
                orjson.dumps(headers).decode(),
                None if body is None else body.decode(),
            ),
        )
        run("DELETE FROM replays WHERE number <= ?", ((cursor.lastrowid or 0) - MAX_REPLAYS,))
        run(
            "DELETE FROM replays WHERE made <= ?"
            " AND number IN (SELECT number FROM replays ORDER BY number LIMIT ?)",
            (now - MAX_AGE, _FORGET_AT_ONCE),
        )
