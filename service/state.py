"""What every endpoint of one front shares."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

from starlette.requests import Request

from sandbox_runtime.call import PLAN_VERSION
from sandbox_runtime.layers import LayerState
from service.pool.pool import Pool, PoolSize
from service.rest.builtin import BuiltinPlanner
from service.rest.judge import admit
from service.rest.plan import Planner
from service.rest.plan_cache import PlanCache
from service.rest.plan_files import PlanFiles
from service.sessions.sessions import SPARE_WORKERS, Sessions, session_limits
from service.settings import Settings

_FILES_FOR_EACH = 4  # plans on the disk for each in memory


@dataclass(slots=True)
class Sandbox:
    """What the zygotes said of themselves: layers in force, modules a program finds already imported."""

    layers: tuple[LayerState, ...] = ()
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Settings of this front, and what it owns."""

    settings: Settings
    pool: Pool
    sessions: Sessions
    planner: Planner
    plans: PlanCache
    sandbox: Sandbox = field(default_factory=Sandbox)

    @property
    def plan_versions(self) -> tuple[tuple[str, str], ...]:
        """What else than its shape a plan depends on."""
        return ("planner", self.planner.version), ("policy", PLAN_VERSION)

    def cut_off(self) -> None:
        """End every worker; what runs on one is answered WorkerLost."""
        self.sessions.cut_off()
        self.pool.cut_off()

    async def close(self) -> None:
        """End every worker."""
        await self.sessions.close()
        await self.pool.close()


def new_state(settings: Settings, pool: Pool, sandbox: Sandbox | None = None) -> ServiceState:
    """The state of a front over its pool. Only where an event loop runs."""
    planner = BuiltinPlanner()

    async def admit_block(block: str, values: object, vocabulary: Collection[str]) -> None:
        await admit(pool, block, values, vocabulary)

    files = PlanFiles(settings.data_root, settings.max_plans * _FILES_FOR_EACH)
    size = PoolSize(idle=0, workers=settings.session_workers + SPARE_WORKERS, queue=settings.queue_size)
    return ServiceState(
        settings,
        pool,
        Sessions(Pool(size, prove_first=False, by_shares=False), session_limits(settings)),
        planner,
        PlanCache(planner, admit_block, files, settings.max_plans),
        sandbox or Sandbox(),
    )


def state_of(request: Request) -> ServiceState:
    """The front's state, which ``create_app`` has put on the application."""
    return cast(ServiceState, request.app.state.service)
