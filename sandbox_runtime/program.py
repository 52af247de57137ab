"""One program, run as ``python3 main.py`` would run it, and the report of how it ended.

``prepare`` compiles; the caller then executes ``Run.code`` in ``Run.namespace`` from the interpreter's own
top frame, so that the program's call depth and tracebacks are those of a main script; ``Run.finish`` does
what ``Py_FinalizeEx`` does (threads, atexit, finalizers, flush) and encodes the result.
"""

from __future__ import annotations

import builtins
import dataclasses
import errno
import json
import os
import resource
import sys
import threading
import time
import traceback
import types
from importlib.machinery import SourceFileLoader

import orjson

from sandbox_runtime import ending, policy, wire
from sandbox_runtime.hints import hint
from sandbox_runtime.job import End, ExceptionInfo, Program, Refusal, Report
from sandbox_runtime.result import encode_result, type_name
from sandbox_runtime.telling import line_in, shortened

FILE = "main.py"
MAX_MESSAGE = 4096
MAX_TRACEBACK = 32 * 1024
_LAST_FRAMES = 1000  # PyTraceBack_LIMIT: a program without a recursion limit leaves a million frames
_BYTE_ORDER_MARK = "\ufeff"
# How deep the program's first frame stands below that of a main script: our own script's frame, and up to
# Python 3.11 the call of exec too. With so many levels more it recurses exactly as deep.
_LEVELS_BELOW = 1 if sys.version_info >= (3, 12) else 2
_RECURSION_LIMIT = sys.getrecursionlimit()
_WALKS = 60
_OWN_BUILTINS = {
    "restricted": policy.restricted_builtins,
    "plan": policy.plan_builtins,
    "function": policy.function_builtins,
}
_NOT_FLUSHED = 120
_REFUSED_CALL = "the jail refused a system call"


class Refused(Exception):
    """The program is not to run; ``report`` says why."""

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
        sys.setrecursionlimit(_RECURSION_LIMIT + _LEVELS_BELOW)
        self._started = time.monotonic()
        self._bind = self._started - began

    def end(self) -> int:
        """The last of the program's own code: exception hook, threads, atexit. Returns the exit code.
        ``self.error`` is what left the top frame; its traceback starts there."""
        ending.flush_after_main()
        code = ending.show(self.error)
        ending.end_threads_and_call_atexit()
        return code

    def finish(self, code: int) -> tuple[Report, bytes | None]:
        """Report, and let go of everything as CPython does."""
        report, result = self.report(code)
        self.error = None
        self.namespace = {}
        flushed = ending.flush()
        ending.let_go()
        if not (ending.flush() and flushed):
            report = _unflushed(report)
        return report, result

    def report(self, code: int) -> tuple[Report, bytes | None]:
        """What the front is told, and the result's JSON. ``code`` is the exit code."""
        encoded = encode_result(self.namespace.get("result"), self._program.max_result)
        end, detail, exception = _account(self.error, code)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        report = Report(
            end=end,
            exit_code=code,
            exception=exception,
            findings=self._findings,
            result_repr=encoded.representation,
            warnings=encoded.warnings,
            detail=detail,
            bind=self._bind,
            run=time.monotonic() - self._started,
            cpu=usage.ru_utime + usage.ru_stime,
            memory_peak=usage.ru_maxrss * 1024,
        )
        return report, encoded.text


def prepare(program: Program, raw_data: bytes | None) -> Run:
    """Judge, compile and make ``__main__``; ``write_source`` comes first. Refused when the program must not
    run."""
    data = _parse_data(raw_data)
    source = program.code.removeprefix(_BYTE_ORDER_MARK)
    findings = _judge(program, source, data)
    code = policy.compiled(source, program.max_code)
    if isinstance(code, policy.Rejected):
        raise Refused(_refusal(code))
    if program.only_judge:
        raise Refused(_admission(code))
    namespace = _main_module(program)
    own_builtins = _OWN_BUILTINS.get(program.policy)
    if own_builtins:
        namespace["__builtins__"] = own_builtins()
    if program.has_data:
        namespace["data"] = data
    run = Run(program, namespace, findings)
    if isinstance(code, policy.Invalid):
        run.error = code.error
    else:
        run.code = code
    return run


def rehearse() -> None:
    """Walk the way of a run with a line of our own, while nobody waits for this worker.

    After fork every page is copied when it is first written to, reference counts included, at about two
    microseconds each. What is touched here is paid for before the request comes.
    """
    write_source("")
    _walk()


def warm_up() -> None:
    """In the zygote: so often that the interpreter has specialised every instruction on the way, and writes
    to none of them in a worker (PEP 659)."""
    for _ in range(_WALKS):
        _walk()


def _walk() -> None:
    program = Program.from_wire(orjson.loads(b'{"code":"result = str(1)\\n"}'))
    run = prepare(program, None)
    run.start(time.monotonic())
    if run.code is not None:
        exec(run.code, run.namespace)  # noqa: S102 - the line above
    report, result = run.report(ending.show(None))
    ending.flush()
    wire.encode(wire.Kind.RESULT, result or b"")
    wire.encode_json(wire.Kind.DONE, report)
    ending.let_go()


