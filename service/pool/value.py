"""What a worker sends as a value: JSON, checked for its form."""

from __future__ import annotations

from typing import Final

from sandbox_runtime import wire
from service.garbage import without_collection

_SHORT: Final = 16 * 1024  # bytes: what is in so few is parsed before there is a collection


def check_value(text: bytes) -> None:
    """WireError unless it is JSON that every reader of a reply can take."""
    if len(text) <= _SHORT:
        wire.check_json(text)
        return
    with without_collection():
        wire.check_json(text)
