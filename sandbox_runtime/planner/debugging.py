"""What the planner writes to the log itself: one JSON line, in one write, to standard error.

Calls are logged by the fronts. Here are the libraries' warnings and, for those who have asked for the level
DEBUG, prompts and replies.
"""

from __future__ import annotations

import logging
import os

import orjson

from sandbox_runtime.planner.model import CallFailed, ModelReply, ModelRequest
from sandbox_runtime.planning import Ask, ModelCall


def tell_exchange(ask: Ask, request: ModelRequest, call: ModelCall, outcome: ModelReply | CallFailed) -> None:
    """What was said to a model, and what it said."""
    line = {
        "event": "model_prompt",
        "level": "debug",
        "task": ask.task,
        "provider": call.provider,
        "model": call.model,
        "outcome": call.outcome,
        "prompt": request.prompt.text,
        "reply": outcome.text if isinstance(outcome, ModelReply) else outcome.detail,
    }
    _write(line)


def log_as_lines() -> None:
    """From now on, whatever a library has to warn of."""
    logging.basicConfig(handlers=[_Lines()], level=logging.WARNING)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()[:1000].encode("utf-8", "replace").decode()
        _write({"event": message, "level": record.levelname.lower(), "logger": record.name})


def _write(line: dict[str, str]) -> None:
    os.write(2, orjson.dumps(line) + b"\n")
