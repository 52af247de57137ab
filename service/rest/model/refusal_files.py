"""Refusals on the disk, ``<data root>/plans/<key>.refused``, for the other fronts. They go as old plans do,
or when they are found to be over. Everything here blocks."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import orjson
import structlog

from service.errors import LarsError, PlannerFailed, PlanRefused
from service.rest.whole_file import put_whole

log = structlog.get_logger(__name__)


class RefusalFiles:
    """What cannot be read or written is logged: a model is asked once more."""

    def __init__(self, root: Path) -> None:
        self._root = root / "plans"

    def save(self, key: str, error: LarsError, seconds: float) -> None:
        """For so long from now. Of PlanRefused and PlannerFailed only."""
        body = {
            "until": time.time() + seconds,
            "code": error.code if isinstance(error, PlannerFailed) else None,
            "detail": error.detail,
            "rule": error.extra.get("rule"),
            "line": error.extra.get("line"),
        }
        try:
            put_whole(self._path(key), orjson.dumps(body))
        except OSError as error_:
            log.warning("refusal_not_kept", plan=key, reason=str(error_))

    def load(self, key: str) -> tuple[LarsError, float] | None:
        """The error, and the seconds that are left of it; None when there is none."""
        try:
            body = orjson.loads(self._path(key).read_bytes())
            left = float(body["until"]) - time.time()
            if left <= 0:
                with suppress(FileNotFoundError):
                    self._path(key).unlink()
                return None
            return _error(body), left
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("refusal_unreadable", plan=key, reason=str(error))
            return None

    def _path(self, key: str) -> Path:
        return self._root / f"{key}.refused"


def _error(body: dict[str, object]) -> LarsError:
    detail, code, rule, line = str(body["detail"]), body["code"], body["rule"], body["line"]
    if code is not None:
        return PlannerFailed(str(code), detail)
    return PlanRefused(
        detail,
        rule=rule if isinstance(rule, str) else None,
        line=line if isinstance(line, int) else None,
    )