def _judge(program: Program, source: str, data: object) -> str | None:
    """The findings, when they were asked for. Refused when the policy's tables do not allow the program.

    A policy that allows the whole language has nothing to look up, so no tree is made for it.
    """
    rules = policy.POLICIES[program.policy]
    if rules.whole_language and not program.validate:
        return None
    words = data if program.only_judge and isinstance(data, dict) else {}
    verdict = policy.judge(
        source,
        rules,
        max_bytes=program.max_code,
        values=words.get("values"),
        vocabulary=frozenset(words.get("vocabulary", ())),
    )
    if isinstance(verdict, policy.Rejected):
        raise Refused(_refusal(verdict))
    if isinstance(verdict, policy.Invalid) or not program.validate:
        return None
    return policy.describe(policy.findings(verdict.tree))


def _admission(code: types.CodeType | policy.Invalid) -> Report:
    """The report on a program that the policy admits and that is not run. Some errors of syntax (a break
    outside a loop) are the compiler's, so it has been compiled."""
    if isinstance(code, policy.Invalid):
        return Report("exception", 1, exception=_describe(code.error))
    return Report("ok", 0)


def _refusal(verdict: policy.Rejected) -> Report:
    refusal = Refusal(verdict.rule, verdict.message, verdict.line, verdict.column, verdict.remedy)
    return Report("rejected", 1, refusal=refusal, detail=f"{verdict.message}; {verdict.remedy}")


def _parse_data(raw: bytes | None) -> object:
    if raw is None:
        return None
    try:
        # The standard parser, because it keeps integers of any size; the service has checked the syntax.
        return json.loads(raw)["data"]
    except (ValueError, RecursionError) as error:
        raise Refused(Report("invalid_data", 1, detail=_unreadable(error))) from error


def _unreadable(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested more deeply than Python's JSON parser reads"
    return f"holds an integer of more than {sys.get_int_max_str_digits()} digits"


def write_source(source: str) -> None:
    """Make main.py: tracebacks, inspect.getsource and open(__file__) find the program's lines in a real file,
    and so do the compiler's errors and warnings."""
    descriptor = os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    view = memoryview(source.encode(errors="surrogatepass"))  # a lone surrogate is refused next
    while view:
        view = view[os.write(descriptor, view) :]
    os.close(descriptor)


def _main_module(program: Program) -> dict[str, object]:
    main = types.ModuleType("__main__")
    namespace = main.__dict__
    path = os.path.join(os.getcwd(), FILE)
    # In the order in which a program finds them.
    namespace["__loader__"] = SourceFileLoader("__main__", path)
    namespace["__annotations__"] = {}
    namespace["__builtins__"] = builtins
    namespace["__file__"] = path
    namespace["__cached__"] = None
    sys.modules["__main__"] = main
    sys.argv = [FILE, *program.argv]
    threading.main_thread()._set_native_id()  # type: ignore[attr-defined]  # threading keeps the parent's at fork
    return namespace


def _unflushed(report: Report) -> Report:
    """Py_RunMain's exit status when a standard stream could not be flushed."""
    end: End = report.end if report.end != "ok" else "output" if _stream_is_full() else "exit"
    return dataclasses.replace(report, exit_code=_NOT_FLUSHED, end=end)


def _account(error: BaseException | None, code: int) -> tuple[End, str | None, ExceptionInfo | None]:
    """The end, its detail, and the exception. Its class and attributes may be the program's."""
    try:
        return *_classify(error, code), _describe(error)
    except BaseException as second:  # noqa: BLE001 - they may raise anything
        text = f"<its own attributes raised {type_name(second)}>"
        return "exception", None, ExceptionInfo(shortened(type_name(error), 200), text, None, "")


def _classify(error: BaseException | None, code: int) -> tuple[End, str | None]:
    """Which end a finished program came to, and the limit's detail where a limit was behind it."""
    if error is None or (isinstance(error, SystemExit) and code == 0):
        return "ok", None
    if isinstance(error, SystemExit):
        return "exit", None
    if isinstance(error, MemoryError):
        return "memory", None
    if isinstance(error, OSError):
        return _classify_os_error(error)
    return "exception", hint(error)


def _classify_os_error(error: OSError) -> tuple[End, str | None]:
    if error.errno == errno.EFBIG and _stream_is_full():
        return "output", None
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "disk", None
    if error.errno in (errno.EPERM, errno.ENOSYS):
        return "syscall", f"{_REFUSED_CALL} ({errno.errorcode[error.errno]}) in {_caller(error)}"
    return "exception", hint(error)


def _stream_is_full() -> bool:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    try:
        return any(os.fstat(descriptor).st_size >= limit for descriptor in (1, 2))
    except OSError:  # the program has closed one, so that was not it
        return False


def _caller(error: BaseException) -> str:
    """Where it came from: the last of the program's own lines, which it can change, else the very last."""
    frames = traceback.extract_tb(error.__traceback__, limit=-_LAST_FRAMES)
    for frame in [*(f for f in reversed(frames) if f.filename == FILE), *reversed(frames)]:
        return f"{frame.name}, line {frame.lineno}: {frame.line}"[:200]
    return "the program"


def _describe(error: BaseException | None) -> ExceptionInfo | None:
    if error is None or isinstance(error, SystemExit):
        return None
    try:
        text = "".join(traceback.format_exception(error, limit=-_LAST_FRAMES))
        message = str(error)
    except BaseException as second:  # noqa: BLE001 - __str__ is the program's and may raise anything
        text, message = "", f"<its str raised {type_name(second)}>"
    return ExceptionInfo(
        shortened(type_name(error), 200),
        shortened(message, MAX_MESSAGE),
        line_in(FILE, error),
        shortened(text, MAX_TRACEBACK),
    )
