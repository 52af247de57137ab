"""Secret settings on their way to a child of the service: by descriptor, in nobody's environment.

Whoever may read ``/proc/PID/environ`` of a child finds none there, and a child of that child inherits none.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from typing import Literal

import orjson

from service.settings.table import SETTINGS

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
_ALL = frozenset().union(*_NAMES.values())
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child may have as its environment."""
    return {name: value for name, value in environ.items() if name not in _ALL}


def hand_over(environ: Mapping[str, str], holder: Holder = "front") -> int:
    """A descriptor of the secrets in ``environ`` that are the holder's, for any number of children: memory
    that cannot change any more (memfd_create(2), sealed). It is the caller's to close."""
    secrets = {name: value for name, value in environ.items() if name in _NAMES[holder]}
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
