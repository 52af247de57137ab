"""The builtins that the module of a loaded function runs with: the second half of its fence.

The judge refuses what a text says; this refuses what it makes up at run time. ``getattr`` and its like
check the name they are given, ``type`` makes no class and hands out no metaclass, and an import yields a
module that holds the names of the table of imports and nothing else: no name leads from one
module to the next.
"""

from __future__ import annotations

import builtins
import importlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence

from sandbox_runtime.policy.function_imports import IMPORTS, REFUSED_IMPORTS
from sandbox_runtime.policy.function_names import FUNCTION_BUILTINS, attribute_fault
from sandbox_runtime.policy.function_replacements import REPLACEMENTS, Type
from sandbox_runtime.policy.shape import Only

_NOTHING = object()


def function_builtins() -> dict[str, object]:
    """A fresh ``__builtins__`` for one module: its imports are its own too, and writing to them changes no
    other module's."""
    names = {name: getattr(builtins, name) for name in sorted(FUNCTION_BUILTINS)}
    return {
        **names,
        **_CHECKED,
        "__build_class__": builtins.__build_class__,
        "__import__": _importer(),
        "__debug__": __debug__,
    }


def _importer() -> Callable[..., types.ModuleType]:
    """``__import__`` over the table. Real modules are loaded when they are first asked for."""
    made: dict[str, types.ModuleType] = {}

    def import_(
        name: str,
        _globals: Mapping[str, object] | None = None,
        _locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        if type(fromlist) is list and name.partition(".")[0] in sys.stdlib_module_names:
            return _for_the_interpreter(name)
        if level or type(name) is not str or name not in IMPORTS:
            reason = REFUSED_IMPORTS.get(str(name).partition(".")[0], "it is not in the table of imports")
            raise ImportError(f"policy function refuses the import of '{name}': {reason}")
        return _module(name if fromlist else name.partition(".")[0], made)

    return import_


def _for_the_interpreter(name: str) -> types.ModuleType:
    """Code in C imports by the ``__import__`` of the frame that called it (PyImport_Import, with an empty
    list, which no statement passes): datetime needs _strptime, json its error. It takes the module from
    sys.modules and drops what this returns, which holds nothing."""
    importlib.import_module(name)
    return types.ModuleType(name)


def _module(name: str, made: dict[str, types.ModuleType]) -> types.ModuleType:
    if name not in made:
        module = made[name] = types.ModuleType(name)
        module.__dict__.update(_contents(name, made))
    return made[name]


def _contents(name: str, made: dict[str, types.ModuleType]) -> Iterator[tuple[str, object]]:
    source, table = importlib.import_module(name), IMPORTS[name]
    for member in table.names if isinstance(table, Only) else ():
        if f"{name}.{member}" in IMPORTS:
            yield member, _module(f"{name}.{member}", made)
            continue
        value = REPLACEMENTS.get(f"{name}.{member}", getattr(source, member, _NOTHING))
        if value is not _NOTHING:  # it may be of a later Python
            yield member, value


def _checked(name: object) -> str:
    """The name, when it is one that may be reached. A subclass of str could change its mind."""
    if type(name) is not str:
        raise TypeError(f"the name of an attribute must be a str, not {type(name).__name__}")
    fault = attribute_fault(name)
    if fault:
        raise TypeError(f"policy function refuses the attribute '{name}': {fault}")
    return name


def _getattr(value: object, name: str, /, *default: object) -> object:
    return getattr(value, _checked(name), *default)


def _setattr(value: object, name: str, content: object, /) -> None:
    setattr(value, _checked_to_write(name), content)


def _delattr(value: object, name: str, /) -> None:
    delattr(value, _checked_to_write(name))


def _checked_to_write(name: str) -> str:
    if _checked(name).startswith("__") and name.endswith("__"):
        raise TypeError(f"policy function refuses writing the attribute '{name}'")
    return name


_CHECKED: Mapping[str, object] = {
    "getattr": _getattr,
    "setattr": _setattr,
    "delattr": _delattr,
    "type": Type,
}
