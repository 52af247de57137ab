"""All that the processes of a service count, but what has rows of its own in the control database (functions)
or in the planner (models). Every family is in docs/metrics.md.

The order of the families is that of their cells in memory, which supervisor and fronts share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from sandbox_runtime.domain import WORKER_KINDS
from service.access.gate import ENDPOINTS
from service.errors import KINDS, PLANNER_KINDS, STORE_KINDS
from service.errors.access import LIMITS
from service.improvement.runs.values import Ended
from service.pool.job import Verdict
from service.telemetry.families import Counter, Family, Gauge, Histogram

_SECONDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
_BYTES: Final = tuple(float(256 << step) for step in range(0, 17, 2))  # 256 B to 16 MiB
NO_ENDPOINT: Final = "none"
OTHER_METHOD: Final = "other"
NO_STATUS: Final = "none"
_ENDPOINT: Final = {"endpoint": (*ENDPOINTS, NO_ENDPOINT)}
_DOMAIN: Final = {"domain": WORKER_KINDS}
METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", OTHER_METHOD)
STATUSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx", NO_STATUS)
_CODES: Final = tuple(
    dict.fromkeys(kind.code for kinds in (KINDS, STORE_KINDS, PLANNER_KINDS) for kind in kinds.values())
)
_NOTHING: Final[Mapping[str, tuple[str, ...]]] = {}

# Requests.
REQUESTS: Final = Counter(
    "lars_requests",
    "Requests that are over.",
    {**_ENDPOINT, "method": METHODS, "status": STATUSES},
)
REQUEST_SECONDS: Final = Histogram(
    "lars_request_seconds", "From the head of a request to the end of its answer.", _SECONDS, _ENDPOINT
)
REQUEST_BYTES: Final = Histogram(
    "lars_request_bytes", "Bodies of requests, as far as they were read.", _BYTES, _ENDPOINT
)
RESPONSE_BYTES: Final = Histogram("lars_response_bytes", "Bodies of answers.", _BYTES, _ENDPOINT)
REQUEST_CPU: Final = Counter(
    "lars_request_cpu_seconds", "CPU that workers used for these requests.", _ENDPOINT
)
ERRORS: Final = Counter("lars_errors", "Problems that were answered, by their code.", {"code": _CODES})
LIMITED: Final = Counter(
    "lars_limit_refusals", "Requests refused because a limit of their key is used up.", {"limit": LIMITS}
)

# Connections.
ACCEPTING: Final = Gauge("lars_fronts_accepting", "Fronts that take new connections.", _NOTHING)
CONNECTIONS: Final = Gauge("lars_connections_open", "Connections that are open.", _NOTHING)
ACCEPTED: Final = Counter("lars_connections_accepted", "Connections that were let in.", _NOTHING)
REFUSED: Final = Counter(
    "lars_connections_refused", "Connections for which there was no place, and nobody to make room.", _NOTHING
)
EVICTED: Final = Counter(
    "lars_connections_evicted", "Connections without a request, closed to make room.", _NOTHING
)
_BUFFERS: Final = {"of": ("bodies", "answers")}
BUFFERED: Final = Gauge(
    "lars_buffer_bytes", "Bodies that are read or in work, and answers that are not taken yet.", _BUFFERS
)
CUT_OFF: Final = Counter(
    "lars_buffers_cut_off", "Bodies and answers given up because too many callers were slow.", _BUFFERS
)

# Programs and workers.
PROGRAMS: Final = Counter(
    "lars_programs", "Programs of callers that ran, by verdict.", {"verdict": get_args(Verdict)}
)
QUEUE_SECONDS: Final = Histogram(
    "lars_queue_seconds", "What a request waited for a worker, or for its turn with one.", _SECONDS, _DOMAIN
)
BIND_SECONDS: Final = Histogram(
    "lars_bind_seconds", "What it took to bind a worker to what it runs.", _SECONDS, _DOMAIN
)
RUN_SECONDS: Final = Histogram(
    "lars_run_seconds", "What a program, a plan or a function ran.", _SECONDS, _DOMAIN
)
WORKERS: Final = Gauge(
    "lars_pool_workers", "Workers that there are.", {**_DOMAIN, "state": ("starting", "idle", "busy")}
)
WAITING: Final = Gauge("lars_requests_waiting", "Requests that wait for a worker, or their turn.", _DOMAIN)
FORKS: Final = Counter("lars_forks", "Workers that were made.", _DOMAIN)
FORK_FAILURES: Final = Counter("lars_fork_failures", "Workers that could not be made.", _DOMAIN)
KILLS: Final = Counter(
    "lars_worker_kills",
    "Workers that were killed over what they ran, or died of it.",
    {**_DOMAIN, "reason": ("timeout", "cpu", "protocol", "cancelled", "exit", "zygote")},
)

# Sessions and plans.
SESSIONS_BOUND: Final = Gauge("lars_sessions_bound", "Sessions that have a worker.", _NOTHING)
SESSIONS_CREATED: Final = Counter(
    "lars_sessions_created", "Sessions that got a directory: by a first request, or as a copy.", _NOTHING
)
SESSIONS_DELETED: Final = Counter(
    "lars_sessions_deleted", "Sessions whose data were deleted.", {"by": ("request", "expiry")}
)
CONTRACTS_BOUND: Final = Gauge("lars_contracts_bound", "Contracts that have a worker.", _NOTHING)
_WRITERS: Final = ("builtin", "llm")
PLAN_HITS: Final = Counter(
    "lars_plan_cache_hits", "Requests whose plan was there, by who had written it.", {"source": _WRITERS}
)
PLAN_MISSES: Final = Counter(
    "lars_plan_cache_misses",
    "Requests whose plan was not there, by who wrote it then.",
    {"source": (*_WRITERS, "none")},
)
PLANS: Final = Gauge("lars_plan_cache_plans", "Plans in memory.", _NOTHING)
RUN_ENDS: Final = Counter(
    "lars_improvement_run_ends", "Runs of improvement that ended.", {"status": get_args(Ended)}
)
SPANS: Final = Counter(
    "lars_spans", "Spans of requests, by what became of them.", {"outcome": ("sent", "failed", "dropped")}
)

# Processes.
FRONTS: Final = Gauge("lars_fronts", "Fronts that live.", _NOTHING)
FRONTS_READY: Final = Gauge("lars_fronts_ready", "Fronts that have a zygote which runs programs.", _NOTHING)
ZYGOTES: Final = Gauge("lars_zygotes", "Zygotes that stand.", _NOTHING)
PLANNER_CONFIGURED: Final = Gauge(
    "lars_planner_configured", "1 where there is to be a planner, else 0.", _NOTHING
)
PLANNER_UP: Final = Gauge("lars_planner_up", "1 while the planner stands, else 0.", _NOTHING)
PROVIDERS: Final = Gauge(
    "lars_planner_providers",
    "Providers of language models, of the planner that stands.",
    {"state": ("ready", "unusable")},
)
RESTARTS: Final = Counter(
    "lars_restarts",
    "Processes that another had to be started for.",
    {"kind": ("front", "zygote", "planner"), "reason": ("died", "broken", "could_not_start", "worn")},
)
CPU: Final = Counter("lars_process_cpu_seconds", "CPU that the process has used.", _NOTHING, by_process=True)
MEMORY: Final = Gauge(
    "lars_process_resident_memory_bytes", "Memory of the process that is resident.", _NOTHING, by_process=True
)
DESCRIPTORS: Final = Gauge(
    "lars_process_open_fds", "Descriptors that the process has open.", _NOTHING, by_process=True
)
MAX_DESCRIPTORS: Final = Gauge(
    "lars_process_max_fds", "Descriptors that it may have open.", _NOTHING, by_process=True
)
STARTED: Final = Gauge(
    "lars_process_start_time_seconds", "When it was started, since the epoch.", _NOTHING, by_process=True
)

FAMILIES: Final[tuple[Family, ...]] = tuple(
    value for value in globals().values() if isinstance(value, Family)
)
