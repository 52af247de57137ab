"""What the owner of a session has chosen for it: kept beside its directory, where jailed code does not reach.

Read again after a second, so that every front follows a change."""

from __future__ import annotations

import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from sandbox_runtime.domain import Session
from service.errors import FieldError, ValidationFailed
from service.rest.context import DIALECTS
from service.sessions.directory import digest_of
from service.sessions.storage import in_storage

_FRESH = 1.0  # seconds
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """``dialect``: the conventions that requests follow which do not say otherwise."""

    dialect: str = "default"

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> SessionOptions:
        """ValidationFailed for a member that is none, or has no such value."""
        for name in body:
            if name != "dialect":
                raise ValidationFailed(
                    [FieldError(name[:100], "is not an option", "the only one is dialect")]
                )
        dialect = body.get("dialect", cls().dialect)
        if dialect not in DIALECTS:
            remedy = f"send one of {', '.join(DIALECTS)}"
            raise ValidationFailed([FieldError("dialect", "is no dialect", remedy, dialect)])
        return cls(str(dialect))


class OptionFiles:
    """The options of all sessions, as one front knows them."""

    def __init__(self, root: Path) -> None:
        self._root = root / "sessions"
        self._known: OrderedDict[Session, tuple[float, SessionOptions]] = OrderedDict()

    async def of(self, session: Session) -> SessionOptions:
        """The session's options, the defaults where it has none."""
        known = self._known.get(session)
        if known is not None and time.monotonic() - known[0] < _FRESH:
            return known[1]
        return self._know(session, await in_storage(self._load, session))

    async def change(self, session: Session, options: SessionOptions) -> None:
        """Keep other options."""
        await in_storage(self._save, session, options)
        self._know(session, options)

    async def forget(self, session: Session) -> None:
        """Back to the defaults."""
        await in_storage(self._remove, session)
        self._know(session, SessionOptions())

    def _know(self, session: Session, options: SessionOptions) -> SessionOptions:
        self._known[session] = time.monotonic(), options
        self._known.move_to_end(session)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return options

    def _path(self, session: Session) -> Path:
        digest = digest_of(session)
        return self._root / digest[:2] / f"{digest[2:]}.options"

    def _load(self, session: Session) -> SessionOptions:
        try:
            return SessionOptions.from_json(orjson.loads(self._path(session).read_bytes()))
        except FileNotFoundError:
            return SessionOptions()

    def _save(self, session: Session, options: SessionOptions) -> None:
        path = self._path(session)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{secrets.token_hex(8)}")
        fresh.write_bytes(orjson.dumps(asdict(options)))
        os.replace(fresh, path)

    def _remove(self, session: Session) -> None:
        with suppress(FileNotFoundError):
            self._path(session).unlink()
