"""Environment files: ``KEY=VALUE`` lines as shells, Docker and systemd users write them.

    # a comment
    LARS_PORT=8080            # a comment after white space
    export LARS_HOST=0.0.0.0
    GREETING='single quotes: everything literal'
    TWO_LINES="double quotes: \\n \\t \\" \\\\ are escapes"

Nothing is expanded: ``$HOME`` is five characters. A value ends with its line. Of two equal keys the last
counts.
"""

from __future__ import annotations

import re
from pathlib import Path

from service.settings.parsers import SettingsError

_LINE = re.compile(r"(?:export[ \t]+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=(?P<value>.*)", re.DOTALL)
_COMMENT = re.compile(r"[ \t]+#.*", re.DOTALL)
_SINGLE = re.compile(r"'(?P<text>[^']*)'(?P<rest>.*)", re.DOTALL)
_DOUBLE = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<rest>.*)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$"}


class EnvFileError(SettingsError):
    """The file cannot be read or a line is not an assignment. Names file and line, never a value."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        self.path = path
        self.line = line
        where = str(path) if line is None else f"{path}, line {line}"
        super().__init__((f"{where}: {reason}",))


def load_env_file(path: str | Path) -> dict[str, str]:
    """The assignments of the UTF-8 file, in order. EnvFileError names file and line of the first fault.

    The caller lets the real environment win: ``{**load_env_file(path), **os.environ}``.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise EnvFileError(path, None, f"cannot be read ({error.strerror}); name a readable file") from error
    values: dict[str, str] = {}
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            assignment = parse_line(line)
        except ValueError as error:
            raise EnvFileError(path, number, str(error)) from error
        if assignment is not None:
            values[assignment[0]] = assignment[1]
    return values


def parse_line(line: bytes) -> tuple[str, str] | None:
    """Key and value of one line, or None for a blank or a comment. ValueError says what is wrong, and never
    quotes the line: it may hold a secret."""
    try:
        text = line.decode("utf-8").strip(" \t\r")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        raise ValueError("holds a NUL character, which no variable can; remove it")
    if not text or text.startswith("#"):
        return None
    match = _LINE.fullmatch(text)
    if match is None:
        raise ValueError("expected KEY=VALUE, a comment (#) or nothing; a key is letters, digits and _")
    return match["key"], _value(match["value"])


def _value(text: str) -> str:
    bare = _COMMENT.sub("", text).strip(" \t")
    if not bare.startswith(("'", '"')):
        return bare
    text = text.lstrip(" \t")
    quoted = (_SINGLE if text[0] == "'" else _DOUBLE).fullmatch(text)
    if quoted is None:
        raise ValueError(f"the value's opening quote is not closed; end it with {text[0]} on the same line")
    if quoted["rest"] and not _COMMENT.fullmatch(quoted["rest"]):
        raise ValueError("text follows the closing quote; quote the whole value, or put a space before #")
    return quoted["text"] if text[0] == "'" else _ESCAPE.sub(_unescape, quoted["text"])


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[0])
