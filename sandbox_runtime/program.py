"""One program, run as ``python3 main.py`` would run it, and the report of how it ended.

``prepare`` compiles; the caller then executes ``Run.code`` in ``Run.namespace`` from the interpreter's own
top frame, so that the program's call depth and tracebacks are those of a main script; ``Run.finish`` does
what ``Py_FinalizeEx`` does (threads, atexit, finalizers, flush) and encodes the result.
"""

from __future__ import annotations

import atexit
import builtins
import errno
import gc
import json
import os
import resource
import sys
import threading
import time
import traceback
import types

from sandbox_runtime import policy
from sandbox_runtime.job import ExceptionInfo, Program, Refusal, Report
from sandbox_runtime.result import encode_result

FILE = "main.py"
MAX_MESSAGE = 4096
MAX_TRACEBACK = 32 * 1024
_PR_EPERM = "the jail refused a system call"


class Refused(Exception):
    """The program must not run; ``report`` says why."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.end)
        self.report = report


class Run:
    """A prepared program: ``code`` and ``namespace`` are ready for exec; ``finish`` must follow."""

    def __init__(self, program: Program, namespace: dict[str, object], findings: str | None) -> None:
        self.code: types.CodeType | None = None
        self.namespace = namespace
        self.error: BaseException | None = None
        self._program = program
        self._findings = findings
        self._bind = 0.0
        self._started = 0.0

    def start(self, began: float) -> None:
        """The next thing that happens is the program's first instruction."""
        self._started = time.monotonic()
        self._bind = self._started - began

    def finish(self) -> tuple[Report, bytes | None]:
        """End as CPython ends. ``self.error`` is what left the program's top frame, its traceback starting there."""
        error = self.error
        code = _show(error)
        _end_threads_and_atexit()
        encoded = encode_result(self.namespace.get("result"), self._program.max_result)
        end, detail = _classify(error, code)
        report = Report(
            end=end,
            exit_code=code,
            exception=_describe(error),
            findings=self._findings,
            result_repr=encoded.representation,
            warnings=encoded.warnings,
            detail=detail,
            bind=self._bind,
            run=time.monotonic() - self._started,
            **_usage(),
        )
        error = self.error = None
        sys.last_type = sys.last_value = sys.last_traceback = None
        _finalize_module(self.namespace)
        _flush()
        return report, encoded.text


def prepare(program: Program, raw_data: bytes | None) -> Run:
    """Judge, compile and make ``__main__``. Raises Refused when the program must not run."""
    data = _parse_data(raw_data)
    rules = policy.POLICIES[program.policy]
    verdict = policy.judge(program.code, rules, max_bytes=program.max_code)
    if isinstance(verdict, policy.Rejected):
        refusal = Refusal(verdict.rule, verdict.message, verdict.line, verdict.column, verdict.remedy)
        raise Refused(Report("rejected", 1, refusal=refusal, detail=f"{verdict.message}; {verdict.remedy}"))
    _write_source(program.code)
    namespace = _main_module(program)
    if program.policy == "restricted":
        namespace["__builtins__"] = policy.restricted_builtins()
    if program.has_data:
        namespace["data"] = data
    if isinstance(verdict, policy.Invalid):
        run = Run(program, namespace, None)
        run.error = verdict.error
        return run
    findings = policy.describe(policy.findings(verdict.tree)) if program.validate else None
    run = Run(program, namespace, findings)
    _compile(run, program.code)
    return run


def _compile(run: Run, source: str) -> None:
    try:
        run.code = compile(source, FILE, "exec", dont_inherit=True)
    except SyntaxError as error:  # some are found only by the compiler proper, such as a stray return
        run.error = error
    except (ValueError, MemoryError, RecursionError) as error:
        refusal = Refusal("parse", f"the compiler gave up: {error!r}", None, None, "send a smaller or flatter program")
        raise Refused(Report("rejected", 1, refusal=refusal, detail=refusal.message)) from error


def _parse_data(raw: bytes | None) -> object:
    if raw is None:
        return None
    try:
        # The standard parser, because it keeps integers of any size; the service has checked the syntax.
        return json.loads(raw)["data"]
    except (ValueError, RecursionError) as error:
        raise Refused(Report("invalid_data", 1, detail=f"data: {error}")) from error


