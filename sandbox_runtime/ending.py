"""How a program ends: what CPython does between the last instruction of the main script and exit(3).

The order is that of ``Py_RunMain``: flush, print the exception (``PyErr_Print``), wait for threads, call
atexit, flush, let go of the standard streams and of ``__main__`` so that finalizers run. What differs stands
in docs/execution.md.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from sandbox_runtime.result import safe_repr

_LONG_MAX = sys.maxsize  # a C long and a C ssize_t have one size on every platform that has our jail
_OVERFLOW = 255  # PyLong_AsLong gives -1 for what a C long cannot hold


def show(error: BaseException | None) -> int:
    """Print what CPython prints for an exception that left the main script; the exit code."""
    if error is None:
        return 0
    if issubclass(type(error), SystemExit):
        return _leave(error)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    code = _call_hook(error)
    if code is not None:
        return code
    return 130 if issubclass(type(error), KeyboardInterrupt) else 1


def flush_after_main() -> None:
    """``flush_io``: once more than the end itself does, and without a word when it fails."""
    for name in ("stderr", "stdout"):
        try:
            getattr(sys, name).flush()
        except BaseException as error:  # noqa: BLE001 - the stream may be the program's and raise anything
            _ignore(name, error)


def end_threads_and_call_atexit() -> None:
    """Wait for threads that are no daemons, then call what the program registered."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # what Py_FinalizeEx calls first
    except BaseException as error:  # noqa: BLE001 - CPython reports it and goes on
        _display(error)
    atexit._run_exitfuncs()


def flush() -> bool:
    """What the program's streams still hold goes out; False when it could not (``flush_std_files``)."""
    out, err = getattr(sys, "stdout", None), getattr(sys, "stderr", None)
    out_is_empty = _flush(out, _complain_of)
    return _flush(err, _ignore) and out_is_empty


def _flush(stream: Any, tell: Callable[[object, BaseException], None]) -> bool:
    try:
        if stream is not None and not _is_closed(stream):
            stream.flush()
    except BaseException as error:  # noqa: BLE001 - the stream may be the program's and raise anything
        tell(stream, error)
        return False
    return True


def _is_closed(stream: Any) -> bool:
    try:
        return bool(stream.closed)
    except BaseException:  # noqa: BLE001 - CPython takes a stream that cannot say for an open one
        return False


def _ignore(stream: object, error: BaseException) -> None:
    """Where CPython says nothing either."""


def _complain_of(stream: object, error: BaseException) -> None:
    """PyErr_WriteUnraisable, which a program can no longer have replaced by a hook that would be of use."""
    below = error.__traceback__.tb_next if error.__traceback__ else None
    where = "on flushing sys.stdout:" if sys.version_info >= (3, 13) else f"in: {safe_repr(stream)}"
    _complain(f"Exception ignored {where}")
    _display(error.with_traceback(below))


def let_go() -> None:
    """Drop what the interpreter holds of the program, so that finalizers run. The caller holds nothing of it.

    ``finalize_modules`` in Python/pylifecycle.c: the streams and the last exception first, then ``__main__``,
    whose dict dies in order or, when a function of it makes that a cycle, by the collector.
    """
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        vars(sys).pop(name, None)
    sys.modules.pop("__main__", None)
    gc.collect()


def _call_hook(error: BaseException) -> int | None:
    """PyErr_PrintEx: the hook is the program's; an exit code when it asked for one."""
    try:
        hook = sys.excepthook
    except AttributeError:
        _complain("sys.excepthook is missing")
        _display(error)
        return None
    try:
        hook(type(error), error, error.__traceback__)
    except SystemExit as leaving:
        return _leave(leaving)
    except BaseException as second:  # noqa: BLE001 - the hook is the program's and may raise anything
        below = second.__traceback__.tb_next if second.__traceback__ else None
        second.__context__ = None
        _complain("Error in sys.excepthook:")
        _display(second.with_traceback(below))
        _complain("\nOriginal exception was:")
        _display(error)
    return None


def _display(error: BaseException) -> None:
    sys.__excepthook__(type(error), error, error.__traceback__)


def _complain(line: str) -> None:
    """PySys_WriteStderr: to the program's stream, and when that fails to the descriptor."""
    try:
        sys.stderr.write(f"{line}\n")
    except BaseException:  # noqa: BLE001 - the stream is the program's and may raise anything
        with contextlib.suppress(OSError):
            os.write(2, f"{line}\n".encode(errors="backslashreplace"))


def _leave(error: BaseException) -> int:
    """_Py_HandleSystemExit: the status that a SystemExit asks for."""
    code: object
    try:
        code = error.code  # type: ignore[attr-defined]
    except BaseException:  # noqa: BLE001 - the attribute may be the program's and raise anything
        code = error
    if code is None:
        return 0
    if issubclass(type(code), int):
        code = int.__index__(code)  # type: ignore[arg-type]
        return code & 0xFF if -_LONG_MAX - 1 <= code <= _LONG_MAX else _OVERFLOW
    try:
        text = str(code)
    except BaseException:  # noqa: BLE001 - __str__ is the program's and may raise anything
        text = ""
    _complain(text)
    return 1
