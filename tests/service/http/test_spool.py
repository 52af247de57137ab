"""A body in a temporary file, where there is no room for one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import Message

from service.errors import StorageUnavailable
from service.http.spool import Spool, in_spool
from tests.shortage import no_file_above


def request_with(size: int) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * size, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@pytest.mark.parametrize("size", [100_000, 3 << 20])
async def test_a_full_directory_for_temporary_files_is_told(size: int) -> None:
    with no_file_above(4096), Spool() as spool, pytest.raises(StorageUnavailable, match="TMPDIR"):
        await spool.fill(request_with(size), 8 << 20)


async def test_so_is_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(StorageUnavailable, match="No such file or directory"):
        await in_spool(Spool)
