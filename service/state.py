"""What every endpoint of one front shares."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import cast

from starlette.requests import Request
from starlette.types import Scope

from sandbox_runtime.call import PLAN_VERSION
from sandbox_runtime.layers import LayerState
from service.access.denials import Denials
from service.access.gate import Gate
from service.access.keyring import Keyring
from service.access.meter import Meter
from service.access.passage import Passage
from service.access.principal import Principal
from service.control.bulletin import Bulletin
from service.control.control import Control
from service.errors import ControlUnavailable
from service.functions.contracts import INSPECTIONS, TRIALS, Contracts, contract_limits
from service.functions.function_meter import FunctionMeter
from service.functions.functions import Functions
from service.functions.module_writing import Bounds
from service.functions.modules import Modules
from service.functions.recorder import Recorder
from service.functions.table import FunctionTable
from service.functions.uploads import Uploads
from service.improvement.cycle.improver import Improver
from service.improvement.cycle.workshop import Workshop, terms_of
from service.improvement.runs.events import RunStreams
from service.improvement.trial.examiner import Examiner
from service.limits.limiter import Limiter
from service.limits.store import Store
from service.planning.allowance import Allowance
from service.planning.line import Line
from service.planning.planning import Planning
from service.pool.lending import SPARE_WORKERS
from service.pool.pool import Pool, PoolSize
from service.rest.builtin import BuiltinPlanner
from service.rest.judge import admit
from service.rest.lookup import Lookup
from service.rest.model.llm_planner import PROOFS, LlmPlanner
from service.rest.model.plans import ModelPlans
from service.rest.model.shapes import model_versions
from service.rest.plan import Planner
from service.rest.plan_cache import PlanCache
from service.rest.plan_files import PlanFiles
from service.rest.proof.prover import Prover
from service.sessions.sessions import Sessions, session_limits
from service.settings import Settings
from service.system.live_document import LiveDocument

_NO_CONTROL = "this front has no control database"
_FILES_FOR_EACH = 4  # plans on the disk for each in memory


@dataclass(slots=True)
class Sandbox:
    """What the zygotes said of themselves: layers in force, modules a program finds already imported."""

    layers: tuple[LayerState, ...] = ()
    modules: tuple[str, ...] = ()


@dataclass(slots=True)
class Phase:
    """``draining``: the service ends, and asks to be sent nothing more."""

    draining: bool = False


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Settings of this front, and what it owns."""

    settings: Settings
    restricted: Settings  # of keys whose programs run under that policy at least
    pool: Pool
    sessions: Sessions
    functions: Functions
    planner: Planner
    planning: Planning
    plans: PlanCache
    lookup: Lookup
    passage: Passage
    opened: Control | None = None
    opened_improver: Improver | None = None
    streams: RunStreams = field(default_factory=RunStreams)
    sandbox: Sandbox = field(default_factory=Sandbox)
    phase: Phase = field(default_factory=Phase)
    document: LiveDocument = field(default_factory=LiveDocument)

    @property
    def control(self) -> Control:
        """The control database. ControlUnavailable where there is none."""
        if self.opened is None:
            raise ControlUnavailable(_NO_CONTROL)
        return self.opened

    @property
    def improver(self) -> Improver:
        """Who works on runs of improvement. ControlUnavailable where they cannot be kept."""
        if self.opened_improver is None:
            raise ControlUnavailable(_NO_CONTROL)
        return self.opened_improver

    async def changed(self) -> None:
        """The control database was changed here: every front of this node looks before its next request."""
        await self.passage.changed()

    def settings_for(self, principal: Principal) -> Settings:
        """The settings as they are for this caller."""
        return self.restricted if principal.policy == "restricted" else self.settings

    def cut_off(self) -> None:
        """End every worker; what runs on one is answered WorkerLost."""
        self.sessions.cut_off()
        self.functions.contracts.cut_off()
        self.pool.cut_off()

    async def close(self) -> None:
        """End every worker."""
        self.streams.close()
        if self.opened_improver is not None:
            await self.opened_improver.close()
        await self.plans.close()
        self.planning.line.close()
        await self.sessions.close()
        await self.functions.contracts.close()
        await self.pool.close()
        await self.passage.limiter.close()


