r"""Small programs that must print, fail and exit in the sandbox as they do under ``python3 main.py``.

They stand in ``corpus/*.txt``, each under a line ``#### name`` that may end in a JSON object with ``stdin``
and ``argv``. Programs that no text file can show stand here. None prints what differs between two runs of one
interpreter, and none needs a network or another process. ``differences.txt`` holds the programs that are
known to end differently; why, and since when, says ``DIFFERENCES``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CORPUS = Path(__file__).parent / "corpus"
_HEADER = re.compile(r"^#### (\w+)(?: (\{.*\}))?\n", re.MULTILINE)
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Case:
    """One program with its standard input and the arguments after main.py."""

    name: str
    source: str
    stdin: str | None = None
    argv: tuple[str, ...] = ()


def _read(path: Path) -> Iterator[Case]:
    """The programs of one file. ValueError when something stands before the first header."""
    before, *parts = _HEADER.split(path.read_text("utf-8"))
    if before:
        raise ValueError(f"{path}: {before[:50]!r} belongs to no program")
    for name, options, source in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        extra = json.loads(options or "{}")
        yield Case(name, source, extra.get("stdin"), tuple(extra.get("argv", ())))


def _blocks(head: str, depth: int) -> str:
    return "".join(" " * level + head + "\n" for level in range(depth)) + " " * depth + "pass\n"


_UNPRINTABLE = (
    Case("no_newline_at_end", "print(1)\nraise ValueError('last line')"),
    Case("syntax_continuation_end", "x = 1 + \\"),
    Case("syntax_deep_blocks", _blocks("for i in ():", 21)),
    Case("syntax_too_many_indents", _blocks("if 1:", 101)),
    Case("syntax_long_line", "x = '" + "a" * 600 + "' +\n"),
    Case("crlf", "print(1)\r\nif True:\r\n    print('two')\r\n1 / 0\r\n"),
    Case("carriage_return", "print(1)\rprint(2)\r"),
    Case("form_feed", "print(1)\n\x0cprint(2)\n1 / 0\n"),
    Case("bom", "\ufeffprint('after a byte order mark')\n1 / 0\n"),
    Case("bom_syntax_error", "\ufeffx = = 1\n"),
    Case("empty", ""),
    Case("stdin_large", "import sys\nprint(len(sys.stdin.read()))\n", stdin="é" * 300_000),
)

PROGRAMS: tuple[Case, ...] = (
    *(case for path in sorted(_CORPUS.glob("*.txt")) if path.stem != "differences" for case in _read(path)),
    *_UNPRINTABLE,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Why a program ends differently, in the words of docs/execution.md, and in which versions it does."""

    reason: str
    since: Version = (3, 11)
    before: Version = (4, 0)


_WRITE_THROUGH = "Standard output is written through"
_FRAME = "One frame stands below the program's own"
_FINALIZED = "Finalizers run, but the interpreter is not torn down"

DIFFERENCES: Mapping[str, Difference] = {
    "ordering": Difference(_WRITE_THROUGH),
    "stderr_order": Difference(_WRITE_THROUGH),
    "os_exit_unflushed": Difference(_WRITE_THROUGH),
    "sigterm_unflushed": Difference(_WRITE_THROUGH),
    "line_buffering": Difference(_WRITE_THROUGH),
    "stream_attributes": Difference(_WRITE_THROUGH),
    "stdout_fd_closed": Difference(_WRITE_THROUGH),
    "c_output": Difference(_WRITE_THROUGH),
    "c_output_at_exit": Difference(_WRITE_THROUGH),
    "recursion_limit": Difference(_FRAME),
    "stack": Difference(_FRAME),
    "print_stack": Difference(_FRAME),
    "warn_above": Difference(_FRAME),
    "exit_in_atexit": Difference(_FRAME),
    "del_at_exit_raises": Difference(_FINALIZED),
    "del_in_module_attribute": Difference(_FINALIZED),
    "stdout_descriptor_closed": Difference(_FINALIZED, since=(3, 13)),
    "stdout_descriptor_closed_and_exit": Difference(_FINALIZED, since=(3, 13)),
    "thread_in_atexit": Difference(_FINALIZED, since=(3, 12), before=(3, 13)),
    "exit_huge": Difference("Odd exit statuses print nothing", since=(3, 12)),
    "exit_negative_huge": Difference("Odd exit statuses print nothing", since=(3, 12)),
    "exit_str_raises": Difference("Odd exit statuses print nothing", since=(3, 12)),
    "traceback_name": Difference("The file is `main.py` in every traceback"),
    "cookie_latin": Difference("The source is UTF-8"),
    "cookie_unknown": Difference("The source is UTF-8"),
    "syntax_bytes": Difference("The source is UTF-8", before=(3, 13)),
    "syntax_null": Difference("A null character is refused"),
    "interpreter_flags": Difference("The interpreter is isolated"),
    "orig_argv": Difference("The interpreter is isolated"),
    "site_packages": Difference("The interpreter is isolated"),
    "environment": Difference("The interpreter is isolated"),
    "umask_home": Difference("The jail"),
    "proc": Difference("The jail"),
    "processes": Difference("The jail"),
    "loopback": Difference("The jail"),
}

DIFFERENT: tuple[Case, ...] = (
    *_read(_CORPUS / "differences.txt"),
    Case("syntax_null", "x = 1\ny = '\0'\n"),
)
