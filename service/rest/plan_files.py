"""Admitted plans on the disk: ``<data root>/plans/<key>``, one JSON file each, for the next start and for the
other fronts. Everything here blocks."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import orjson
import structlog

from service.rest.plan import Plan
from service.rest.whole_file import put_whole

log = structlog.get_logger(__name__)
Maker = Literal["builtin", "llm"]
_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHARE = 10  # of so many plans one goes when there are too many


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan that was admitted; ``made``: Unix time; ``seconds``: what making and judging it took. ``model``:
    who wrote it, as provider/model, None for rules."""

    plan: Plan
    source: Maker
    made: float
    seconds: float
    model: str | None = None

    @classmethod
    def made_now(cls, plan: Plan, source: Maker, seconds: float, model: str | None = None) -> KeptPlan:
        """With the time."""
        return cls(plan, source, time.time(), seconds, model)


class PlanFiles:
    """At most about ``most`` files; the oldest go first. What cannot be read or written is logged: a plan
    that is not kept is made again."""

    def __init__(self, root: Path, most: int) -> None:
        self._root = root / "plans"
        self._most = most
        self._count: int | None = None

    def load(self, key: str) -> KeptPlan | None:
        """The plan of this key, None when there is none."""
        if not _KEY.fullmatch(key):
            return None
        try:
            body = orjson.loads((self._root / key).read_bytes())
            return KeptPlan(
                Plan.from_json(body["plan"]),
                cast(Maker, str(body["source"])),
                float(body["made"]),
                float(body["seconds"]),
                body.get("model"),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("plan_unreadable", plan=key, reason=str(error))
            return None

    def save(self, key: str, kept: KeptPlan) -> None:
        """Whole or not at all: a file of that name is always a whole plan."""
        body = {
            "plan": kept.plan.as_json(),
            "source": kept.source,
            "made": kept.made,
            "seconds": kept.seconds,
            "model": kept.model,
        }
        try:
            put_whole(self._root / key, orjson.dumps(body))
            self._make_room()
        except OSError as error:
            log.warning("plan_not_kept", plan=key, reason=str(error))

    def _make_room(self) -> None:
        self._count = sum(1 for _ in os.scandir(self._root)) if self._count is None else self._count + 1
        if self._count <= self._most:
            return
        oldest = sorted(os.scandir(self._root), key=lambda entry: entry.stat().st_mtime)
        for entry in oldest[: max(1, self._most // _SHARE)]:
            with suppress(FileNotFoundError):  # another front was first
                os.unlink(entry.path)
        self._count = None
