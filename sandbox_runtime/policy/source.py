"""From source text to a tree, and from the parser's byte offsets back to what an editor shows."""

from __future__ import annotations

import ast
import re
import types
import warnings
from typing import cast

from sandbox_runtime.policy.verdict import Invalid, Rejected

FILE = "main.py"
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_SMALLER = "send a shorter program and pass bulk as data"
_FLATTER = "split long expressions and deep nesting into several statements"


def parse(source: str, max_bytes: int) -> ast.Module | Rejected | Invalid:
    """The tree of a source of at most ``max_bytes`` bytes of UTF-8.

    Parsing hostile text can take half a second and 170 MB for 500 KB, so the length is checked first.
    Warnings of the parser are dropped here; compiling the program to run it reports them once.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = _compiled(source, max_bytes, ast.PyCF_ONLY_AST)
        return cast("ast.Module | Rejected | Invalid", tree)  # what this flag makes


def compiled(source: str, max_bytes: int) -> types.CodeType | Rejected | Invalid:
    """The code object, with no tree made on the way: for policies that allow the whole language."""
    return cast("types.CodeType | Rejected | Invalid", _compiled(source, max_bytes, 0))


def _compiled(source: str, max_bytes: int, flags: int) -> object:
    refusal = check_text(source, max_bytes)
    if refusal:
        return refusal
    try:
        return compile(source, FILE, "exec", flags=flags, dont_inherit=True)
    except SyntaxError as error:
        # Without the judge's own frames: CPython shows none for a script it could not parse.
        return Invalid(error.with_traceback(None))
    except (MemoryError, RecursionError) as error:
        return gave_up(error)
    except (ValueError, OverflowError, SystemError) as error:
        # OverflowError: a line too long for a C int. SystemError: the recursion guard of the tree builder
        # loses count when it is hit twice (python/cpython#106905).
        return gave_up(error)


def check_text(source: str, max_bytes: int) -> Rejected | None:
    """What can be refused without parsing: the length, and characters that no program can hold."""
    too_long = _over_cap(source, max_bytes)
    if too_long:
        return too_long
    unreadable = _UNREADABLE.search(source)
    return _unreadable(source, unreadable.start()) if unreadable else None


def gave_up(error: BaseException) -> Rejected:
    """The refusal of a program that is too large or too deep to be read at all."""
    return Rejected("parse", f"the parser gave up with {type(error).__name__}", None, None, _FLATTER)


def column(source: str, line: int, byte: int) -> int:
    """The 1-based column, in characters, of a 0-based UTF-8 byte offset in a line."""
    return len(_before(source, line, byte)) + 1


def token_column(source: str, line: int, last_byte: int) -> int:
    """The 1-based column at which the identifier that ends at ``last_byte`` (inclusive) begins."""
    before = _before(source, line, last_byte + 1)
    start = len(before)
    while start and ("a" + before[start - 1]).isidentifier():
        start -= 1
    return start + 1


def _before(source: str, line: int, byte: int) -> str:
    lines = _LINE_END.split(source)
    text = lines[line - 1] if line <= len(lines) else ""
    return text.encode()[:byte].decode(errors="ignore")


def _over_cap(source: str, max_bytes: int) -> Rejected | None:
    # A character is at least one byte, so a hopeless text is never encoded.
    size = len(source)
    if size <= max_bytes:
        size = len(source.encode(errors="surrogatepass"))
    if size <= max_bytes:
        return None
    message = f"the source has at least {size} bytes of UTF-8; the limit is {max_bytes}"
    return Rejected("length", message, None, None, _SMALLER)


def _unreadable(source: str, index: int) -> Rejected:
    """A null character or a lone surrogate: which error the parser raises for it depends on the version."""
    lines = _LINE_END.split(source[:index])
    message = f"the source holds U+{ord(source[index]):04X}, which no Python program can hold"
    return Rejected("parse", message, len(lines), len(lines[-1]) + 1, "remove it or write it as an escape")
