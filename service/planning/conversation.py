"""One question that a request has for a model, and what is said to it of a reply that was of no use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sandbox_runtime.planning import Repair, Task
from service.planning.asker import Asker
from service.planning.planning import BadReply, Planning, Question


class Conversation:
    """``asker``: whose tokens are used. ``given``: see ``sandbox_runtime.planning``. ``seconds``: for all
    that is asked here; what passes between two questions does not count."""

    def __init__(
        self, planning: Planning, asker: Asker, task: Task, given: Mapping[str, Any], seconds: float
    ) -> None:
        self._planning = planning
        self._asker = asker
        self._task = task
        self._given = given
        self._left = seconds

    async def ask(self, repair: Repair | None = None) -> Mapping[str, Any]:
        """The output that the task has. Raises as ``Planning.ask`` does."""
        began = time.monotonic()
        question = Question(self._task, self._given, began + self._left, repair)
        try:
            return await self._planning.ask(self._asker, question)
        finally:
            self._left -= time.monotonic() - began

    async def ask_twice(self) -> Mapping[str, Any]:
        """The same, once more after a reply that cannot be used."""
        try:
            return await self.ask()
        except BadReply as error:
            return await self.ask(Repair(error.reply, error.detail))
