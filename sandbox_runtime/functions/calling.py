"""One call of a function, from its arguments to the JSON text of what it returned."""

from __future__ import annotations

import inspect
import time
from typing import Any

from sandbox_runtime import policy
from sandbox_runtime.function import Fault, Outcome
from sandbox_runtime.functions import event_loop
from sandbox_runtime.functions.annotations import Forms
from sandbox_runtime.functions.arguments import Query, WrongArguments, bind, members_of
from sandbox_runtime.functions.failure import fault_of, in_doubt
from sandbox_runtime.functions.modules import Failed, Loaded, Modules, Refused
from sandbox_runtime.functions.results import NotJson, json_text
from sandbox_runtime.functions.signature import underlying

_RESULT = "ResultError"
Answer = tuple[bytes | None, Outcome]


def invoke(modules: Modules, digest: str, name: str, given: tuple[bytes | None, Query], limit: int) -> Answer:
    """JSON text and outcome. ``given``: the text of the body and the query; ``limit``: bytes of the text."""
    try:
        loaded = modules.get(digest)
        function = loaded.function(name)
        positional, named = bind(function, members_of(given[0]), given[1])
    except WrongArguments as error:
        return None, Outcome("caller_error", wrong=error.found)
    except Refused as error:
        refusal = error.refusal
        return None, _failed(Fault("PolicyError", refusal.message, refusal.line))
    except Failed as error:
        return None, _failed(error.fault, last=error.last)
    except BaseException as error:  # noqa: BLE001 - a class of the module's that an argument is made of
        return None, _failed(fault_of(error, ""), last=in_doubt(error) or not is_sound())
    return _call(loaded, function.call, (positional, named), limit)


def _call(loaded: Loaded, call: Any, arguments: tuple[list[Any], dict[str, Any]], limit: int) -> Answer:
    began = time.monotonic()
    try:
        value = call(*arguments[0], **arguments[1])
        text = json_text(_awaited(value), limit)
    except NotJson as error:
        outcome = _failed(Fault(_RESULT, f"the result is not JSON: {error}", _line_of(call)))
    except BaseException as error:  # noqa: BLE001 - the function may raise anything
        fault = fault_of(error, loaded.file)
        # What no line of the module's has raised may be ours, because the module has broken something.
        outcome = _failed(fault, last=in_doubt(error) or (fault.line is None and not is_sound()))
    else:
        return text, Outcome("ok", run=time.monotonic() - began)
    return None, Outcome(outcome.end, outcome.error, run=time.monotonic() - began, last=outcome.last)


def _awaited(value: Any) -> Any:
    """What an asynchronous function gives in the end."""
    if type(value) is int:
        return value
    if inspect.iscoroutine(value):
        return _awaited(event_loop.run(value))
    if inspect.isasyncgen(value):
        return event_loop.run(event_loop.collected(value))
    return value


def _line_of(call: Any) -> int | None:
    """Where the function begins."""
    written = underlying(call)
    return None if written is None else written.__code__.co_firstlineno


def is_sound() -> bool:
    """Whether this process can still do its own work: free Python may have broken what it does it with."""
    try:
        integers = Forms({}).of(list[int]).from_json([1])
        verdict = policy.judge("1", policy.POLICIES["restricted"], max_bytes=10)
        reads = integers == [1] and isinstance(verdict, policy.Allowed)
        return reads and json_text({"a": (1, None)}, 100) == b'{"a":[1,null]}'
    except BaseException:  # noqa: BLE001 - that is the answer
        return False


def _failed(fault: Fault, *, last: bool = False) -> Outcome:
    return Outcome("function_error", fault, last=last)
