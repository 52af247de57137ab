"""A file that is put in its place whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.rest.whole_file import put_whole
from tests.shortage import no_file_above


def test_a_disk_that_is_full_keeps_what_there_was_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "plans" / "one"
    put_whole(path, b"old")
    with no_file_above(4096), pytest.raises(OSError, match="File too large"):
        put_whole(path, b"x" * 8192)
    assert [file.name for file in path.parent.iterdir()] == ["one"]
    assert path.read_bytes() == b"old"
    put_whole(path, b"new")
    assert path.read_bytes() == b"new"
