"""The options of sessions as they lie on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox_runtime.domain import Session
from service.control.bulletin import Bulletin
from service.errors import StorageUnavailable
from service.sessions.options import OptionFiles, SessionOptions

SESSION = Session("somebody", "demo")
SPOKEN = SessionOptions("json-server")


@pytest.mark.parametrize(
    "content", [b"", b'{"dial', b"[]", b"null", b"\xff", b'{"other": 1}', b'{"dialect": "odata"}']
)
async def test_what_another_has_written(tmp_path: Path, content: bytes) -> None:
    """A power failure, or a newer version: said in one sentence, with what mends it, which does."""
    await OptionFiles(tmp_path, Bulletin()).change(SESSION, SPOKEN)
    (file,) = (tmp_path / "sessions").glob("*/*.options")
    file.write_bytes(content)
    files = OptionFiles(tmp_path, Bulletin())
    with pytest.raises(StorageUnavailable, match=r"options are damaged.*PATCH"):
        await files.of(SESSION)
    await files.change(SESSION, SPOKEN)
    assert await files.of(SESSION) == SPOKEN
