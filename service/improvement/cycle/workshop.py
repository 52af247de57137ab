"""What every run of one front works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.control.control import Control
from service.functions.functions import Functions
from service.improvement.cycle.canary import Thresholds
from service.improvement.runs.request import Usual
from service.improvement.trial.examiner import Examiner
from service.planning.planning import Planning
from service.pool.pool import Pool
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Terms:
    """``auto_deploy``: what the evidence admits needs no person. ``least_calls``: recorded ones without which
    nothing is examined; ``percent`` of the calls that a canary gets; ``interval``: seconds between runs of
    the service's own, 0 for none."""

    auto_deploy: bool
    least_calls: int
    percent: int
    interval: float
    thresholds: Thresholds
    usual: Usual


@dataclass(frozen=True, slots=True)
class Workshop:
    """``pool``: of one-shot workers. ``changed``: to be told when a function has changed."""

    control: Control
    functions: Functions
    planning: Planning
    pool: Pool
    examiner: Examiner
    terms: Terms
    changed: Callable[[], Awaitable[None]]


def terms_of(settings: Settings) -> Terms:
    """From the settings."""
    return Terms(
        auto_deploy=settings.auto_deploy,
        least_calls=settings.improve_calls,
        percent=settings.canary_percent,
        interval=settings.auto_enhance_interval,
        thresholds=Thresholds(
            calls=settings.canary_calls,
            seconds=settings.canary_seconds,
            errors=settings.canary_errors / 100,
            slowdown=settings.canary_slowdown,
        ),
        usual=Usual(settings.improve_candidates, settings.improve_tokens),
    )
