"""remove_tree, where somebody goes on using what is removed."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from service.sessions.removal import remove_tree


def test_files_that_come_and_go_meanwhile(tmp_path: Path) -> None:
    """As SQLite's do, when a worker that has not heard of its end closes them."""
    for turn in range(30):
        (tmp_path / f"{turn}").mkdir()
        beneath, inside = (os.open(path, os.O_RDONLY) for path in (tmp_path, tmp_path / f"{turn}"))
        busy = threading.Event()

        def come_and_go(inside: int = inside, busy: threading.Event = busy) -> None:
            with contextlib.suppress(FileNotFoundError):  # the directory is gone: nothing can be made in it
                while True:
                    for name in ("data.db-wal", "data.db-shm"):
                        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=inside))
                    busy.set()
                    for name in ("data.db-wal", "data.db-shm"):
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(name, dir_fd=inside)

        thread = threading.Thread(target=come_and_go)
        thread.start()
        assert busy.wait(10)
        remove_tree(f"{turn}", beneath)
        thread.join(10)
        assert not thread.is_alive()
        assert not (tmp_path / f"{turn}").exists()
        os.close(beneath)
        os.close(inside)
