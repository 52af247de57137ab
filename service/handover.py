"""Secret settings on their way to a child of the service: by descriptor, in nobody's environment.

Whoever may read ``/proc/PID/environ`` of a child finds none there, and a child of that child inherits none.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping

import orjson

from service.settings.table import SETTINGS

_NAMES = frozenset(
    name for setting in SETTINGS if setting.secret for name in (setting.name, *setting.aliases)
)
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child may have as its environment."""
    return {name: value for name, value in environ.items() if name not in _NAMES}


def hand_over(environ: Mapping[str, str]) -> int:
    """A descriptor of the secrets in ``environ``, for any number of children: memory that cannot change any
    more (memfd_create(2), sealed). It is the caller's to close."""
    secrets = {name: value for name, value in environ.items() if name in _NAMES}
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
