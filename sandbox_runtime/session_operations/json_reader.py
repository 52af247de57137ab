"""JSON of any length, read value by value: a record is in memory, never the file.

The standard library's scanner reads one value from a text and says where it ended. A value that the text has
only the beginning of fails there; then more of the file is read and it is tried again.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import NoReturn

from sandbox_runtime.session_operations.errors import BadJson
from sandbox_runtime.session_operations.source import Source
from sandbox_runtime.store.errors import shown
from sandbox_runtime.store.limits import MAX_RECORD_BYTES

# Characters of one value: what a record may have, and as much again for white space and escapes.
MAX_VALUE_CHARS = 2 * MAX_RECORD_BYTES
_CHUNK = 256 << 10
_SPACE = re.compile(r"[ \t\n\r]*")
_Decoder = codecs.getincrementaldecoder("utf-8-sig")


def _refuse_constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not JSON; use null or a text")


_scan = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode


class JsonReader:
    """``size`` bytes of the source from ``start``. Every error is BadJson."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        self._source = source
        self._next = start
        self._end = start + size
        self._decoder = _Decoder()
        self._text = ""
        self._at = 0

    def ahead(self) -> JsonReader:
        """Another reader that goes on from here on its own."""
        other = JsonReader(self._source, self._next, self._end - self._next)
        other._decoder.setstate(self._decoder.getstate())
        other._text, other._at = self._text, self._at
        return other

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, allowed: str) -> str:
        """The next character, one of these."""
        found = self.peek()
        if not found or found not in allowed:
            wanted = " or ".join(map(repr, allowed))
            raise BadJson(f"there is {_seen(found)} where {wanted} belongs")
        self._at += 1
        return found

    def end(self) -> None:
        """There is nothing more."""
        found = self.peek()
        if found:
            raise BadJson(f"there is {shown(found)} after the end of the JSON value")

    def names(self) -> Iterator[str]:
        """An object's names. The caller reads the value of each before the next."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            yield self._name()
            if self.take(",}") == "}":
                return

    def records(self) -> Iterator[dict[str, object]]:
        """An array's objects."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        yield self._record()
        yield from self.rest()

    def record(self) -> dict[str, object]:
        """One object."""
        return self._record()

    def rest(self) -> Iterator[dict[str, object]]:
        """Those that follow after one of them."""
        while self.take(",]") == ",":
            yield self._record()

    def _name(self) -> str:
        if self.peek() != '"':
            self.take('"')
        name = self._value()
        self.take(":")
        return str(name)

    def _record(self) -> dict[str, object]:
        start = self.peek()
        if start != "{":
            raise BadJson(f"there is {_seen(start)} where its {{ belongs; a record is a JSON object")
        record = self._value()
        if not isinstance(record, dict):
            raise BadJson("it is no JSON object; a record is one")
        return record

    def _value(self) -> object:
        """An object or a text: a number could go on behind the text that was read so far."""
        while True:
            try:
                value, end = _scan(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > MAX_VALUE_CHARS or not self._more():
                    raise self._refusal(error) from error
            except RecursionError as error:
                raise BadJson("it is nested too deeply; flatten it") from error
            except ValueError as error:
                raise BadJson("it holds an integer of too many digits; send a text") from error
            else:
                if end - self._at > MAX_VALUE_CHARS:
                    raise _too_long()
                self._at = end
                return value

    def _refusal(self, error: json.JSONDecodeError) -> BadJson:
        if len(self._text) - self._at > MAX_VALUE_CHARS:
            return _too_long()
        return BadJson(f"it is not JSON: {error.msg}")

    def _more(self) -> bool:
        """Read on, as much again as there is. False at the end."""
        if self._next >= self._end:
            return False
        rest = self._text[self._at :]
        wanted = min(max(_CHUNK, len(rest)), self._end - self._next)
        read = self._source.exactly(self._next, wanted)
        self._next += wanted
        try:
            self._text = rest + self._decoder.decode(read, final=self._next >= self._end)
        except UnicodeDecodeError as error:
            raise BadJson("it is not UTF-8") from error
        self._at = 0
        return True


def _seen(character: str) -> str:
    return shown(character) if character else "the end"


def _too_long() -> BadJson:
    return BadJson(
        f"it has more than {MAX_VALUE_CHARS} characters, or is not JSON from some point on; split it",
        limit=MAX_VALUE_CHARS,
    )
