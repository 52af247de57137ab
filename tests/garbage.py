"""Objects that nothing but a collection would free."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """In the block no garbage is collected, so that what is in a cycle of references stays."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def left_of(*kinds: type) -> list[str]:
    """The kinds of which there is one still, when the event loop has done what is due."""
    for _ in range(20):
        await asyncio.sleep(0)
    return sorted({type(found).__name__ for found in gc.get_objects() if type(found) in kinds})
