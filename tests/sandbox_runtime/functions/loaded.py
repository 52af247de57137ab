"""Modules of loaded functions in the test's own process: no jail, and texts that the tests have written."""

from __future__ import annotations

import json
from typing import Any

from sandbox_runtime.contract import inspection
from sandbox_runtime.function import Fault, Inspection, Module, Outcome, Signature
from sandbox_runtime.functions.annotations import Forms
from sandbox_runtime.functions.calling import invoke
from sandbox_runtime.functions.form import Form
from sandbox_runtime.functions.library import sha256
from sandbox_runtime.functions.modules import Modules

LIMIT = 1 << 20
IMPORTS = """
import asyncio, collections, dataclasses, datetime, decimal, enum, functools, typing, uuid
from collections import *
from collections.abc import *
from dataclasses import *
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import *
from uuid import UUID
"""


class Mod:
    """One module, loaded as a worker loads it."""

    def __init__(self, text: str, policy: str = "program", limit: int = LIMIT) -> None:
        self.modules = Modules()
        self.digest = sha256(text)
        self.modules.add(Module(self.digest, text, "agent", policy))
        self._limit = limit

    def call(
        self, name: str = "f", arguments: object = None, **query: str | list[str]
    ) -> tuple[Any, Outcome]:
        """Value and outcome; ``arguments`` are the members of a body, or its bytes."""
        raw = arguments if isinstance(arguments, bytes) else json.dumps(arguments).encode()
        given = None if arguments is None else raw
        text, outcome = invoke(self.modules, self.digest, name, (given, query), self._limit)
        return None if text is None else json.loads(text), outcome

    def value(self, name: str = "f", arguments: object = None, **query: str | list[str]) -> Any:
        """The value of a call that ends well."""
        value, outcome = self.call(name, arguments, **query)
        assert outcome.end == "ok", outcome
        return value

    def wrong(self, arguments: object = None, **query: str | list[str]) -> list[tuple[str, str, str]]:
        """Parameter, message and what was expected, of each argument that is at fault."""
        _, outcome = self.call("f", arguments, **query)
        assert outcome.end == "caller_error", outcome
        return [(each.parameter, each.message, each.expected) for each in outcome.wrong]

    def fault(self, name: str = "f", arguments: object = None) -> Fault:
        """What a call that fails is told."""
        _, outcome = self.call(name, arguments)
        assert outcome.end == "function_error", outcome
        assert outcome.error is not None
        return outcome.error

    def inspect(self, name: str = "f") -> Inspection:
        return inspection(self.modules, self.digest, name)

    def signature(self, name: str = "f") -> Signature:
        found = self.inspect(name)
        assert found.signature is not None, found
        return found.signature


def form_of(annotation: str, before: str = "") -> Form:
    """The form of an annotation, as the module's own code writes it."""
    space: dict[str, Any] = {}
    exec(f"{IMPORTS}\n{before}\ndef f(x: {annotation}): ...\n", space)  # noqa: S102 - a line of the tests
    return Forms(space).of(space["f"].__annotations__["x"])
