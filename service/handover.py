"""Secret settings on their way to a child of the service: by descriptor, in nobody's environment.

Whoever may read ``/proc/PID/environ`` of a child finds none there, and a child of that child inherits none.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from typing import Literal

import orjson

from service.settings.parsers import NOTHING
from service.settings.table import OF_ITSELF, SETTINGS

Holder = Literal["front", "planner"]
_NAMES: Mapping[Holder, frozenset[str]] = {
    holder: frozenset(
        name
        for setting in SETTINGS
        if setting.secret and setting.holder == holder
        for name in (setting.name, *setting.aliases)
    )
    for holder in ("front", "planner")
}
# What the libraries of language models' providers would take for a credential. None is used here: a service
# with such a variable set for something else must not hand it to its children.
_CREDENTIALS = frozenset(
    (
        *("OPENAI_ADMIN_KEY", "OPENAI_WEBHOOK_SECRET", "OPENAI_CUSTOM_HEADERS"),
        *("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
        *("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_CUSTOM_HEADERS"),
        *("ANTHROPIC_AWS_API_KEY", "ANTHROPIC_FOUNDRY_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"),
        *("ANTHROPIC_WEBHOOK_SIGNING_KEY", "ANTHROPIC_WORK_SECRET", "ANTHROPIC_ENVIRONMENT_KEY"),
        "TOGETHER_CUSTOM_HEADERS",
    )
)
# The planner is given them with all of OTEL_*, a front by descriptor.
_TRACES = frozenset(("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"))
_OF_MODELS = _NAMES["planner"] | _CREDENTIALS
_ALL = _OF_MODELS | _NAMES["front"] | _TRACES | frozenset(OF_ITSELF)
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child may have as its environment."""
    return {name: value for name, value in environ.items() if name not in _ALL}


def without_model_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """What the main process may have as its environment: no credential of a language model."""
    return {name: value for name, value in environ.items() if name not in _OF_MODELS}


def planner_names(environ: Mapping[str, str]) -> frozenset[str]:
    """The variables of the planner's secrets that are set to one."""
    return frozenset(
        name for name in _NAMES["planner"] if environ.get(name, "").strip().lower() not in ("", NOTHING)
    )


def hand_over(environ: Mapping[str, str], holder: Holder = "front") -> int:
    """A descriptor of the secrets in ``environ`` that are the holder's, for any number of children: memory
    that cannot change any more (memfd_create(2), sealed). It is the caller's to close."""
    names = planner_names(environ) if holder == "planner" else _NAMES[holder] | _TRACES
    secrets = {name: value.strip() for name, value in environ.items() if name in names}
    descriptor = os.memfd_create("lars secrets", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(descriptor, orjson.dumps(secrets))
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor


def take(descriptor: int) -> dict[str, str]:
    """In the child: what was handed over. Closes the descriptor."""
    text = os.pread(descriptor, os.fstat(descriptor).st_size, 0)  # siblings share the offset
    os.close(descriptor)
    secrets: dict[str, str] = orjson.loads(text)
    return secrets
