"""What the jail has to do with an exception whose own words do not say so. Pure."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

_MOST_LINKS = 20


def hint(error: BaseException) -> str | None:
    """One line that says what does not exist here and what to do, or None when the exception speaks for
    itself."""
    return next((found for link in _chain(error) if (found := _hint(link)) is not None), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it came of."""
    link: BaseException | None = error
    for _ in range(_MOST_LINKS):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__


def _hint(error: BaseException) -> str | None:
    if isinstance(error, socket.gaierror):
        return "programs have no network, name resolution included; send what is needed as data"
    if isinstance(error, ModuleNotFoundError):
        name = str(error.name).partition(".")[0]
        return f"no module {name} can be imported here; GET /capabilities lists those that can"
    if isinstance(error, FileNotFoundError) and _raised_in(error, "multiprocessing"):
        return "programs start no processes; use threads, or do it in this one"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "the limit of threads (LARS_MAX_THREADS) or memory_limit was reached; use fewer threads"
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return "the limit of open files (LARS_MAX_OPEN_FILES) was reached; close some"
    return None


def _raised_in(error: BaseException, package: str) -> bool:
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step is not None and f"/{package}/" in step.tb_frame.f_code.co_filename
