"""Logs: one pipeline for our own lines and for those of uvicorn, asyncio and any library, written to stderr.

structlog logger ──────────────────────────────┐
logging logger ── StructlogHandler (root) ─────┴─> processors ─> JSON or console ─> one line (``sink``)
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Protocol

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from service.telemetry.sink import Sink

HIDDEN = "(hidden)"
# Keys that must never reach a log, whoever passes them.
SECRET_KEYS = frozenset(
    ("api_key", "authorization", "cookie", "password", "secret", "set_cookie", "token", "x_api_key")
)
# Keys that hold what callers sent or programs wrote: only a debug line may show them.
FOREIGN_KEYS = frozenset(("argv", "body", "code", "data", "result", "source", "stderr", "stdin", "stdout"))


class LogSettings(Protocol):
    """What of the settings logs depend on."""

    @property
    def log_level(self) -> str: ...
    @property
    def log_format(self) -> str: ...


def configure_logging(settings: LogSettings) -> None:
    """Sets up structlog and logging for this process. Start uvicorn with ``log_config=None``."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    is_terminal = sys.stderr.isatty()
    form = output_format(settings.log_format, is_terminal=is_terminal)
    _request_lines.writer = LineLogger() if form == "json" and level <= logging.INFO else None
    structlog.configure(
        processors=pipeline(form, colors=is_terminal),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=LineLogger,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [StructlogHandler()]
    # HTTP libraries log the URLs they ask for at INFO and the headers they send at DEBUG, keys included.
    root.setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "asyncio"):
        logging.getLogger(name).setLevel(max(level, logging.INFO))
    logging.getLogger("uvicorn.access").disabled = True  # our line per request says more
    logging.captureWarnings(True)
    sys.excepthook = _tell_uncaught


def _tell_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends a process is a line as others are, for whoever reads lines."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger("lars.process").critical("process_failed", exc_info=(kind, error, trace))


class _RequestLines:
    """``writer``: where lines about requests go that are made here, None where structlog makes them."""

    writer: LineLogger | None = None


_request_lines = _RequestLines()
_requests: FilteringBoundLogger = structlog.get_logger("lars.access")


def tell_request(fields: dict[str, object]) -> None:
    """The line ``request`` at INFO. As JSON it is made without structlog's pipeline, which takes three
    times as long and would find nothing to do: no secret, foreign text or exception is in these fields."""
    writer = _request_lines.writer
    if writer is None:
        _requests.info("request", **fields)
        return
    at = datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    named = {"level": "info", "logger": "lars.access", "timestamp": f"{at}Z"}
    writer.msg(render_json(writer, "info", {"event": "request", **fields, **named}))


def output_format(wanted: str, *, is_terminal: bool) -> Literal["json", "console"]:
    """What ``auto`` means here."""
    if wanted == "console" or (wanted == "auto" and is_terminal):
        return "console"
    return "json"


def pipeline(form: Literal["json", "console"], *, colors: bool = False) -> list[Processor]:
    """From event dictionary to a line. Tracebacks never show local variables: those hold foreign code."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        withhold,
    ]
    if form == "console":
        plain = structlog.dev.plain_traceback
        return [*shared, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    return [*shared, structlog.processors.format_exc_info, render_json]


def add_logger_name(logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Says which part of the service speaks, unless the line does."""
    if logger.name:
        event.setdefault("logger", logger.name)
    return event


def withhold(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Hides secrets always, and above debug what callers sent, of which only the size stays."""
    debug = method == "debug"
    for key in event.keys() & (SECRET_KEYS | FOREIGN_KEYS):
        if key in SECRET_KEYS:
            event[key] = HIDDEN
        elif not debug:
            event[key] = f"({len(event[key])} long)" if hasattr(event[key], "__len__") else HIDDEN
    return event


def render_json(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> str:
    """One line of JSON, the event first; what JSON has no form for is shown by its repr."""
    ordered = {"event": event.pop("event", ""), **event}
    try:
        return orjson.dumps(ordered, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # a lone surrogate or an integer of more than 64 bits
        return orjson.dumps({key: ascii(value) for key, value in ordered.items()}).decode()


_sink = Sink(2)


class LineLogger:
    """The end of the pipeline. A log that cannot be written must not fail, or hold up, the request that it is
    about: what is lost so is counted, and told after the first line that was not."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Writes the line; a reader that is gone or stands still, or a full disk, loses it."""
        if _sink.put(line.encode("utf-8", "backslashreplace") + b"\n") and _sink.lost:
            lost, _sink.lost = _sink.lost, 0
            structlog.get_logger("lars.log").warning("log_lines_lost", lines=lost)

    debug = info = warning = warn = error = critical = fatal = exception = log = msg


class StructlogHandler(logging.Handler):
    """Passes what libraries log on to structlog, with the name of their logger."""

    def __init__(self) -> None:
        super().__init__()
        self._log: FilteringBoundLogger = structlog.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        """One line, whatever the caller passed."""
        self._log.log(
            _structlog_level(record.levelno), _message(record), logger=record.name, exc_info=record.exc_info
        )


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit the format
        return f"{record.msg} {record.args!r}"


def _structlog_level(number: int) -> int:
    """The standard level at or below ``number``; structlog knows no others."""
    known = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO)
    return next((level for level in known if number >= level), logging.DEBUG)