def _write_source(source: str) -> None:
    # A real file, so that tracebacks, inspect.getsource and open(__file__) find the program's lines.
    descriptor = os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        file.write(source.encode())


def _main_module(program: Program) -> dict[str, object]:
    main = types.ModuleType("__main__")
    namespace = main.__dict__
    namespace["__file__"] = os.path.join(os.getcwd(), FILE)
    namespace["__cached__"] = None
    namespace["__builtins__"] = builtins
    namespace["__annotations__"] = {}
    sys.modules["__main__"] = main
    sys.argv = [FILE, *program.argv]
    return namespace


def _show(error: BaseException | None) -> int:
    """Print what CPython prints for an exception that left the main script; the exit code."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        return _exit_code(error.code)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException as second:  # noqa: BLE001 - the hook is the program's and may raise anything
        print("Error in sys.excepthook:", file=sys.stderr)
        _print_default(second)
        print("\nOriginal exception was:", file=sys.stderr)
        _print_default(error)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _print_default(error: BaseException) -> None:
    sys.__excepthook__(type(error), error, error.__traceback__)


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _end_threads_and_atexit() -> None:
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # what Py_FinalizeEx calls first
    except BaseException as error:  # noqa: BLE001 - CPython reports it and goes on
        _print_default(error)
    atexit._run_exitfuncs()


def _finalize_module(namespace: dict[str, object]) -> None:
    """Let go of the program's names in the order of ``_PyModule_ClearDict``, so that finalizers run."""
    for private in (True, False):
        for name in list(namespace):
            is_private = name.startswith("_") and not name.startswith("__")
            if name != "__builtins__" and is_private is private:
                namespace[name] = None
    gc.collect()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            # Replaced, closed or over its limit: as at interpreter exit, there is nobody left to tell.
            continue


def _usage() -> dict[str, object]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": usage.ru_utime + usage.ru_stime, "memory_peak": usage.ru_maxrss * 1024}


def _classify(error: BaseException | None, code: int) -> tuple[str, str | None]:
    """Which end a finished program came to, and the limit's detail where a limit was behind it."""
    if error is None or (isinstance(error, SystemExit) and code == 0):
        return "ok", None
    if isinstance(error, SystemExit):
        return "exit", None
    if isinstance(error, MemoryError):
        return "memory", None
    if isinstance(error, OSError):
        return _classify_os_error(error)
    return "exception", None


def _classify_os_error(error: OSError) -> tuple[str, str | None]:
    if error.errno == errno.EFBIG and _stream_is_full():
        return "output", None
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "disk", None
    if error.errno in (errno.EPERM, errno.ENOSYS):
        return "syscall", f"{_PR_EPERM} ({errno.errorcode[error.errno]}) in {_caller(error)}"
    return "exception", None


def _stream_is_full() -> bool:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return any(os.fstat(descriptor).st_size >= limit for descriptor in (1, 2))


def _caller(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}, line {frames[-1].lineno}: {frames[-1].line}"[:200] if frames else "the program"


def _describe(error: BaseException | None) -> ExceptionInfo | None:
    if error is None or isinstance(error, SystemExit):
        return None
    try:
        text = "".join(traceback.format_exception(error))
        message = str(error)
    except BaseException as second:  # noqa: BLE001 - __str__ is the program's and may raise anything
        text, message = "", f"<its str raised {type(second).__name__}>"
    return ExceptionInfo(
        _clean(type(error).__name__, 200),
        _clean(message, MAX_MESSAGE),
        _line(error),
        _clean(text, MAX_TRACEBACK),
    )


def _line(error: BaseException) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == FILE and error.__traceback__ is None:
        return error.lineno
    line = None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == FILE:
            line = step.tb_lineno
        step = step.tb_next
    return line


def _clean(text: str, limit: int) -> str:
    if len(text) > limit:
        text = f"{text[: limit // 2]}\n... {len(text) - limit} characters left out ...\n{text[-limit // 2 :]}"
    return text.encode(errors="backslashreplace").decode()
