"""The table of every variable the service reads: name, default, unit, meaning, other names, accepted values.

Rows that others depend on come first: a computed default may look only at rows above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox_runtime.layers import DEFAULT_FLOOR, Layer
from service import settings_parsers as parsers
from service.access.gate import PUBLIC_NAMES
from service.database_url import SQLITE
from service.settings_parsers import Parser

PREFIX = "LARS_"


@dataclass(frozen=True, slots=True)
class Reading:
    """One variable as read: the text, what it means, and the name it was found under (None: the default)."""

    text: str
    value: Any
    source: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a computed default may depend on: CPUs this process may use, and the rows above it."""

    cpus: int
    readings: Mapping[str, Reading]


@dataclass(frozen=True, slots=True)
class Computed:
    """A default that depends on the host or on other rows. ``words`` stand in the documentation."""

    words: str
    text: Callable[[Facts], str]


@dataclass(frozen=True, slots=True)
class Setting:
    """One row. ``help`` is one sentence for an operator; ``aliases`` are older names, read when ``name`` is
    unset."""

    name: str
    default: str | Computed
    unit: str
    help: str
    parse: Parser
    aliases: tuple[str, ...] = ()
    secret: bool = False

    @property
    def field(self) -> str:
        """The attribute of ``Settings`` that holds the value."""
        return self.name.removeprefix(PREFIX).lower()

    @property
    def full_help(self) -> str:
        """``help`` and, where there are other names, which of them wins."""
        if not self.aliases:
            return self.help
        others = " and ".join(f"`{alias}`" for alias in self.aliases)
        return f"{self.help} Also read from {others}; when both are set, `{self.name}` wins."

    @property
    def default_words(self) -> str:
        """The default as documentation shows it."""
        return self.default.words if isinstance(self.default, Computed) else self.default


def at_most(preferred: str, ceiling: str, parse: Parser) -> Computed:
    """``preferred``, or the value of ``ceiling`` where an operator has set that lower."""

    def text(facts: Facts) -> str:
        limit = facts.readings[ceiling]
        return preferred if parse.read(preferred) <= limit.value else limit.text

    return Computed(f"{preferred}, or {ceiling} where that is lower", text)


def _control_file(facts: Facts) -> str:
    root = facts.readings.get("LARS_DATA_ROOT")  # none when no home directory is known
    return f"{SQLITE}{root.value / 'control.db'}" if root else ""


