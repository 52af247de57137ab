"""Keeps one front's functions as the control database has them."""

from __future__ import annotations

from sandbox_runtime.domain import Contract
from service.functions.contracts import Contracts
from service.functions.registry import Registry
from service.functions.table import FunctionTable


class Following:
    """Nothing else changes the table: what a front has loaded itself reaches it on this way too, so that no
    answer that was late can bring back what has gone since."""

    def __init__(self, registry: Registry, table: FunctionTable, contracts: Contracts) -> None:
        self._registry = registry
        self._table = table
        self._contracts = contracts
        self._revision = 0

    async def catch_up(self, revision: int) -> None:
        """``revision``: that of the control database. ControlUnavailable."""
        if revision == self._revision:
            return
        changes = await self._registry.changes_since(self._revision)
        if changes.functions or changes.revision < self._revision:
            whole = self._revision == 0 or changes.revision < self._revision
            change = self._table.replace if whole else self._table.update
            for contract in change(changes.functions):
                self._contracts.release(Contract(contract))
        self._revision = changes.revision
