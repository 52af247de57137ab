"""What the store refuses, as one tree: every class is one HTTP status and one code.

StoreError
├── BadQuery            400 bad_query           a filter, sort key, page or id that cannot be meant
│   ├── TooSlow         400 query_too_slow      the answer took longer than a transaction may take
│   └── TooManyAffected 400 too_many_affected   a bulk change would reach more rows than the caller allowed
├── DuplicateId         409 duplicate_id
├── PatchConflict       409 patch_conflict      a ``test`` of a JSON Patch failed
├── PreconditionFailed  412 precondition_failed If-Match names no current revision
├── BadRecord           422 bad_record          JSON that the store cannot keep exactly
├── PatchInvalid        422 patch_invalid       a patch that is malformed or names what is not there
├── ReadOnly            500 read_only           a write inside a reading transaction
├── Damaged             500 store_damaged       the file is no database of ours
├── SessionBusy         503 session_busy        another process held the session's file for too long
├── NoStorage           503 storage_unavailable the disk is full, or cannot be read or written
└── QuotaExceeded       507 quota_exceeded
"""

from __future__ import annotations

from typing import ClassVar

_SHOWN = 60


class StoreError(Exception):
    """``status`` and ``code`` are what HTTP says; ``detail`` names field, value, limit and remedy;
    ``extra`` holds JSON values for a program (an index, a count)."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "store_error"

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class BadQuery(StoreError):
    status = 400
    code = "bad_query"


class TooSlow(BadQuery):
    code = "query_too_slow"


class TooManyAffected(BadQuery):
    code = "too_many_affected"


class DuplicateId(StoreError):
    status = 409
    code = "duplicate_id"


class PatchConflict(StoreError):
    status = 409
    code = "patch_conflict"


class PreconditionFailed(StoreError):
    status = 412
    code = "precondition_failed"


class BadRecord(StoreError):
    status = 422
    code = "bad_record"


class PatchInvalid(StoreError):
    status = 422
    code = "patch_invalid"


class ReadOnly(StoreError):
    status = 500
    code = "read_only"


class Damaged(StoreError):
    status = 500
    code = "store_damaged"


class SessionGone(StoreError):
    status = 409
    code = "session_gone"


class SessionBusy(StoreError):
    status = 503
    code = "session_busy"


class NoStorage(StoreError):
    status = 503
    code = "storage_unavailable"


class QuotaExceeded(StoreError):
    status = 507
    code = "quota_exceeded"


def shown(value: object) -> str:
    """A repr short enough for a message, whatever was sent."""
    if isinstance(value, str):
        return repr(value[:_SHOWN]) + ("…" if len(value) > _SHOWN else "")
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        # repr() of an integer of 5,000 digits is a ValueError.
        return repr(value) if value.bit_length() < 200 else f"an integer of {value.bit_length()} bits"
    return f"a {type(value).__name__}"
