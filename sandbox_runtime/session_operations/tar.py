"""Plain tar (POSIX.1-2001 pax, ustar), as little of it as a session's archive needs.

Written: regular files with nothing that varies (mtime 0, uid and gid 0, mode 644). Read: headers only, by
position, so an archive costs what its headers cost, and nothing is ever extracted. What has no place in a
session's archive (links, devices, sparse files, …) is refused, not skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox_runtime.session_operations.errors import BadArchive
from sandbox_runtime.session_operations.source import Source
from sandbox_runtime.store.errors import shown

BLOCK = 512
END = bytes(2 * BLOCK)
# 256 collections of three files, a long name's header before each, and room for what others put in.
MAX_HEADERS = 4096
_MAX_EXTENDED = 64 << 10
_MAX_NAME = 4096
# GNU tar fills its last record of 10 KiB; others use larger ones.
_MAX_TAIL = 1 << 20
_MAGICS = (b"ustar\x0000", b"ustar  \0")
_OCTAL = re.compile(rb" *([0-7]{0,11})[ \0]*")
_LENGTH = re.compile(rb"([1-9][0-9]{0,5}) ")
_SIZE = re.compile(rb"[0-9]{1,15}")
_REFUSED = {
    "1": "a hard link",
    "2": "a symbolic link",
    "3": "a device",
    "4": "a device",
    "6": "a FIFO",
    "S": "a sparse file",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file or a directory; its content is ``size`` bytes from ``start``."""

    name: str
    start: int
    size: int
    directory: bool


@dataclass(frozen=True, slots=True)
class _Header:
    name: bytes
    size: int
    kind: str


def header(name: str, size: int) -> bytes:
    """All that comes before a file's content. The name in ASCII."""
    if len(name) <= 100:
        return _ustar(name, size, b"0")
    record = _pax_record(f"path={name}\n")
    # A program that knows no pax headers writes them into files of such names.
    return _ustar(f"PaxHeaders/{name[-80:].replace('/', '_')}", len(record), b"x") + (
        _padded(record) + _ustar(name[:100], size, b"0")
    )


def padding(size: int) -> bytes:
    """All that comes after it."""
    return bytes(-size % BLOCK)


def members(source: Source) -> Iterator[Member]:
    """Every member, in the archive's order. BadArchive for anything but plain files and directories, for what
    is damaged or cut off, and for more than MAX_HEADERS headers."""
    position = 0
    extended: dict[str, bytes] = {}
    for _ in range(MAX_HEADERS):
        block = source.exactly(position, BLOCK)
        if not any(block):
            _check_end(source, position, extended)
            return
        found = _parsed(block, position)
        position += BLOCK
        if found.kind in "xgL":
            _extend(extended, found, source, position)
            size = found.size
        else:
            member = _member(found, extended, position)
            extended = {}
            size = member.size
            if size > source.size - position:
                raise BadArchive(
                    f"the member {shown(member.name)} has {size} bytes by its header, the archive only"
                    f" {source.size - position} more; send all of it"
                )
            yield member
        position += size + -size % BLOCK
    raise BadArchive(f"the archive has more than {MAX_HEADERS} headers; send fewer files", limit=MAX_HEADERS)


def _ustar(name: str, size: int, kind: bytes) -> bytes:
    fields = (
        name.encode("ascii").ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,
        b"%011o\0%011o\0" % (size, 0),
        b" " * 8,
        kind,
        bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2,
    )
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _pax_record(text: str) -> bytes:
    # The length counts its own digits.
    length = len(text) + 1
    while len(str(length)) + 1 + len(text) != length:
        length += 1
    return f"{length} {text}".encode("ascii")


def _padded(content: bytes) -> bytes:
    return content + padding(len(content))


def _parsed(block: bytes, position: int) -> _Header:
    if block[257:265] not in _MAGICS or _octal(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 32:
        raise BadArchive(f"at byte {position} there is no header of a tar; send a plain tar archive")
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    size = _octal(block[124:136])
    if size is None:
        raise BadArchive(f"the header at byte {position} has no octal size; send a pax or ustar archive")
    kind = block[156:157].replace(b"\0", b"0").decode("latin-1")
    return _Header(prefix + b"/" + name if prefix else name, size, kind)


def _octal(field: bytes) -> int | None:
    found = _OCTAL.fullmatch(field)
    return int(found[1] or b"0", 8) if found else None


def _member(found: _Header, extended: dict[str, bytes], start: int) -> Member:
    raw = extended.get("path", found.name)
    try:
        name = raw.decode()
    except UnicodeDecodeError as error:
        raise BadArchive(f"the member {shown(raw.decode('latin-1'))} has a name that is not UTF-8") from error
    if found.kind not in "05":
        what = _REFUSED.get(found.kind, f"of the type {shown(found.kind)}")
        raise BadArchive(f"the member {shown(name)} is {what}; send regular files only")
    size = int(extended.get("size", str(found.size).encode()))
    directory = found.kind == "5" or name.endswith("/")
    if directory and size:
        raise BadArchive(f"the directory {shown(name)} has {size} bytes of content; it has none")
    return Member(name, start, size, directory)


def _extend(extended: dict[str, bytes], found: _Header, source: Source, start: int) -> None:
    """Take in a header that speaks of the next member (``x``, GNU's ``L``), or of all (``g``)."""
    if found.size > _MAX_EXTENDED:
        raise BadArchive(
            f"the extended header at byte {start} has {found.size} bytes, the limit is {_MAX_EXTENDED};"
            " leave out extended attributes",
            limit=_MAX_EXTENDED,
        )
    content = source.exactly(start, found.size)
    gnu_name = found.kind == "L"
    news = {"path": content.rstrip(b"\0")} if gnu_name else dict(_pax_records(content, start))
    if found.kind == "g" and news:
        raise BadArchive(f"the header at byte {start} names or measures every member of the archive")
    if extended.keys() & news.keys():
        raise BadArchive(f"the header at byte {start} says again what the one before it said")
    if len(news.get("path", b"")) > _MAX_NAME:
        raise BadArchive(f"the name at byte {start} has more than {_MAX_NAME} bytes", limit=_MAX_NAME)
    extended.update(news)


def _pax_records(content: bytes, start: int) -> Iterator[tuple[str, bytes]]:
    """``path`` and ``size``. Owners, times and attributes say nothing about records."""
    position = 0
    while position < len(content):
        found = _LENGTH.match(content, position)
        end = position + int(found[1]) if found else 0
        key, mark, value = content[found.end() : end - 1].partition(b"=") if found else (b"", b"", b"")
        if not mark or end > len(content) or content[end - 1 : end] != b"\n":
            raise BadArchive(f"the extended header at byte {start} is malformed")
        if key.startswith(b"GNU.sparse."):
            raise BadArchive(f"the extended header at byte {start} is a sparse file's; archive it with zeros")
        if key == b"size" and not _SIZE.fullmatch(value):
            raise BadArchive(
                f"the extended header at byte {start} has the size {shown(value.decode('latin-1'))}"
            )
        if key in {b"path", b"size"}:
            yield key.decode(), value
        position = end


def _check_end(source: Source, position: int, extended: dict[str, bytes]) -> None:
    if extended:
        raise BadArchive("the archive ends after an extended header; send all of it")
    tail = source.size - position
    if tail > _MAX_TAIL:
        raise BadArchive(
            f"{tail} bytes follow the archive's end mark, the limit is {_MAX_TAIL}; send one archive",
            limit=_MAX_TAIL,
        )
    if any(source.exactly(position, tail)):
        raise BadArchive("something follows the archive's end mark; send one archive")
