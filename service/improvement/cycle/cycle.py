"""One run from where it is to where it ends, or waits for a person."""

from __future__ import annotations

from collections.abc import Awaitable

from service.errors import ControlUnavailable, LarsError, kind_of
from service.improvement.cycle.deployment import Deployment
from service.improvement.cycle.development import Development
from service.improvement.cycle.logbook import Logbook
from service.improvement.cycle.targeting import Targeting
from service.improvement.cycle.workshop import Workshop
from service.improvement.runs.values import Chosen

_UNKNOWN = "nobody has compared {} with anything: the version before failed there"
_ENDED = "the process that worked on it ended before there was a candidate; begin another run"


async def go(workshop: Workshop, logbook: Logbook) -> None:
    """Work on a run that has just begun. RunLost, ControlUnavailable."""
    await _failing_well(_from_the_beginning(workshop, logbook), logbook)


async def go_on(workshop: Workshop, logbook: Logbook) -> None:
    """Work on a run that somebody has left. RunLost, ControlUnavailable."""
    if logbook.run.status == "running":
        await logbook.step("end", "interrupted", {"reason": _ENDED}, status="interrupted", reason=_ENDED)
    else:
        await _failing_well(_deploy(workshop, logbook), logbook)


async def _failing_well(work: Awaitable[None], logbook: Logbook) -> None:
    """Where only the database fails, a run that may have a canary already is left to whoever finds it."""
    try:
        await work
    except LarsError as error:
        if isinstance(error, ControlUnavailable) and logbook.run.status != "running":
            raise
        reason = f"{kind_of(error).code}: {error.detail}"
        await logbook.step("end", "failed", {"reason": reason}, status="failed", reason=reason)


async def _from_the_beginning(workshop: Workshop, logbook: Logbook) -> None:
    await _find(workshop, logbook)
    await _deploy(workshop, logbook)


async def _find(workshop: Workshop, logbook: Logbook) -> None:
    target = await Targeting(workshop, logbook).go()
    if target is None:
        return
    chosen = await Development(workshop, logbook, target).go()
    if chosen is None:
        return
    waits_for = _why_wait(workshop, chosen)
    if waits_for is None:
        summary = {"candidate": chosen.number, "by": "LARS_AUTO_DEPLOY"}
        await logbook.step("approve", "automatic", summary, status="deploying", chosen=chosen)
    else:
        summary = {"candidate": chosen.number, "reason": waits_for}
        await logbook.step(
            "approve", "waits", summary, status="awaiting_approval", reason=waits_for, chosen=chosen
        )


def _why_wait(workshop: Workshop, chosen: Chosen) -> str | None:
    """Why a person has to look at it; None when nobody has to."""
    if not workshop.terms.auto_deploy:
        return "a person approves or refuses it (LARS_AUTO_DEPLOY is false)"
    if chosen.mended:
        calls = f"{chosen.mended} answers of the candidate" if chosen.mended > 1 else "an answer"
        return f"a person approves or refuses it: {_UNKNOWN.format(calls)}"
    return None


async def _deploy(workshop: Workshop, logbook: Logbook) -> None:
    target, chosen = logbook.run.target, logbook.run.chosen
    if target is None or chosen is None:
        return
    deployment = Deployment(workshop, logbook, target, chosen)
    if logbook.run.status == "deploying":
        await deployment.deploy()
    if logbook.run.status == "monitoring" and logbook.run.watched is not None:
        await deployment.monitor(logbook.run.watched)
