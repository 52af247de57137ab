"""Functions for tests of the registry."""

from __future__ import annotations

from typing import Any

from service.control.control import Control
from service.functions.registry_work import Loaded
from service.functions.sources import Source, source_of
from service.functions.values import FunctionSpec
from tests.service.control.made import BY

HASH = "abcdef1234567890abcdef1234567890abcdef12"
SIGNATURE = '{"parameters":[]}'


def spec(name: str = "hello", **members: Any) -> FunctionSpec:
    """One whose path is its own. ``members``: by name."""
    return FunctionSpec(**{"hash": HASH, "name": name, "module": "m", "path": f"/own/{name}"} | members)


def source(text: str) -> Source:
    return source_of(text.encode())


async def load(control: Control, text: str, name: str = "hello", **members: Any) -> Loaded:
    """Load it as the tester does."""
    return await control.functions.load(spec(name, **members), source(text), SIGNATURE, BY)
