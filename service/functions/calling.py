"""One call of a loaded function: which version, in whose worker, and what its end is for the caller."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from sandbox_runtime.domain import Contract
from sandbox_runtime.function import BODY, Invocation, Outcome, WrongArgument
from service.errors import (
    MISSING,
    FieldError,
    FunctionError,
    FunctionFailed,
    FunctionTimeout,
    LarsError,
    RequestError,
    ValidationFailed,
)
from service.functions.contracts import Apart
from service.functions.figures import RAN, CallOutcome, VersionKey
from service.functions.functions import Functions
from service.functions.recorded_call import RecordedCall
from service.functions.values import Function, drawn
from service.http.body import parse_object
from service.pool.job import Spent


@dataclass(frozen=True, slots=True)
class Called:
    """What a caller asks for. ``query``: names and texts of the query string, None when there is none;
    ``body``: JSON text of an object, None when there is none; ``version``: None leaves it to the function."""

    function: Function
    query: dict[str, str | list[str]] | None
    body: bytes | None
    version: int | None


@dataclass(frozen=True, slots=True)
class Returned:
    """``value``: JSON text. ``run``: seconds."""

    value: bytes
    version: int
    run: float


async def call(functions: Functions, called: Called, deadline: float, spent: Spent) -> Returned:
    """Run it. ``deadline``: a ``time.monotonic()`` value. ValidationFailed, MalformedJson, NotFound for the
    version, FunctionFailed, FunctionTimeout; errors of the service."""
    spec = called.function.spec
    version, digest = await _chosen(functions, called)
    began, used = time.monotonic(), spent.cpu
    end: CallOutcome = "platform_error"
    run = 0.0
    value, error = None, None
    try:
        module = await functions.modules.module(digest, spec.module)
        invocation = Invocation(digest, spec.name, called.body, called.query)
        contract = Contract(spec.hash)
        where = contract if digest == called.function.digest else Apart(contract)
        value, outcome = await functions.contracts.call(where, module, invocation, deadline, spent)
        end, run = outcome.end, outcome.run
        error = outcome.error.type if outcome.error else None
    except FunctionError as failure:
        end, run, error = "function_error", time.monotonic() - began, _type_of(failure)
        raise
    finally:
        key = VersionKey(spec.hash, spec.name, version)
        functions.meter.count(key, end, run, spent.cpu - used)
        if called.function.recording is not None and end in RAN:
            _record(functions, called, digest, (value, error, run))
    if value is None:
        raise _error_of(outcome, called.body)
    return Returned(value, version, run)


def _record(
    functions: Functions, called: Called, digest: str, ended: tuple[bytes | None, str | None, float]
) -> None:
    """Keep it, if it is one of the sample, and the current version got it as it gets most: not by number,
    and not as a canary. ``ended``: as RecordedCall has value, error and run."""
    function = called.function
    recording = function.recording
    if recording is None or called.version is not None or digest != function.digest:
        return
    if functions.recorder.wants(recording):
        recorded = RecordedCall(digest, called.query, called.body, *ended, time.time())
        functions.recorder.note(function, recorded)


async def _chosen(functions: Functions, called: Called) -> tuple[int, str]:
    function, number = called.function, called.version
    if number is None:
        return drawn(function, random.random() if function.canary else 0.0)  # noqa: S311 - no secret
    if number == function.version:
        return number, function.digest
    return number, await functions.modules.digest(function, number)


def _type_of(failure: FunctionError) -> str:
    if isinstance(failure, FunctionFailed):
        return failure.kind
    return TimeoutError.__name__ if isinstance(failure, FunctionTimeout) else type(failure).__name__


def _error_of(outcome: Outcome, body: bytes | None) -> LarsError:
    """What a call that returned nothing is answered with."""
    fault = outcome.error
    if fault is not None:
        return FunctionFailed(fault.type, fault.message, fault.line)
    if body is not None and outcome.wrong[0].parameter == BODY:
        try:
            parse_object(body)  # which knows where it is wrong
        except RequestError as error:
            return error
    return ValidationFailed([_field_error(wrong) for wrong in outcome.wrong])


def _field_error(wrong: WrongArgument) -> FieldError:
    value = MISSING if wrong.got is None else wrong.got
    return FieldError(wrong.parameter, wrong.message, f"expected {wrong.expected}", value)
