"""The rows of the service as such: where it listens, its processes, its log, what a connection may do."""

from __future__ import annotations

from sandbox_runtime.layers import DEFAULT_FLOOR, Layer
from service.settings import parsers
from service.settings.row import Computed, Facts, Setting, at_most

_WORKERS = parsers.integer(1, 4096)
_SECONDS = parsers.number(0.05, 86_400)
_BYTES = parsers.size(1024, 1024**3)


def _buffer_bytes(facts: Facts) -> str:
    return str(max(256 * 1024**2, 4 * int(facts.readings["LARS_MAX_BODY_BYTES"].value)))


SERVING: tuple[Setting, ...] = (
    Setting(
        "LARS_HOST",
        "127.0.0.1",
        "",
        "Address to listen on. Anything but a loopback address lets other machines send programs, and "
        "needs a key.",
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
        "LARS_FD",
        "none",
        "",
        "Descriptor of a listening socket that the service inherits and serves, in place of LARS_HOST and "
        "LARS_PORT.",
        parsers.descriptor(),
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
        "LARS_BUFFER_BYTES",
        Computed("256m, or four times LARS_MAX_BODY_BYTES where that is more", _buffer_bytes),
        "bytes",
        "Memory for bodies that are read or in work, and as much for answers that are not taken yet, for "
        "each front. Beyond it, whoever has been slow for longest is cut off.",
        parsers.size(1024, 1024**4),
    ),
    Setting(
        "LARS_TRUSTED_PROXIES",
        "none",
        "",
        "Proxies whose X-Forwarded-For and X-Forwarded-Proto count; of others they are not read.",
        parsers.networks(),
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
        "LARS_DRAIN_SECONDS",
        "10",
        "s",
        "Time that requests in flight get to end when the service stops, or one of its processes is "
        "replaced; then they are cut off.",
        parsers.number(0, 3600),
        ("LARS_SHUTDOWN_SECONDS",),
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
        "LARS_CORS_ORIGINS",
        "none",
        "",
        "Web pages of which origins may use the service from a browser (CORS, without credentials).",
        parsers.origins(),
    ),
)
