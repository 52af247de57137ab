"""What stands in the place of a name of the standard library that takes more than a function may give it.

Each does the same for ordinary use. What is refused raises TypeError with the reason.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import functools
import operator
import types
from collections.abc import Callable, Mapping
from typing import Any

from sandbox_runtime.policy.function_names import attribute_fault


def _attrgetter(*names: str) -> Callable[[Any], Any]:
    """operator.attrgetter of names that may be read."""
    for name in names:
        _check(name)
    return operator.attrgetter(*names)


def _methodcaller(name: str, /, *arguments: object, **named: object) -> Callable[[Any], Any]:
    """operator.methodcaller of a name that may be read."""
    _check(name)
    return operator.methodcaller(name, *arguments, **named)


def _check(name: object) -> None:
    if type(name) is not str:
        raise TypeError(f"the name of an attribute must be a str, not {type(name).__name__}")
    for part in name.split("."):
        fault = attribute_fault(part)
        if fault:
            raise TypeError(f"policy function refuses the attribute '{part}': {fault}")


def _update_wrapper(wrapper: Any, wrapped: Any) -> Any:
    """functools.update_wrapper without lists of attributes, which it would read from anything."""
    return functools.update_wrapper(wrapper, wrapped)


def _wraps(wrapped: Any) -> Callable[[Any], Any]:
    """functools.wraps likewise."""
    return functools.partial(_update_wrapper, wrapped=wrapped)


def _dataclass(cls: type | None = None, /, **options: Any) -> Any:
    """dataclasses.dataclass over copies of the fields: it writes their names into a text that it runs, and a
    program that still had one could rename it."""
    if cls is None:
        return functools.partial(_dataclass, **options)
    for name, value in list(vars(cls).items()):
        if isinstance(value, dataclasses.Field):
            setattr(cls, name, copy.copy(value))
    return dataclasses.dataclass(**options)(cls)


def _fields(class_or_instance: Any) -> tuple[dataclasses.Field[Any], ...]:
    """dataclasses.fields: copies, for the same reason."""
    return tuple(copy.copy(field) for field in dataclasses.fields(class_or_instance))


class _AnyClass(type):
    """The class of ``Type``, which answers as ``type`` does."""

    def __call__(cls, *arguments: object, **named: object) -> Any:
        if len(arguments) != 1 or named:
            raise TypeError("policy function refuses making classes with type(); write a class statement")
        kind = type(arguments[0])
        if issubclass(kind, type):
            raise TypeError("policy function refuses the class of a class; compare classes with 'is'")
        return kind

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, type)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, type)


class Type(metaclass=_AnyClass):
    """``type`` as a function has it: ``type(value)``, ``isinstance(value, type)`` and ``type[Item]``."""

    def __init_subclass__(cls, **_: object) -> None:
        raise TypeError("policy function refuses a class derived from type")

    def __class_getitem__(cls, item: object) -> types.GenericAlias:
        return types.GenericAlias(cls, item)


Type.__name__ = Type.__qualname__ = "type"
Type.__module__ = "builtins"


class _Written(enum.EnumMeta):
    """Enumerations are written as classes: the call that makes one takes the names of methods from a text."""

    def __call__(cls, value: Any, *more: Any, **named: Any) -> Any:
        if not len(cls):
            raise TypeError(
                "policy function refuses making an enumeration by a call; write a class statement"
            )
        return super().__call__(value, *more, **named)


class _Enum(enum.Enum, metaclass=_Written):
    pass


class _IntEnum(enum.IntEnum, metaclass=_Written):
    pass


class _StrEnum(enum.StrEnum, metaclass=_Written):
    pass


class _Flag(enum.Flag, metaclass=_Written):
    pass


class _IntFlag(enum.IntFlag, metaclass=_Written):
    pass


for _kind in (_Enum, _IntEnum, _StrEnum, _Flag, _IntFlag):
    _kind.__name__ = _kind.__qualname__ = _kind.__name__.lstrip("_")
    _kind.__module__ = "enum"

REPLACEMENTS: Mapping[str, object] = {
    "dataclasses.dataclass": _dataclass,
    "dataclasses.fields": _fields,
    "enum.Enum": _Enum,
    "enum.Flag": _Flag,
    "enum.IntEnum": _IntEnum,
    "enum.IntFlag": _IntFlag,
    "enum.StrEnum": _StrEnum,
    "functools.update_wrapper": _update_wrapper,
    "functools.wraps": _wraps,
    "operator.attrgetter": _attrgetter,
    "operator.methodcaller": _methodcaller,
    "typing.Type": Type,  # an alias of type that is told to be an instance calls it
}
