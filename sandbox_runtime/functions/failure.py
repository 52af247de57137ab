"""What a call of foreign code raised, as what its caller is told."""

from __future__ import annotations

from sandbox_runtime.function import MAX_TEXT, Fault
from sandbox_runtime.result import type_name
from sandbox_runtime.telling import line_in, message_of, shortened

_NAME = 200
_NO_MEMORY = "the memory of a contract's worker (LARS_MEMORY) is used up, and its state is gone"
_MARGIN = 100  # for the words that say how much was left out


def fault_of(error: BaseException, file: str) -> Fault:
    """Whatever its methods do. ``line`` is the last one in the module's own ``file``."""
    name = shortened(type_name(error), _NAME)
    if type(error) is MemoryError:
        return Fault(name, _NO_MEMORY, line_in(file, error))
    try:
        return Fault(name, shortened(message_of(error), MAX_TEXT - _MARGIN), line_in(file, error))
    except BaseException as second:  # noqa: BLE001 - the exception's attributes are the module's
        return Fault(name, f"<telling of it raised {type_name(second)}>")


def in_doubt(error: BaseException) -> bool:
    """Whether who raised it may have left things half done that others rely on."""
    return issubclass(type(error), MemoryError)
