"""A contract's worker: it is given one contract's directory, and runs that contract's functions.

    (idle, importing) ──► BIND + directory ──► root = directory, sealed ──► MODULE ──► INSPECT or INVOKE ──► …

A module is judged and run when it is first asked for, and stays: its globals are there at the next call. What
a function raises is its answer. After what may have left this process in doubt, it gives no other.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

import orjson

from sandbox_runtime import job_channel, sealing, wire
from sandbox_runtime.function import ContractBinding, Fault, Inspection, Module, Outcome
from sandbox_runtime.functions import library
from sandbox_runtime.functions.calling import Answer, invoke
from sandbox_runtime.functions.failure import fault_of
from sandbox_runtime.functions.modules import Failed, Modules, Refused
from sandbox_runtime.functions.signature import NotUsable, signature_of
from sandbox_runtime.jail import JailError, Step

# Address space that the library maps after Baseline was measured: 10 MB with Python 3.11 and OpenSSL 3.
_LIBRARY_BYTES = 16 << 20
_KINDS = (wire.Kind.MODULE, wire.Kind.INSPECT, wire.Kind.INVOKE)


class _Nowhere(io.TextIOBase):
    """Takes what functions print. Nobody would read it: their answer is what they return."""

    def write(self, text: str) -> int:
        return len(text)

    def writable(self) -> bool:
        return True


def serve(confine: Iterable[Step]) -> NoReturn:
    """Import, bind, then answer for ever; the front's end of file ends it."""
    library.load()
    _, payload, directory = job_channel.receive_any((wire.Kind.BIND,))
    binding = ContractBinding(**orjson.loads(payload))
    try:
        sealing.enter(directory, confine)
        sealing.limit_memory(binding.memory + _LIBRARY_BYTES)
        sealing.limit_files(sealing.SAID_BYTES)  # it writes none
    except (JailError, OSError, wire.WireError) as error:
        _say(wire.Kind.OUTCOME, Outcome("function_error", Fault("Unusable", str(error)[:500]), last=True))
        os._exit(1)
    sys.stdin = None
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = _Nowhere()  # type: ignore[assignment, misc]
    modules = Modules()
    while True:
        kind, payload, _ = job_channel.receive_any(_KINDS)
        body = orjson.loads(payload)
        if kind is wire.Kind.MODULE:
            modules.add(Module(**body))
        elif kind is wire.Kind.INSPECT:
            _tell(inspection(modules, body["digest"], body["function"]))
        else:
            _answer(*_invoke(modules, body, binding.max_result))


def inspection(modules: Modules, digest: str, name: str) -> Inspection:
    """What the module is found to be."""
    try:
        loaded = modules.get(digest)
        return Inspection(signature_of(loaded.function(name), loaded.forms))
    except Refused as error:
        return Inspection(refusal=error.refusal)
    except Failed as error:
        return Inspection(error=error.fault, names=error.names)
    except NotUsable as error:
        return Inspection(error=Fault("SignatureError", error.why[:500], parameter=error.parameter))
    except BaseException as error:  # noqa: BLE001 - classes of the module's that annotations and defaults are of
        return Inspection(error=fault_of(error, ""))


def _invoke(modules: Modules, body: dict[str, Any], limit: int) -> Answer:
    text = job_channel.receive(wire.Kind.DATA) if body["has_data"] else None
    return invoke(modules, body["digest"], body["function"], (text, body["query"] or {}), limit)


def _answer(text: bytes | None, outcome: Outcome) -> None:
    message = wire.encode_json(wire.Kind.OUTCOME, outcome)
    job_channel.send(message if text is None else wire.encode(wire.Kind.BODY, text) + message)


def _tell(found: Inspection) -> None:
    """The inspection, where an answer has room for it and JSON can hold it."""
    try:
        fits = len(orjson.dumps(found)) <= wire.MAX_ENVELOPE_BYTES
    except TypeError:  # half of a surrogate pair, or deeper than orjson writes
        fits = False
    unfit = Inspection(error=Fault("SignatureError", "what its parameters take is too long to be told"))
    _say(wire.Kind.INSPECTION, found if fits else unfit)


def _say(kind: wire.Kind, value: object) -> None:
    job_channel.send(wire.encode_json(kind, value))
