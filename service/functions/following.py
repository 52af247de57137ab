"""Keeps one front's functions as the control database has them."""

from __future__ import annotations

from collections.abc import Callable

from sandbox_runtime.domain import Contract
from service.functions.registry import Registry
from service.functions.table import FunctionTable


class Following:
    """Nothing else changes the table: what a front has loaded itself reaches it on this way too, so that no
    answer that was late can bring back what has gone since. ``release`` is told of each contract that has no
    function left."""

    def __init__(self, registry: Registry, table: FunctionTable, release: Callable[[Contract], None]) -> None:
        self._registry = registry
        self._table = table
        self._release = release
        self._revision = 0

    async def catch_up(self, revision: int, *, anew: bool = False) -> None:
        """``revision``: that of the control database; ``anew``: which may be another than before.
        ControlUnavailable."""
        if revision == self._revision and not anew:
            return
        since = 0 if anew else self._revision
        changes = await self._registry.changes_since(since)
        if anew or changes.functions or changes.revision < since:
            whole = since == 0 or changes.revision < since
            change = self._table.replace if whole else self._table.update
            for contract in change(changes.functions):
                self._release(Contract(contract))
        self._revision = changes.revision
