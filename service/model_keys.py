"""Keys of language models, past the process of ``lars serve`` and into the planner's.

    lars serve with keys ──execve──► lars serve without, same pid     LARS_LLM_KEYS_FD=3:OPENAI_API_KEY
         └── sealed memory ─────────── descriptor 3, unread ───────────► planner

Deleted variables would still be in ``/proc/PID/environ`` and in memory; a new program has neither.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from service.handover import hand_over, planner_names, without_model_keys
from service.settings.parsers import SettingsError
from service.settings.table import OF_ITSELF

(_VARIABLE,) = OF_ITSELF


@dataclass(frozen=True, slots=True)
class ModelKeys:
    """``descriptor``: of the memory that has them (``service.handover``). ``names``: of their variables."""

    descriptor: int
    names: frozenset[str]


def part_with_model_keys(environ: Mapping[str, str], provider: str) -> None:
    """Returns where ``environ`` has no credential of a language model. Else the process becomes a new ``lars
    serve`` with all of ``environ`` but those, and ``provider`` as its LARS_DEFAULT_PROVIDER. Call it before
    there is a child or a thread. OSError."""
    clean = without_model_keys(environ)
    if len(clean) == len(environ):
        return
    descriptor = hand_over(environ, "planner")
    os.set_inheritable(descriptor, True)
    names = ",".join(sorted(planner_names(environ)))
    own = {"LARS_DEFAULT_PROVIDER": provider, _VARIABLE: f"{descriptor}:{names}"}
    command = [sys.executable, "-m", "service", "serve"]
    os.execve(sys.executable, command, clean | own)  # noqa: S606 - ourselves


def model_keys(environ: Mapping[str, str]) -> ModelKeys:
    """Those that the former program has left, else those in ``environ``. Only a child that is given the
    descriptor inherits it. SettingsError."""
    left = environ.get(_VARIABLE)
    if left is None:
        return ModelKeys(hand_over(environ, "planner"), planner_names(environ))
    number, _, names = left.partition(":")
    try:
        fcntl.fcntl(int(number), fcntl.F_GET_SEALS)
        os.set_inheritable(int(number), False)
    except (OSError, ValueError) as error:
        raise SettingsError((f"{_VARIABLE}={left!r:.60} is for lars serve alone; unset it",)) from error
    return ModelKeys(int(number), frozenset(filter(None, names.split(","))))
