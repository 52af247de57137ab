"""How modules of loaded functions are judged and run in the tests."""

from __future__ import annotations

import asyncio
import builtins
import inspect
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox_runtime.policy import POLICIES, function_builtins
from tests.sandbox_runtime.policy.policy_cases import assert_allowed

FUNCTION = POLICIES["function"]
NAME = "loaded_function"


@contextmanager
def loaded(source: str, names: dict[str, object] | None = None) -> Iterator[dict[str, object]]:
    """The namespace of a module that nobody judges, after it ran; ``names`` are its builtins.

    It is in sys.modules meanwhile: dataclasses and typing look there for the module of a class.
    """
    module = types.ModuleType(NAME)
    namespace = module.__dict__
    namespace["__builtins__"] = function_builtins() if names is None else names
    sys.modules[NAME] = module
    try:
        exec(compile(source, "module.py", "exec", dont_inherit=True), namespace)  # noqa: S102 - what is tested
        yield namespace
    finally:
        sys.modules.pop(NAME, None)


def evaluate(call: str, namespace: dict[str, object]) -> object:
    """What a call in this namespace returns; an async function's result when it is done."""
    value = eval(call, namespace)  # noqa: S307 - the test's own text
    return asyncio.run(value) if inspect.iscoroutine(value) else value


def assert_function_allowed(source: str) -> None:
    """The judge admits it."""
    assert_allowed(source, FUNCTION)


_INTERNAL = (types.FrameType, types.CodeType, types.TracebackType, types.MappingProxyType)
_REFUSED = tuple(
    vars(builtins)[name] for name in ("open", "eval", "exec", "compile", "globals", "__import__")
)


def is_function_prize(loot: object) -> bool:
    """Something that a loaded function must never hold, or text that shows it was reached."""
    if isinstance(loot, str):
        return "<frame" in loot or "__builtins__" in loot or "root:" in loot or "PRIZE" in loot
    if isinstance(loot, dict):
        return "__builtins__" in loot or "print" in loot
    if loot is type or any(loot is refused for refused in _REFUSED):
        return True
    return isinstance(loot, _INTERNAL) or any(loot is module for module in sys.modules.values())


def loot_of(source: str, names: dict[str, object] | None = None) -> object:
    """What a module that nobody judges leaves in ``loot``."""
    with loaded(source, names) as namespace:
        return namespace.get("loot")
