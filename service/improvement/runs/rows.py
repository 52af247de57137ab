"""Runs and steps as rows of their tables, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import orjson
from sqlalchemy import RowMapping

from service.functions.figures import Tally
from service.improvement.runs.values import Chosen, KeptStep, Order, Run, Watched

_PLAIN: Final = (
    *("id", "by", "status", "reason", "goal", "automatic", "tokens", "cost", "decision"),
    *("created", "updated", "ended", "holder", "lease"),
)

_NO_NUL: Final = "\N{REPLACEMENT CHARACTER}"  # PostgreSQL keeps no NUL; a module's exception may say one


def row_of(run: Run) -> dict[str, Any]:
    """Values by column."""
    contract, name = run.target or (None, None)
    detail = {
        "order": asdict(run.order),
        "live": run.live,
        "chosen": run.chosen,
        "watched": _watched_json(run.watched),
    }
    return {
        **{column: getattr(run, column) for column in _PLAIN},
        "reason": run.reason.replace("\0", _NO_NUL),
        "hash": contract,
        "name": name,
        "active": run.is_active,
        "detail": orjson.dumps(detail).decode(),
    }


def run_of(row: RowMapping) -> Run:
    """A row of the runs."""
    detail = orjson.loads(row["detail"])
    order, chosen, watched = detail["order"], detail["chosen"], detail["watched"]
    target = order.pop("target")
    return Run(
        order=Order(**order, target=None if target is None else tuple(target)),
        live=detail["live"],
        target=None if row["hash"] is None else (row["hash"], row["name"]),
        chosen=None if chosen is None else Chosen(**chosen),
        watched=None if watched is None else _watched_of(watched),
        **{column: row[column] for column in _PLAIN},
    )


def step_of(row: RowMapping) -> KeptStep:
    """A row of the steps."""
    return KeptStep(**{column: row[column] for column in KeptStep.__slots__})


def _watched_json(watched: Watched | None) -> dict[str, Any] | None:
    if watched is None:
        return None
    tallies = {name: _tally_json(getattr(watched, name)) for name in ("live", "canary")}
    return {"version": watched.version, "since": watched.since, **tallies}


def _watched_of(kept: dict[str, Any]) -> Watched:
    return Watched(kept["version"], kept["since"], _tally_of(kept["live"]), _tally_of(kept["canary"]))


def _tally_json(tally: Tally) -> list[Any]:
    return [tally.outcomes, tally.cpu, tally.run, sorted(tally.runs.items()), tally.last_called]


def _tally_of(kept: list[Any]) -> Tally:
    outcomes, cpu, run, runs, last_called = kept
    return Tally(outcomes, cpu, run, dict(runs), last_called)
