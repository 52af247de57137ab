"""From an annotation to its form."""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from typing import Any

from sandbox_runtime.functions.choices import Union, literal, members_of
from sandbox_runtime.functions.containers import Many, Several, Table
from sandbox_runtime.functions.form import Anything, Form, Nothing
from sandbox_runtime.functions.names import Unresolved, resolve
from sandbox_runtime.functions.records import Member, Record
from sandbox_runtime.functions.scalars import SCALARS
from sandbox_runtime.result import safe_repr

_MAX_DEPTH = 50
_abc = collections.abc
_LISTS = (list, _abc.Sequence, _abc.MutableSequence, _abc.Iterable, _abc.Collection, _abc.Iterator)
_MANY: dict[object, Any] = {
    **dict.fromkeys(_LISTS, list),
    set: set,
    _abc.MutableSet: set,
    frozenset: frozenset,
    _abc.Set: frozenset,
    collections.deque: collections.deque,
}
_TABLES = (dict, _abc.Mapping, _abc.MutableMapping)
_UNIONS = (typing.Union, types.UnionType)
_WRAPPERS = (typing.Annotated, typing.Required, typing.NotRequired, typing.Final, typing.ClassVar)
_ANY = (Any, object)
_LITERAL = "a Literal of texts, numbers, true, false and None"


