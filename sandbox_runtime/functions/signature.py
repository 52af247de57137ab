"""What a function takes, read from the function itself: as a Signature to tell, as forms to convert by."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox_runtime.function import MAX_PARAMETERS, MAX_TEXT, Parameter, ParameterKind, Signature
from sandbox_runtime.functions.annotations import Forms
from sandbox_runtime.functions.choices import Union
from sandbox_runtime.functions.containers import Many, Table
from sandbox_runtime.functions.form import Anything, Form, Nothing, Schema
from sandbox_runtime.functions.names import Unresolved
from sandbox_runtime.functions.results import plain_value
from sandbox_runtime.functions.scalars import SCALARS
from sandbox_runtime.result import safe_repr

_KINDS: dict[Any, ParameterKind] = {
    inspect.Parameter.POSITIONAL_ONLY: "positional",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
    inspect.Parameter.VAR_POSITIONAL: "varargs",
    inspect.Parameter.VAR_KEYWORD: "varkwargs",
}
_DEFAULT_BYTES = 4096


class NotUsable(Exception):
    """The function cannot be called with JSON; ``parameter`` is at fault."""

    def __init__(self, why: str, parameter: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Slot:
    """One parameter as a call fills it. ``form`` is that of each member where it takes all the others."""

    name: str
    kind: ParameterKind
    form: Form
    required: bool
    default: Any = None


@dataclass(frozen=True, slots=True)
class Function:
    """A function that can be called: ``slots`` in the order of its parameters."""

    call: Callable[..., Any]
    slots: tuple[Slot, ...]
    code: types.CodeType


def underlying(value: object) -> types.FunctionType | None:
    """The function that was written, beneath what functools wraps around it; None where there is none."""
    for _ in range(20):
        if type(value) is types.FunctionType:
            inner = value.__dict__.get("__wrapped__")
            if inner is None:
                return value
            value = inner
        elif type(value) is functools._lru_cache_wrapper:
            value = value.__wrapped__
        else:
            break
    return None


def function_of(value: Any, forms: Forms) -> Function:
    """NotUsable when a parameter cannot be made of JSON, or when there are too many."""
    written = underlying(value)
    if written is None:
        raise NotUsable("it is no function")
    slots = tuple(_slot(parameter, forms) for parameter in _parameters(value))
    return Function(value, slots, written.__code__)


def signature_of(function: Function, forms: Forms) -> Signature:
    """To tell those who call."""
    written = underlying(function.call)
    doc = inspect.getdoc(written) if written is not None else None
    given = {parameter.name: parameter for parameter in _parameters(function.call)}
    return Signature(
        tuple(_parameter(slot, given[slot.name]) for slot in function.slots),
        _returns(written, forms),
        (doc or "")[:MAX_TEXT].encode("utf-8", "backslashreplace").decode(),
        function.code.co_firstlineno,
        bool(function.code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR)),
    )


def _parameters(value: Any) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError) as error:
        raise NotUsable("its signature cannot be read") from error
    if len(found) > MAX_PARAMETERS:
        raise NotUsable(f"it has {len(found)} parameters, the limit is {MAX_PARAMETERS}")
    return found


def _slot(parameter: inspect.Parameter, forms: Forms) -> Slot:
    kind = _KINDS[parameter.kind]
    try:
        form = Anything() if parameter.annotation is parameter.empty else forms.of(parameter.annotation)
    except Unresolved as error:
        raise NotUsable(f"the parameter {parameter.name}: {error}", parameter.name) from error
    if kind == "varargs":
        form = Many(form, tuple)
    elif parameter.default is None and not isinstance(form, Anything):
        form = Union((form, Nothing()))  # x: int = None, as it was written before there was Optional
    required = parameter.default is parameter.empty and kind not in ("varargs", "varkwargs")
    return Slot(parameter.name, kind, form, required, parameter.default)


def _parameter(slot: Slot, given: inspect.Parameter) -> Parameter:
    schema = _whole(Table(SCALARS[str], slot.form) if slot.kind == "varkwargs" else slot.form)
    default = None
    if given.default is not given.empty:
        default = plain_value(given.default, _DEFAULT_BYTES)
        if default is not None or given.default is None:
            schema["default"] = default
    return Parameter(slot.name, slot.kind, schema, slot.required, default, _annotation_text(given.annotation))


def _whole(form: Form) -> Schema:
    """A schema that stands for itself."""
    definitions: dict[str, Schema] = {}
    schema = form.schema(definitions)
    return {**schema, "$defs": definitions} if definitions else schema


def _returns(written: types.FunctionType | None, forms: Forms) -> Schema:
    annotations = written.__annotations__ if written is not None else {}
    try:
        return _whole(forms.of(annotations["return"])) if "return" in annotations else {}
    except Unresolved:
        return {}  # nothing is converted by it


def _annotation_text(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, str):
        return annotation[:MAX_TEXT]
    if type(annotation) is not types.GenericAlias and isinstance(annotation, type):
        return str(type.__dict__["__name__"].__get__(annotation))
    return safe_repr(annotation)[:MAX_TEXT].replace("typing.", "")
