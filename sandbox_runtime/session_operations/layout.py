"""The files of a session's archive, and the names that they have there.

    <name>.json                 all records, one array
    .schemas/<name>.json        {"fields": [names], "example": a record or null, "types": what was learned}
    .schemas/<name>.meta.json   {"auto_id": the next integer id}

``<name>`` is a collection's name with every byte of its UTF-8 but ``A-Z a-z 0-9 _ - ~`` written like ``%2E``:
no dot that could be an ending's, no slash, nothing that a file system takes for something else. Names that
others wrote may hold such characters plainly, but not begin with a dot.
"""

from __future__ import annotations

import re
from enum import Enum

from sandbox_runtime.session_operations.errors import BadArchive
from sandbox_runtime.store.catalog import check_name
from sandbox_runtime.store.errors import BadQuery, shown

_SCHEMAS = ".schemas/"
_ESCAPED = re.compile(rb"[^A-Za-z0-9_~-]")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
_FILE = re.compile(r"(?P<schemas>\.schemas/)?(?P<name>[^/\\\x00-\x1f\x7f.][^/\\\x00-\x1f\x7f]*)\.json")
_META = ".meta"


class Part(Enum):
    """What of a collection a file holds."""

    RECORDS = "records"
    SCHEMA = "schema"
    META = "meta"


def file_name(part: Part, collection: str) -> str:
    """The member's name, ASCII."""
    name = _ESCAPED.sub(lambda found: b"%%%02X" % found[0][0], collection.encode()).decode()
    return {
        Part.RECORDS: f"{name}.json",
        Part.SCHEMA: f"{_SCHEMAS}{name}.json",
        Part.META: f"{_SCHEMAS}{name}{_META}.json",
    }[part]


def is_directory(name: str) -> bool:
    """Whether these are directories that tar programs put into such an archive."""
    return name.removeprefix("./").rstrip("/") in {"", ".", ".schemas"}


def part_of(name: str) -> tuple[Part, str]:
    """What a member holds, and of which collection. BadArchive for a name outside the layout."""
    found = _FILE.fullmatch(name.removeprefix("./"))
    if found is None:
        raise BadArchive(
            f"the member {shown(name)} is none of <collection>.json, .schemas/<collection>.json and"
            " .schemas/<collection>.meta.json; remove it"
        )
    encoded = found["name"]
    if not found["schemas"]:
        return Part.RECORDS, _decoded(name, encoded)
    if encoded.endswith(_META):
        return Part.META, _decoded(name, encoded.removesuffix(_META))
    return Part.SCHEMA, _decoded(name, encoded)


def _decoded(member: str, encoded: str) -> str:
    try:
        return check_name(_ESCAPE.sub(_byte, encoded.encode()).decode())
    except (UnicodeDecodeError, ValueError, BadQuery) as error:
        detail = error.detail if isinstance(error, BadQuery) else "its escapes are not %XX of UTF-8"
        raise BadArchive(f"the member {shown(member)} names no collection: {detail}") from error


def _byte(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        raise ValueError("a percent sign without two hexadecimal digits")
    return bytes((int(found[1], 16),))
