"""The table of every variable the service reads, in the order of its documentation."""

from __future__ import annotations

from service.settings.row import Setting
from service.settings.rows_improvement import IMPROVEMENT
from service.settings.rows_keys import KEYS
from service.settings.rows_planner import PLANNER
from service.settings.rows_programs import PROGRAMS
from service.settings.rows_serving import SERVING
from service.settings.rows_sessions import SESSIONS

# Rows that others depend on come first: a computed default may look only at rows above it.
SETTINGS: tuple[Setting, ...] = (*SERVING, *KEYS, *PROGRAMS, *SESSIONS, *PLANNER, *IMPROVEMENT)

# Read by the scripts, which start the service with the same environment.
OF_SCRIPTS = ("LARS_API_KEY", "LARS_PYTHON", "LARS_URL", "LARS_VENV")

# Set by ``lars serve`` for itself: see ``service.model_keys``.
OF_ITSELF = ("LARS_LLM_KEYS_FD",)

# (lower, upper): the value of the first may not be above that of the second.
ORDERED: tuple[tuple[str, str], ...] = (
    ("LARS_POOL_SIZE", "LARS_MAX_WORKERS"),
    ("LARS_MAX_WORKERS", "LARS_ZYGOTE_MAX_FORKS"),
    ("LARS_TIMEOUT", "LARS_TIMEOUT_MAX"),
    ("LARS_MEMORY", "LARS_MEMORY_MAX"),
    ("LARS_CPU", "LARS_CPU_MAX"),
    ("LARS_MAX_CODE_BYTES", "LARS_MAX_BODY_BYTES"),
    ("LARS_MAX_BODY_BYTES", "LARS_BUFFER_BYTES"),
)
