"""What a key may be, and what state it is in. Pure; times in seconds since the epoch."""

from __future__ import annotations

import math
from typing import Final, Literal

from service.access.principal import Key, KeySpec
from service.errors import FieldError, ValidationFailed

State = Literal["active", "rotating", "expired", "revoked"]
MAX_NAME: Final = 100
MAX_DESCRIPTION: Final = 1000
MAX_OVERLAP: Final = 365 * 86_400
_LAST_TIME: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that RFC 3339 can write


def check_spec(spec: KeySpec, now: float) -> None:
    """ValidationFailed with every field that no key may have."""
    errors = [
        error for error in (_name(spec), _description(spec), _scopes(spec), _expires(spec, now)) if error
    ]
    if errors:
        raise ValidationFailed(errors)


def check_overlap(seconds: float) -> None:
    """ValidationFailed when an old secret may not be taken for so long."""
    if not 0 <= seconds <= MAX_OVERLAP:  # a NaN is neither
        shown = seconds if math.isfinite(seconds) else str(seconds)
        raise ValidationFailed(
            [FieldError("overlap", "is out of range", f"send 0 to {MAX_OVERLAP} seconds", shown, MAX_OVERLAP)]
        )


def state_of(key: Key, now: float) -> State:
    """``rotating``: the secret before the last rotation is still taken."""
    if key.revoked is not None:
        return "revoked"
    if key.spec.expires is not None and key.spec.expires <= now:
        return "expired"
    return "rotating" if key.previous_until is not None and key.previous_until > now else "active"


def _name(spec: KeySpec) -> FieldError | None:
    if 1 <= len(spec.name) <= MAX_NAME and spec.name.isprintable() and spec.name.strip():
        return None
    remedy = f"send 1 to {MAX_NAME} printable characters"
    return FieldError(
        "name", f"is {len(spec.name)} characters, or not printable", remedy, spec.name, MAX_NAME
    )


def _description(spec: KeySpec) -> FieldError | None:
    text = spec.description
    if len(text) <= MAX_DESCRIPTION and all(char.isprintable() or char in "\n\t" for char in text):
        return None
    remedy = f"send at most {MAX_DESCRIPTION} printable characters"
    return FieldError(
        "description", f"is {len(text)} characters, or not printable", remedy, text, MAX_DESCRIPTION
    )


def _scopes(spec: KeySpec) -> FieldError | None:
    return None if spec.scopes else FieldError("scopes", "are none", "give the key at least one scope", [])


def _expires(spec: KeySpec, now: float) -> FieldError | None:
    if spec.expires is None or now < spec.expires <= _LAST_TIME:
        return None
    shown = spec.expires if math.isfinite(spec.expires) else str(spec.expires)
    return FieldError("expires", "is not in the future", "send a later time, or none", shown)