def new_passage(
    settings: Settings, store: Store, denials: Denials | None = None, *, local: bool = True
) -> Passage:
    """Without a key yet. ``local``: the service listens on a loopback address."""
    texts = {"LARS_AUTH_TOKEN": settings.auth_token, "STARGATE_API_KEY": settings.stargate_api_key}
    keyring = Keyring({name: text for name, text in texts.items() if text is not None})
    return Passage(
        Gate(keyring, settings.public, local=local), Limiter(store, settings.rate), Meter(), denials
    )


def new_state(
    settings: Settings,
    pool: Pool,
    passage: Passage,
    control: Control | None = None,
    bulletin: Bulletin | None = None,
) -> ServiceState:
    """The state of a front over its pool; alone without ``bulletin``. Only where an event loop runs."""
    planner = BuiltinPlanner()

    async def admit_block(block: str, values: object, vocabulary: Collection[str]) -> None:
        await admit(pool, block, values, vocabulary)

    files = PlanFiles(settings.data_root, settings.max_plans * _FILES_FOR_EACH)
    plans = PlanCache(planner, admit_block, files, settings.max_plans)
    planning = _planning(settings, passage)
    proofs = PROOFS if planning.line.expected else 0  # what no model writes needs no proof
    workers = _lent(settings, settings.session_workers + proofs)
    sessions = Sessions(workers, session_limits(settings), bulletin or Bulletin())
    functions = _functions(settings, control)
    improver = None
    if control is not None:
        examiner = Examiner(functions, settings.improve_calls)
        terms = terms_of(settings)
        improver = Improver(Workshop(control, functions, planning, pool, examiner, terms, passage.changed))
    return ServiceState(
        settings,
        replace(settings, execute_policy="restricted"),
        pool,
        sessions,
        functions,
        planner,
        planning,
        plans,
        _lookup(settings, planner, plans, planning, sessions.workers),
        passage,
        control,
        improver,
    )


def _planning(settings: Settings, passage: Passage) -> Planning:
    expected = settings.default_provider != "builtin" or settings.llm_mock_handler is not None
    allowance = Allowance(passage.limiter, passage.meter, settings.llm_day_tokens, settings.llm_day_shapes)
    return Planning(Line(expected=expected), allowance, settings.llm_timeout, settings.llm_request_tokens)


def _lookup(
    settings: Settings, planner: Planner, plans: PlanCache, planning: Planning, workers: Pool
) -> Lookup:
    writer = LlmPlanner(planning, plans, Prover(workers, settings), settings.llm_timeout)
    models = ModelPlans(plans, writer, planning, settings.data_root)
    by_rules = (("planner", planner.version), ("policy", PLAN_VERSION))
    versions = by_rules, model_versions(settings)
    return Lookup(planner, plans, models, versions, model_first=settings.planning == "llm")


def _functions(settings: Settings, control: Control | None) -> Functions:
    bounds = Bounds(settings.max_code_bytes, settings.uploads_quota)
    table = FunctionTable()
    workers = settings.contract_workers + INSPECTIONS + TRIALS
    return Functions(
        table,
        Contracts(_lent(settings, workers), contract_limits(settings)),
        Uploads(settings.uploads_dir, bounds),
        Modules(None if control is None else control.functions, settings.max_code_bytes),
        FunctionMeter(),
        Recorder(settings.data_root, table),
        settings.max_exec_ms / 1000,
        settings.max_code_bytes,
    )


def _lent(settings: Settings, workers: int) -> Pool:
    """The pool of workers that are bound for life, of which so many may be bound."""
    size = PoolSize(idle=0, workers=workers + SPARE_WORKERS, queue=settings.queue_size)
    return Pool(size, prove_first=False, by_shares=False)


def state_of(request: Request) -> ServiceState:
    """The front's state, which ``create_app`` has put on the application."""
    return cast(ServiceState, request.app.state.service)


def passage_of(scope: Scope) -> Passage:
    """The front's passage, before there is a request."""
    return cast(ServiceState, scope["app"].state.service).passage


def functions_of(scope: Scope) -> Functions:
    """The front's functions, before there is a request."""
    return cast(ServiceState, scope["app"].state.service).functions
