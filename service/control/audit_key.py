"""The secret that seals the audit log: a setting, or a file that is made once. Who can write the database but
cannot read this cannot make a chain that verifies."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from service.control.refusal import ControlRefused
from service.settings import Settings

FILE: Final = "audit.key"
NO_KEY: Final = b""  # seals nothing: no head was made with it
_LENGTH: Final = 32
_MODE: Final = 0o600


def audit_key(settings: Settings) -> bytes:
    """LARS_AUDIT_KEY, or what ``audit.key`` in the data root holds. ControlRefused when it can be neither
    read nor made, or is no key."""
    if settings.audit_key:
        return settings.audit_key.reveal().encode("utf-8", "surrogateescape")
    path = settings.data_root / FILE
    try:
        key = _read(path) or _make(path)
    except OSError as error:
        raise ControlRefused(
            f"the audit log has no key: {path}: {error.strerror}; make it readable, or set LARS_AUDIT_KEY"
        ) from error
    if len(key) != _LENGTH:
        raise ControlRefused(
            f"{path} holds {len(key)} bytes and not the {_LENGTH} of a key; restore it from a backup"
        )
    return key


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _make(path: Path) -> bytes:
    """The key of whichever process was first: link(2) puts a whole file in place, and replaces none."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _MODE)  # a umask may have taken from it
            file.write(secrets.token_bytes(_LENGTH))
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    return path.read_bytes()
