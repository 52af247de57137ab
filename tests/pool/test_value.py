"""Values of workers: their form is checked, without looking for garbage in them."""

from __future__ import annotations

import gc

import pytest

from sandbox_runtime.wire import WireError
from service.pool.value import check_value


@pytest.mark.parametrize("size", [1, 100_000])
def test_what_is_not_json_is_refused(size: int) -> None:
    text = b"[" + b"[]," * size + b"0]"
    check_value(text)
    with pytest.raises(WireError):
        check_value(text[:-1])
    assert gc.isenabled()


def test_nobody_looks_for_garbage_in_it() -> None:
    """Once, when that is on again."""
    looks: list[str] = []

    def look(phase: str, _: dict[str, int]) -> None:
        looks.append(phase)

    gc.callbacks.append(look)
    try:
        check_value(b"[" + b"[]," * 100_000 + b"0]")
    finally:
        gc.callbacks.remove(look)
    assert len(looks) <= len(("start", "stop"))
