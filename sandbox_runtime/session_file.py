"""The file that a session's data lie in, which comes to be with the first write and not before."""

from __future__ import annotations

import os

from sandbox_runtime.call import Binding
from sandbox_runtime.store.database import SessionDatabase

DATA = "data.db"


class SessionFile:
    """In the current directory, whose owner it has to itself."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._database: SessionDatabase | None = None
        self._nothing: SessionDatabase | None = None

    def open(self, write: bool) -> SessionDatabase:
        """The database; to read where there is none, one in memory that holds nothing. StoreError."""
        if self._database is None and (write or os.path.exists(DATA)):
            binding = self._binding
            self._database = SessionDatabase(DATA, quota=binding.quota, full_sync=binding.full_sync)
        if self._database is not None:
            return self._database
        if self._nothing is None:
            self._nothing = SessionDatabase(":memory:", full_sync=False)
        return self._nothing

    def maintain(self) -> None:
        """What may wait until the reply has left."""
        if self._database is not None:
            self._database.maintain()
