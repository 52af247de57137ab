"""Loading a function: read its module once, have that text judged and run in a worker of its own, keep it.

What was read is what is judged, kept and run: it goes on as a text with its digest, never as a path.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Final

import orjson

from sandbox_runtime.domain import Contract
from sandbox_runtime.function import NO_FUNCTION, Inspection, Module, Signature
from service.access.principal import Actor
from service.control.control import Control
from service.control.seals import Event
from service.errors import ModuleFailed, NotFound, RequestError, kind_of
from service.functions.functions import Functions
from service.functions.load_request import LoadRequest
from service.functions.registry import about_spec
from service.functions.registry_work import Loaded, Share
from service.functions.sources import Source, source_of
from service.functions.values import FunctionSpec
from service.policy_refusal import policy_refused
from service.pool.job import Spent

MAX_SIGNATURE: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be loaded, who wants it, and what the version there must be (``Registry.load``)."""

    wanted: LoadRequest
    by: Actor
    if_match: str | None = None


async def load(functions: Functions, control: Control, order: Order, spent: Spent) -> Loaded:
    """Keep it; every front serves it as soon as it looks. NotFound, UploadRefused, PolicyRefused,
    ModuleFailed, Conflict, PreconditionFailed, PayloadTooLarge, ValidationFailed; errors of the service."""
    wanted, by = order.wanted, order.by
    spec = wanted.spec
    try:
        source = source_of(await functions.uploads.read(spec.hash, spec.module))
        text = await inspected(functions, spec, source, spent)
    except RequestError as error:
        await control.audit.append(_refused(spec, by, error))
        raise
    if wanted.canary_weight is None:
        return await control.functions.load(spec, source, text, by, order.if_match)
    share = Share(wanted.canary_weight, order.if_match)
    return await control.functions.stage(spec, source, text, by, share)


async def inspected(functions: Functions, spec: FunctionSpec, source: Source, spent: Spent) -> str:
    """The signature of the function in this source, as JSON, once it is judged and its module has run.
    NotFound, PolicyRefused, ModuleFailed; errors of the service."""
    return _told(await _inspect(functions, spec, source, spent))


async def _inspect(functions: Functions, spec: FunctionSpec, source: Source, spent: Spent) -> Signature:
    module = Module(source.digest, source.text, spec.module, max_code=functions.max_code)
    deadline = time.monotonic() + functions.seconds
    found = await functions.contracts.inspect(Contract(spec.hash), module, spec.name, deadline, spent)
    if found.signature is None:
        raise _why_not(found, spec)
    return found.signature


def _told(signature: Signature) -> str:
    """As JSON, which lists and documents repeat. ModuleFailed when it is too long for that."""
    text = orjson.dumps(asdict(signature))
    if len(text) > MAX_SIGNATURE:
        said = (
            f"parameters, defaults and docstring take {len(text)} bytes as JSON, the limit is {MAX_SIGNATURE}"
        )
        raise ModuleFailed("SignatureError", f"{said}; shorten them", signature.line or None, None)
    return text.decode()


def _why_not(found: Inspection, spec: FunctionSpec) -> RequestError:
    if found.refusal is not None:
        return policy_refused(found.refusal)
    fault = found.error
    if fault is None:
        return ModuleFailed("Unknown", "it was not said why", None, None)
    if fault.type == NO_FUNCTION:
        has = f"it has {', '.join(found.names)[:500]}" if found.names else "it has none"
        return NotFound(f"{spec.module}.py has no function {spec.name} that may be called; {has}")
    return ModuleFailed(fault.type, fault.message, fault.line, fault.parameter)


def _refused(spec: FunctionSpec, by: Actor, error: RequestError) -> Event:
    target = f"{spec.hash}/{spec.name}"
    return Event(by, "function.load", target, about_spec(spec), outcome=kind_of(error).code)
