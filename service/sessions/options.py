"""What the owner of a session has chosen for it: kept beside its directory, where jailed code does not reach.

Read again when a front has changed them (``service.control.bulletin``): the request after the answer to a
change follows it, on whichever front. And after ten seconds, for what other services have changed in the same
data root: one that ends serves beside its successor.
"""

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
from service.control.bulletin import Bulletin, session_subject
from service.errors import FieldError, StorageUnavailable, ValidationFailed
from service.rest.context import DIALECTS
from service.sessions.directory import digest_of
from service.sessions.storage import in_storage

_FRESH = 10.0  # seconds
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


@dataclass(frozen=True, slots=True)
class _Known:
    """Read when the bulletin had this number."""

    number: int
    until: float
    options: SessionOptions


class OptionFiles:
    """The options of all sessions, as one front knows them. ``bulletin``: of the fronts that it is one of."""

    def __init__(self, root: Path, bulletin: Bulletin) -> None:
        self._root = root / "sessions"
        self._bulletin = bulletin
        self._known: OrderedDict[str, _Known] = OrderedDict()  # by digest

    async def of(self, session: Session) -> SessionOptions:
        """The session's options, the defaults where it has none. StorageUnavailable, also when what is kept
        is not what this version writes: under other conventions a request would mean something else."""
        digest = digest_of(session)
        number = self._bulletin.number(session_subject(digest))
        known = self._known.get(digest)
        if known is not None and known.number == number and time.monotonic() < known.until:
            return known.options
        options = await in_storage(self._load, digest)
        self._know(digest, number, options)
        return options

    async def change(self, session: Session, options: SessionOptions) -> None:
        """Keep other options."""
        digest = digest_of(session)
        await in_storage(self._save, digest, options)
        self._bulletin.announce(session_subject(digest))

    async def forget(self, session: Session) -> None:
        """Back to the defaults."""
        digest = digest_of(session)
        try:
            await in_storage(self._remove, digest)
        finally:  # the session may be gone all the same
            self._bulletin.announce(session_subject(digest))

    def _know(self, digest: str, number: int, options: SessionOptions) -> None:
        self._known[digest] = _Known(number, time.monotonic() + _FRESH, options)
        self._known.move_to_end(digest)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / f"{digest[2:]}.options"

    def _load(self, digest: str) -> SessionOptions:
        try:
            body = orjson.loads(self._path(digest).read_bytes())
            return SessionOptions.from_json(body if isinstance(body, dict) else {"": body})
        except FileNotFoundError:
            return SessionOptions()
        except (orjson.JSONDecodeError, ValidationFailed) as error:
            raise StorageUnavailable(
                "the session's options are damaged, or a newer version has written them; choose its dialect "
                "anew with PATCH /_/sessions/{session}, or restore them from a backup"
            ) from error

    def _save(self, digest: str, options: SessionOptions) -> None:
        path = self._path(digest)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{secrets.token_hex(8)}")
        with fresh.open("wb") as file:
            file.write(orjson.dumps(asdict(options)))
            file.flush()
            os.fsync(file.fileno())  # or a power failure could leave the name without the content
        os.replace(fresh, path)

    def _remove(self, digest: str) -> None:
        with suppress(FileNotFoundError):
            self._path(digest).unlink()
