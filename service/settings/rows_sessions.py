"""The rows of sessions, of plans, and of what is kept beside them."""

from __future__ import annotations

from service.settings import parsers
from service.settings.row import Computed, Setting

_WORKERS = parsers.integer(1, 4096)
_SECONDS = parsers.number(0.05, 86_400)

SESSIONS: tuple[Setting, ...] = (
    Setting(
        "LARS_MAX_EXEC_MS",
        "8000",
        "ms",
        "Time from the arrival of a request to a session until its plan must be done, waiting included.",
        parsers.integer(10, 600_000),
    ),
    Setting(
        "LARS_MAX_PLANS",
        "2000",
        "",
        "Plans that each front keeps in memory; four times as many rest on the disk.",
        parsers.integer(1, 1_000_000),
    ),
    Setting(
        "LARS_SESSION_WORKERS",
        Computed("the larger of 64 and 16 per CPU", lambda facts: str(max(64, 16 * facts.cpus))),
        "",
        "Sessions that may have a worker at once, for each front; the others' data rest on the disk.",
        _WORKERS,
    ),
    Setting(
        "LARS_DEFAULT_SESSION",
        "none",
        "",
        "Session of requests that name none and bring no credential; none refuses them. For one user: "
        "whoever reaches the service shares it.",
        parsers.session_id(),
    ),
    Setting(
        "LARS_SESSION_QUEUE",
        "256",
        "",
        "Requests that may wait for one session; one more is answered 503 at once.",
        parsers.integer(1, 100_000),
    ),
    Setting(
        "LARS_SESSION_IDLE",
        "60",
        "s",
        "Time without a request after which a session's worker is let go.",
        parsers.number(0.1, 86_400),
    ),
    Setting(
        "LARS_SESSION_EXPIRY",
        "0",
        "s",
        "Time without a request after which a session's data are deleted; 0 keeps them.",
        parsers.number(0, 1e9),
    ),
    Setting(
        "LARS_SESSION_QUOTA", "256m", "bytes", "What one session may store.", parsers.size(1 << 20, 1 << 40)
    ),
    Setting(
        "LARS_SESSION_OPERATION_SECONDS",
        "300",
        "s",
        "Time that an export, an import, a fork or a deletion of a session may take.",
        parsers.number(1, 86_400),
    ),
    Setting(
        "LARS_SESSION_SYNC",
        "full",
        "",
        "full: what was acknowledged survives a power failure; normal: it survives the death of any process.",
        parsers.choice("full", "normal"),
    ),
    Setting(
        "LARS_CONTRACT_WORKERS",
        "32",
        "",
        "Contracts that may have a worker at once, for each front; the others' modules begin anew.",
        _WORKERS,
    ),
    Setting(
        "LARS_CONTRACT_QUEUE",
        "256",
        "",
        "Calls that may wait for one contract; one more is answered 503 at once.",
        parsers.integer(1, 100_000),
    ),
    Setting(
        "LARS_CONTRACT_IDLE",
        "300",
        "s",
        "Time without a call after which a contract's worker is let go, with what its modules kept.",
        parsers.number(0.1, 86_400),
    ),
    Setting(
        "LARS_UPLOADS_DIR",
        "uploads",
        "",
        "Directory of uploaded functions; a relative path is taken under LARS_DATA_ROOT.",
        parsers.path(),
        ("UPLOADS_DIR",),
    ),
    Setting(
        "LARS_UPLOADS_QUOTA",
        "16m",
        "bytes",
        "What the modules of one visible_pixel_hash may have together.",
        parsers.size(1024, 1 << 40),
    ),
)