class Forms:
    """The forms of one module's annotations; each class has one."""

    def __init__(self, namespace: Mapping[str, object]) -> None:
        self._namespace = namespace
        self._records: dict[type, Record] = {}
        self._names: set[str] = set()
        self._depth = 0

    def of(self, annotation: object) -> Form:
        """The form of an annotation as it stands in the code. Unresolved when no argument can be made of
        JSON for it."""
        self._depth += 1
        try:
            if self._depth > _MAX_DEPTH:
                raise Unresolved("an annotation that is nested too deeply")
            return self._of(annotation)
        finally:
            self._depth -= 1

    def _of(self, annotation: Any) -> Form:
        annotation = self._unwrapped(annotation)
        if annotation is None or annotation is types.NoneType:
            return Nothing()
        if any(annotation is each for each in _ANY):
            return Anything()
        if isinstance(annotation, typing.TypeVar):
            return self._of_variable(annotation)
        origin = typing.get_origin(annotation)
        arguments = typing.get_args(annotation)
        if origin is None or (not arguments and type(annotation) is not types.GenericAlias):
            return self._of_class(origin or annotation)  # typing.List is a generic without arguments
        return self._of_generic(annotation, origin, arguments)

    def _unwrapped(self, annotation: Any) -> Any:
        """Beneath what says nothing of the form itself, texts among it."""
        for _ in range(_MAX_DEPTH):
            if isinstance(annotation, typing.ForwardRef):
                annotation = annotation.__forward_arg__
            elif isinstance(annotation, str):
                annotation = resolve(annotation, self._namespace)
            elif isinstance(annotation, dataclasses.InitVar):
                annotation = annotation.type
            elif isinstance(annotation, typing.NewType):
                annotation = annotation.__supertype__
            elif typing.get_origin(annotation) in _WRAPPERS:
                annotation = typing.get_args(annotation)[0]
            else:
                return annotation
        raise Unresolved("an annotation that is nested too deeply")

    def _of_variable(self, variable: typing.TypeVar) -> Form:
        if variable.__constraints__:
            return Union(tuple(map(self.of, variable.__constraints__)))
        return Anything() if variable.__bound__ is None else self.of(variable.__bound__)

    def _of_generic(self, annotation: object, origin: object, arguments: tuple[Any, ...]) -> Form:
        if origin in _UNIONS:
            return Union(tuple(map(self.of, arguments)))
        if origin is typing.Literal:
            return _of_literal(annotation, arguments)
        if origin in _MANY:
            return self._many(origin, self.of(arguments[0]))
        if origin in _TABLES:
            return Table(self.of(arguments[0]), self.of(arguments[1]))
        if origin is collections.Counter:
            return Table(self.of(arguments[0]), SCALARS[int])
        return self._of_tuple(arguments) if origin is tuple else self._of_class(origin)

    def _of_tuple(self, arguments: tuple[Any, ...]) -> Form:
        if len(arguments) == 2 and arguments[1] is ...:
            return Many(self.of(arguments[0]), tuple)
        return Several(tuple(map(self.of, arguments)))

    def _many(self, origin: object, item: Form) -> Form:
        make = _MANY[origin]
        return Many(item, make, unique=make in (set, frozenset))

    def _of_class(self, kind: Any) -> Form:
        if kind is tuple or kind is tuple:
            return Many(Anything(), tuple)
        origin = typing.get_origin(kind) or kind  # typing.List without arguments
        if isinstance(origin, type) and origin in SCALARS:
            return SCALARS[origin]
        if isinstance(origin, type):
            if origin in _MANY:
                return self._many(origin, Anything())
            if origin in _TABLES:
                return Table(SCALARS[str], Anything())
            return self._of_own_class(origin)
        raise Unresolved(f"{safe_repr(kind)[:60]} is no type that an argument can be made of")

    def _of_own_class(self, kind: type) -> Form:
        if kind in self._records:
            return self._records[kind]
        if issubclass(kind, enum.Enum):
            return members_of(kind)
        if dataclasses.is_dataclass(kind):
            return self._record(kind, _dataclass_members(kind))
        if typing.is_typeddict(kind):
            return self._record(kind, _typeddict_members(kind))
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            return self._record(kind, _namedtuple_members(kind), in_order=True)
        name = _name_of(kind)
        raise Unresolved(f"no argument can be made of JSON for the class {name}; make it a dataclass")

    def _record(self, kind: type, members: dict[str, tuple[object, bool]], *, in_order: bool = False) -> Form:
        name = _name_of(kind)
        while name in self._names:
            name += "_"
        self._names.add(name)
        record = self._records[kind] = Record(name, kind, in_order=in_order)
        for member, (annotation, required) in members.items():
            form, needed = self._needed(annotation, required)
            record.members[member] = Member(form, needed)
        return record

    def _needed(self, annotation: Any, required: bool) -> tuple[Form, bool]:
        """Required and NotRequired may hide in a text, where the class could not see them."""
        if isinstance(annotation, typing.ForwardRef):
            annotation = resolve(annotation.__forward_arg__, self._namespace)
        origin = typing.get_origin(annotation)
        if origin in (typing.Required, typing.NotRequired):
            required = origin is typing.Required
        return self.of(annotation), required


def _of_literal(annotation: object, values: tuple[Any, ...]) -> Form:
    found = literal(values)
    if found is None:
        raise Unresolved(f"{safe_repr(annotation)[:60]} is not {_LITERAL}")
    return found


def _dataclass_members(kind: Any) -> dict[str, tuple[object, bool]]:
    found: dict[str, tuple[object, bool]] = {}
    for field in kind.__dataclass_fields__.values():
        if not field.init or typing.get_origin(field.type) is typing.ClassVar or _is_class_variable(field):
            continue
        has_default = (
            field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        )
        found[field.name] = field.type, not has_default
    return found


def _is_class_variable(field: Any) -> bool:
    return field._field_type is vars(dataclasses)["_FIELD_CLASSVAR"]


def _typeddict_members(kind: Any) -> dict[str, tuple[object, bool]]:
    return {name: (form, name in kind.__required_keys__) for name, form in kind.__annotations__.items()}


def _namedtuple_members(kind: Any) -> dict[str, tuple[object, bool]]:
    annotations = kind.__annotations__
    return {name: (annotations.get(name, Any), name not in kind._field_defaults) for name in kind._fields}


def _name_of(kind: type) -> str:
    return str(type.__dict__["__name__"].__get__(kind))
