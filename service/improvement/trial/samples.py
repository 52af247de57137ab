"""Which recorded calls a model may see, and which are held back to examine what it writes. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import orjson

from service.functions.recorded_call import RecordedCall
from service.improvement.trial.comparing import canonical
from service.improvement.trial.values import Samples

MAX_SHOWN = 8
MAX_SHOWN_EACH = 2 << 10  # bytes of arguments and answer
MAX_SHOWN_TOGETHER = 8 << 10
MAX_HELD_BACK = 100
_PREFERRED = 3  # of those that failed, and of the slowest: the rest is drawn from all


def choose(calls: Sequence[RecordedCall], draw: random.Random) -> Samples:
    """Of calls with equal arguments the newest. At most half are shown: what is not seen must be able to show
    whether an answer was computed or learned. Both groups with the oldest first."""
    distinct = _distinct(calls)
    shown = _shown(distinct, draw)
    chosen = {id(call) for call in shown}
    held_back = [call for call in distinct if id(call) not in chosen]
    return Samples(tuple(sorted(shown, key=_time)), tuple(held_back[-MAX_HELD_BACK:]))


def size_of(call: RecordedCall) -> int:
    """Bytes of what would be shown of it."""
    query = b"" if call.query is None else orjson.dumps(call.query)
    return len(query) + len(call.body or b"") + len(call.value or b"") + len(call.error or "")


def _distinct(calls: Iterable[RecordedCall]) -> list[RecordedCall]:
    newest = {_arguments(call): call for call in sorted(calls, key=_time)}
    return sorted(newest.values(), key=_time)


def _arguments(call: RecordedCall) -> tuple[bytes | None, bytes | None]:
    query = None if call.query is None else canonical(orjson.dumps(call.query))
    return query, None if call.body is None else canonical(call.body)


def _shown(distinct: Sequence[RecordedCall], draw: random.Random) -> list[RecordedCall]:
    small = [call for call in distinct if size_of(call) <= MAX_SHOWN_EACH]
    draw.shuffle(small)
    failed = [call for call in small if call.error is not None]
    slowest = sorted(small, key=_run, reverse=True)
    order = chain(failed[:_PREFERRED], slowest[:_PREFERRED], small)
    return list(islice(_fitting(order), min(MAX_SHOWN, len(distinct) // 2)))


def _fitting(calls: Iterable[RecordedCall]) -> Iterator[RecordedCall]:
    """Each once, as long as all together are small."""
    left, seen = MAX_SHOWN_TOGETHER, set[int]()
    for call in calls:
        size = size_of(call)
        if id(call) not in seen and size <= left:
            seen.add(id(call))
            left -= size
            yield call


def _time(call: RecordedCall) -> float:
    return call.time


def _run(call: RecordedCall) -> float:
    return call.run
