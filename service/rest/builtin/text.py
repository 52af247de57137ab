"""Program text, put together safely.

Whatever comes from a shape enters a program through ``literal`` only; every other piece is a constant of this
package. A program is straight lines and guards: a guard that holds sets REPLY, and all that follows is its
``else``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

NONE: Final = "None"
BODY: Final = 'ctx["body_json"]'
OWN_ID: Final = 'record["id"]'
_INDENT = "    "


def literal(value: object) -> str:
    """Python source of a constant: str, int, bool, None, and dicts and lists of them. ASCII, one line."""
    if value is None or isinstance(value, bool | int | str):
        return ascii(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no literal here")


def mapping(members: Mapping[str, str]) -> str:
    """Source of a dict with these names and the expressions of their values."""
    return "{" + ", ".join(f"{literal(name)}: {value}" for name, value in members.items()) + "}"


def segment(at: int) -> str:
    """The path's segment at this place."""
    return f'ctx["segments"][{at:d}]'


def parameter(name: str) -> str:
    """The value of a query parameter: a text, or a list of texts when it is repeated."""
    return f'ctx["query"][{literal(name)}]'


def header(name: str) -> str:
    """The value of a header, by its name in lower case."""
    return f'ctx["headers"][{literal(name)}]'


def collection(name: str) -> str:
    """The store of another collection."""
    return f"session_store.collection({literal(name)})"


def escaped(value: str, also: str = "/?") -> str:
    """Source of a text that stands for ``value`` inside an IRI (RFC 3987): what would delimit it is escaped.

    Blanks, control characters and everything beyond ASCII stay for ``links.uri``, which knows bytes."""
    return f"str({value})" + "".join(f'.replace({char!a}, "%{ord(char):02X}")' for char in "%#<>" + also)


def url_path(name: str) -> str:
    """A collection's path, escaped."""
    return "/" + quote(name, safe="-._~")


def response(status: int, body: str, headers: Mapping[str, str], more: str = "") -> str:
    """The statement that ends a program: status, source of the body, sources of the headers' values, and
    perhaps a variable with more headers."""
    given = mapping(headers) if headers else ""
    if more:
        given = f"{{**{given}, **{more}}}" if given else more
    return f"REPLY = make_response({status:d}, {body}{', ' if given else ''}{given})"


def problem(status: int, code: str, detail: str) -> str:
    """Source of a problem's body; ``error`` is what a plain client looks at."""
    body = {
        "type": f"urn:lars:error:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "error": detail,
    }
    return literal(body)


class Block:
    """A program while it is written."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0

    def add(self, *lines: str) -> None:
        """Statements; a line that belongs to the one before begins with blanks."""
        self._lines += [_INDENT * self._depth + line for line in lines]

    def guard(self, condition: str, reply: str) -> None:
        """When ``condition`` holds, ``reply`` is all; what is added from here on is for when it does not."""
        self.add(f"if {condition}:", _INDENT + reply, "else:")
        self._depth += 1

    def text(self) -> str:
        """The program. Ends with a statement, so the last thing added may be no guard."""
        return "\n".join(self._lines) + "\n"