_WORKERS = parsers.integer(1, 4096)
_SECONDS = parsers.number(0.05, 86_400)
_MEMORY = parsers.size(16 * 1024**2, 1024 * 1024**3)
_CORES = parsers.number(0.05, 4096)
_BYTES = parsers.size(1024, 1024**3)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "LARS_HOST",
        "127.0.0.1",
        "",
        "Address to listen on. Anything but a loopback address lets other machines send programs.",
        parsers.host(),
        ("DYNAMIC_API_HOST",),
    ),
    Setting(
        "LARS_PORT",
        "8000",
        "",
        "TCP port to listen on; 0 takes any free one.",
        parsers.integer(0, 65_535),
        ("DYNAMIC_API_PORT",),
    ),
    Setting(
        "LARS_ENVIRONMENT",
        "production",
        "",
        "What the service runs for. development means debug logs.",
        parsers.choice("production", "development"),
        ("ENVIRONMENT",),
    ),
    Setting(
        "LARS_LOG_LEVEL",
        Computed(
            "info; debug in development",
            lambda facts: "debug" if facts.readings["LARS_ENVIRONMENT"].value == "development" else "info",
        ),
        "",
        "The least severe log lines that are written. The line per request is of level info.",
        parsers.choice("debug", "info", "warning", "error"),
    ),
    Setting(
        "LARS_LOG_FORMAT",
        "auto",
        "",
        "How log lines look: auto is console on a terminal and json elsewhere.",
        parsers.choice("auto", "json", "console"),
    ),
    Setting("LARS_FRONTS", "1", "", "Processes that answer HTTP on the one port.", parsers.integer(1, 256)),
    Setting("LARS_ZYGOTES", "2", "", "Processes that fork workers.", parsers.integer(1, 256)),
    Setting(
        "LARS_MAX_WORKERS",
        Computed("the larger of 8 and 4 per CPU", lambda facts: str(max(8, 4 * facts.cpus))),
        "",
        "Programs running at once, for each front.",
        _WORKERS,
    ),
    Setting(
        "LARS_POOL_SIZE",
        at_most("8", "LARS_MAX_WORKERS", _WORKERS),
        "",
        "Idle pre-forked workers kept ready, for each front.",
        _WORKERS,
    ),
    Setting(
        "LARS_QUEUE_SIZE",
        "64",
        "",
        "Requests that may wait for a worker, for each front; one more is answered 503 at once.",
        parsers.integer(0, 100_000),
    ),
    Setting(
        "LARS_ZYGOTE_MAX_FORKS",
        "50000",
        "",
        "Workers that a zygote forks before a fresh one takes its place, which renews what forks inherit.",
        parsers.integer(1, 10**9),
    ),
    Setting(
        "LARS_EXECUTE_POLICY",
        "program",
        "",
        "What a program may say when its request names no policy. A request may only tighten it.",
        parsers.choice("program", "restricted"),
    ),
    Setting("LARS_TIMEOUT_MAX", "60", "s", "The longest timeout that a request may ask for.", _SECONDS),
    Setting(
        "LARS_TIMEOUT",
        at_most("10", "LARS_TIMEOUT_MAX", _SECONDS),
        "s",
        "Wall-clock time of a program whose request gives no timeout.",
        _SECONDS,
    ),
    Setting("LARS_MEMORY_MAX", "1g", "bytes", "The most memory that a request may ask for.", _MEMORY),
    Setting(
        "LARS_MEMORY",
        at_most("256m", "LARS_MEMORY_MAX", _MEMORY),
        "bytes",
        "Memory of a program whose request gives no memory_limit.",
        _MEMORY,
    ),
    Setting(
        "LARS_CPU_MAX",
        Computed("the number of CPUs", lambda facts: str(facts.cpus)),
        "cores",
        "The highest cpu_limit that a request may ask for.",
        _CORES,
    ),
    Setting(
        "LARS_CPU",
        at_most("1.0", "LARS_CPU_MAX", _CORES),
        "cores",
        "CPU of a program whose request gives no cpu_limit.",
        _CORES,
    ),
    Setting("LARS_MAX_BODY_BYTES", "8m", "bytes", "The largest request body that is read.", _BYTES),
    Setting(
        "LARS_MAX_HEADER_BYTES",
        "32k",
        "bytes",
        "The largest request line with all header fields.",
        parsers.size(1024, 1024**2),
    ),
    Setting(
        "LARS_MAX_HEADERS", "100", "", "The most header fields of one request.", parsers.integer(8, 10_000)
    ),
    Setting(
        "LARS_HEADER_SECONDS",
        "10",
        "s",
        "Time that the head of a request may take from its first byte; also, that a new connection may be "
        "without any.",
        _SECONDS,
    ),
    Setting(
        "LARS_BODY_SECONDS",
        "30",
        "s",
        "Time in which a body that is coming in must get on, by 1 KiB a second on average.",
        _SECONDS,
    ),
    Setting(
        "LARS_WRITE_SECONDS",
        "30",
        "s",
        "Time in which a caller must take its answer, by 1 KiB a second on average.",
        _SECONDS,
    ),
    Setting(
        "LARS_MAX_CONNECTIONS",
        "4096",
        "",
        "Connections open at once, for each front; fewer where the limit of open files (ulimit -n) leaves no "
        "room for them beside the workers'. One more closes the one that has longest been without a request.",
        parsers.integer(1, 1_000_000),
    ),
    Setting(
        "LARS_TRUSTED_PROXIES",
        "none",
        "",
        "Proxies whose X-Forwarded-For and X-Forwarded-Proto count; of others they are not read.",
        parsers.networks(),
    ),
    Setting(
        "LARS_MAX_CODE_BYTES",
        at_most("512k", "LARS_MAX_BODY_BYTES", _BYTES),
        "bytes",
        "The largest program, in UTF-8.",
        _BYTES,
    ),
    Setting(
        "LARS_MAX_OUTPUT_BYTES",
        "1m",
        "bytes",
        "Output kept of each of stdout and stderr; of more, head and tail are kept.",
        _BYTES,
    ),
    Setting("LARS_MAX_RESULT_BYTES", "1m", "bytes", "The largest result, as JSON.", _BYTES),
    Setting(
        "LARS_SCRATCH_BYTES",
        "64m",
        "bytes",
        "Size of the scratch directory, in memory, that each program gets as /tmp.",
        parsers.size(64 * 1024, 64 * 1024**3),
    ),
    Setting("LARS_MAX_THREADS", "64", "", "Threads of one program.", parsers.integer(1, 32_768)),
    Setting(
        "LARS_MAX_OPEN_FILES",
        "256",
        "",
        "File descriptors that one program may have open.",
        parsers.integer(16, 1_048_576),
    ),
    Setting(
        "LARS_SANDBOX_FLOOR",
        ",".join(DEFAULT_FLOOR),
        "",
        "Isolation layers without which the service refuses to start; none demands nothing. "
        "A list replaces the default, it does not add to it.",
        parsers.layers(tuple(Layer)),
    ),
    Setting(
        "LARS_SHUTDOWN_SECONDS",
        "10",
        "s",
        "Time that requests in flight get to end when the service stops; then they are cut off.",
        parsers.number(0, 3600),
    ),
    Setting(
        "LARS_DATA_ROOT",
        "~/.local/share/lars",
        "",
        "Directory of what outlives a request.",
        parsers.path(),
        ("SANDBOX_DATA_ROOT",),
    ),
    Setting(
        "LARS_DATABASE_URL",
        Computed("the SQLite file control.db in LARS_DATA_ROOT", _control_file),
        "",
        "Database of keys, usage and the audit log. One PostgreSQL serves many nodes.",
        parsers.database_url(),
        secret=True,
    ),
    Setting(
        "LARS_AUDIT_KEY",
        Computed("the file audit.key in LARS_DATA_ROOT, made when there is none", lambda _: ""),
        "",
        "Secret that seals the audit log; the same on all nodes of one database.",
        parsers.secret(32),
        secret=True,
    ),
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
        "LARS_CORS_ORIGINS",
        "none",
        "",
        "Web pages of which origins may use the service from a browser (CORS, without credentials).",
        parsers.origins(),
    ),
    Setting(
        "LARS_AUTH_TOKEN",
        "none",
        "",
        "A key for resources (scope rest), beside those that lars keys makes.",
        parsers.token(),
        secret=True,
    ),
    Setting(
        "STARGATE_API_KEY",
        "none",
        "",
        "A key for loading functions (scope functions:write), beside those that lars keys makes.",
        parsers.token(),
        secret=True,
    ),
    Setting(
        "LARS_PUBLIC",
        ",".join(PUBLIC_NAMES),
        "",
        "What needs no key also when there are keys. docs means GET /capabilities and /openapi.json.",
        parsers.names(PUBLIC_NAMES),
    ),
    Setting(
        "LARS_RATE",
        "none",
        "",
        "Limits of every key that has none of its own.",
        parsers.rates(),
    ),
    Setting(
        "LARS_RATE_STORE",
        "memory",
        "",
        "Where limits are counted: memory, for this node alone, or a Redis that several nodes share.",
        parsers.rate_store(),
        secret=True,
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
        "LARS_UPLOADS_DIR",
        "uploads",
        "",
        "Directory of uploaded functions; a relative path is taken under LARS_DATA_ROOT.",
        parsers.path(),
        ("UPLOADS_DIR",),
    ),
    Setting(
        "LARS_LLM_TIMEOUT",
        "30",
        "s",
        "Time that one call to a language model may take.",
        parsers.number(0.1, 3600),
        ("API_TIMEOUT",),
    ),
)

# Read by the scripts, which start the service with the same environment.
OF_SCRIPTS = ("LARS_PYTHON", "LARS_URL", "LARS_VENV")

# (lower, upper): the value of the first may not be above that of the second.
ORDERED: tuple[tuple[str, str], ...] = (
    ("LARS_POOL_SIZE", "LARS_MAX_WORKERS"),
    ("LARS_MAX_WORKERS", "LARS_ZYGOTE_MAX_FORKS"),
    ("LARS_TIMEOUT", "LARS_TIMEOUT_MAX"),
    ("LARS_MEMORY", "LARS_MEMORY_MAX"),
    ("LARS_CPU", "LARS_CPU_MAX"),
    ("LARS_MAX_CODE_BYTES", "LARS_MAX_BODY_BYTES"),
)
