"""What this server can do, as JSON: isolation layers in force, limits, Python version, packages."""

from __future__ import annotations

import platform
import sys

from service.settings import Settings
from service.state import ServiceState


def capabilities(state: ServiceState) -> dict[str, object]:
    """The body of GET /capabilities. Sizes in bytes, times in seconds."""
    return {
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "layers": [layer.as_json() for layer in state.sandbox.layers],
        "floor": [layer.value for layer in state.settings.sandbox_floor],
        "planner": planner(state),
        "limits": limits(state.settings),
        "cpu_limit_is": "a budget of timeout x cpu_limit CPU seconds",
        "memory_limit_is": "address space (RLIMIT_AS) beyond the bare interpreter",
        "policies": ["program", "restricted"],
        "packages": {
            "standard_library": sorted(name for name in sys.stdlib_module_names if not name.startswith("_")),
            "preloaded": list(state.sandbox.modules),
            "third_party": [],
        },
        "network": False,
        "processes": False,
        "models": models(state),
    }


def models(state: ServiceState) -> dict[str, object]:
    """Which language models can be asked. ``ready``: names of providers; ``why``: a sentence for each that is
    not ready. Both are empty while the planner is not there."""
    standing, settings = state.planning.line.standing, state.settings
    return {
        "configured": state.planning.configured,
        "provider": "mock" if settings.llm_mock_handler is not None else settings.default_provider,
        "ready": list(standing.ready) if standing else [],
        "why": dict(standing.why) if standing else {},
    }


def planner(state: ServiceState) -> dict[str, object]:
    """Whether its process is there, and the layers of its own confinement: "" for one in force, else why it
    is not."""
    standing = state.planning.line.standing
    return {"standing": standing is not None, "layers": dict(standing.layers) if standing else {}}


def limits(settings: Settings) -> dict[str, object]:
    """Each limit's default and ceiling."""
    return {
        "timeout": {"default": settings.timeout, "max": settings.timeout_max},
        "memory": {"default": settings.memory, "max": settings.memory_max},
        "cpu": {"default": settings.cpu, "max": settings.cpu_max},
        "body": {"max": settings.max_body_bytes},
        "code": {"max": settings.max_code_bytes},
        "output": {"max": settings.max_output_bytes},
        "result": {"max": settings.max_result_bytes},
        "scratch": {"max": settings.scratch_bytes},
        "threads": {"max": settings.max_threads},
        "open_files": {"max": settings.max_open_files},
        "running": {"max": settings.max_workers},
        "waiting": {"max": settings.queue_size},
    }
