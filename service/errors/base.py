"""What every error has: the roots of the tree, and one field that cannot be accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

_SHOWN = 100


class LarsError(Exception):
    """``detail``: a sentence for the caller. ``extra``: more members of the body. ``headers``: more of the
    response's."""

    def __init__(
        self,
        detail: str,
        *,
        extra: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class RequestError(LarsError):
    """The request is at fault; sent again as it is, it fails again."""


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that cannot be accepted: where, why, what to send instead. ``value`` is shown shortened."""

    field: str
    message: str
    remedy: str
    value: object = MISSING
    limit: object = MISSING

    def as_json(self) -> dict[str, object]:
        """Members ``field``, ``message``, ``value`` and ``limit`` where there is one, ``remedy``."""
        body: dict[str, object] = {"field": self.field, "message": self.message}
        if self.value is not MISSING:
            body["value"] = shown(self.value)
        if self.limit is not MISSING:
            body["limit"] = self.limit
        return {**body, "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{self.field}: {self.message}; {self.remedy}"


class ServiceError(LarsError):
    """The request may be right; the service could not serve it."""


class TryLater(ServiceError):
    """The same request may succeed after ``retry_after`` whole seconds (RFC 9110 section 10.2.3).
    Without ``detail`` the class says what is usual for it."""

    usual: ClassVar[str] = "The service cannot serve this request now"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        seconds = max(1, retry_after)
        super().__init__(
            f"{detail or self.usual}; send it again after {seconds} s",
            extra={"retry_after": seconds},
            headers={"Retry-After": str(seconds)},
        )


def shown(value: object) -> object:
    """``value`` as an error may repeat it: short, and always valid JSON."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else cut(f"{value:#x}")
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    return f"an object of {len(value)} members" if isinstance(value, dict) else type(value).__name__


def cut(text: str) -> str:
    """At most a hundred characters of it, all of which UTF-8 can hold."""
    short = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return short.encode("utf-8", "backslashreplace").decode("utf-8")
