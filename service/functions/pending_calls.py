"""The calls that one front is to keep and has not written yet, in bounded memory. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from service.functions.call_store import Batch, Noted
from service.functions.recorded_call import RecordedCall
from service.functions.values import Function, Recording

MAX_CALL: Final = 64 << 10
MAX_PENDING: Final = 8 << 20
_OVERHEAD: Final = 1024  # bytes that a call takes in memory beside what came and was returned


@dataclass(slots=True)
class _Line:
    """Of one function."""

    calls: deque[Noted] = field(default_factory=deque)
    too_long: int = 0


class PendingCalls:
    """Of each function as many as are kept of it, the newest; of all together ``most`` bytes."""

    def __init__(self, most: int = MAX_PENDING) -> None:
        self._most = most
        self._size = 0
        self._lines: dict[str, dict[str, _Line]] = {}

    def note(self, function: Function, recording: Recording, call: RecordedCall) -> None:
        """One more, unless it is too long."""
        spec = function.spec
        lines = self._lines.get(spec.hash)
        if lines is None:
            lines = self._lines[spec.hash] = {}
        line = lines.get(spec.name)
        if line is None:
            line = lines[spec.name] = _Line()
        size = size_of(call)
        if size > MAX_CALL:
            line.too_long += 1
            return
        line.calls.append(Noted(function.revision, size, call))
        self._size += size + _OVERHEAD
        self._bound(line, recording.calls)

    def contracts(self) -> tuple[str, ...]:
        """Those of which there is anything."""
        return tuple(self._lines)

    def take(self, contract: str, recorded: Mapping[str, Recording]) -> dict[str, Batch]:
        """All of one contract; from now on there is nothing of it. ``recorded``: the functions that are
        recorded now; of others nothing is left."""
        lines = self._lines.pop(contract, {})
        for line in lines.values():
            self._size -= _size(line.calls)
        return {
            name: Batch(tuple(line.calls), line.too_long, recorded[name].calls)
            for name, line in lines.items()
            if name in recorded
        }

    def names(self, contract: str) -> tuple[str, ...]:
        """The functions of this contract of which there is anything."""
        return tuple(self._lines.get(contract, ()))

    def put_back(self, contract: str, taken: Mapping[str, Batch]) -> None:
        """What was taken and could not be written."""
        lines = self._lines.setdefault(contract, {})
        for name, batch in taken.items():
            line = lines.setdefault(name, _Line())
            line.too_long += batch.too_long
            line.calls.extendleft(reversed(batch.calls))
            self._size += _size(batch.calls)
            self._bound(line, batch.most)

    def drop(self, contract: str, name: str) -> None:
        """Nothing is kept of this function."""
        line = self._lines.get(contract, {}).pop(name, None)
        if line is not None:
            self._size -= _size(line.calls)

    def _bound(self, line: _Line, most: int) -> None:
        while line.calls and (len(line.calls) > most or self._size > self._most):
            self._size -= line.calls.popleft().size + _OVERHEAD


def size_of(call: RecordedCall) -> int:
    """Bytes of its arguments and of what came of it."""
    query = 0 if call.query is None else len(orjson.dumps(call.query))
    return query + sum(len(part) for part in (call.body, call.value, call.error) if part is not None)


def _size(calls: Iterable[Noted]) -> int:
    return sum(noted.size + _OVERHEAD for noted in calls)
