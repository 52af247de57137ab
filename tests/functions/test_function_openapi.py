"""The OpenAPI document says of functions what is so: requests that are made from it, and their answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.functions.api import Api, hash_of, own_path

HASH = hash_of(__name__)
MODULE = '''
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Literal, Optional
from uuid import UUID

class Color(Enum):
    RED = "red"
    TWO = 2

@dataclass
class Item:
    name: str
    price: float = 1.0
    count: Optional[int] = None

def numbers(n: int, x: float = 0.5, flag: bool = False) -> list[float]:
    """Some numbers."""
    return [n, x, float(flag)]

def texts(text: str, color: Color, choice: Literal["a", "b"] = "a", more: list[int] = []) -> str:
    """Some texts."""
    return repr((text, color, choice, more))

def total(
    items: list[Item], by: dict[str, int], day: Optional[date] = None, ident: UUID | None = None
) -> dict:
    """What items cost."""
    return {"total": len(items), "by": len(by), "day": day, "ident": ident}
'''
PATHS = f"^(/load-function|/unload-function|/_/functions/|{own_path(HASH, '')})"


@pytest.fixture(scope="module")
def served(api: Api) -> Api:
    """With the functions of the module."""
    api.serve(HASH, MODULE, "numbers", "texts")
    api.serve(HASH, MODULE, "total", method="POST")
    return api


def test_requests_made_from_the_document(served: Api, tmp_path: Path) -> None:
    """Of the paths that functions have of their own, and of those for who may change functions; an upload may
    be any text. Every check but one: that whatever a schema allows is accepted, for which 1.0 is an integer.

    The key has not the scope ``rest``, with which it would be shown a session's API; it is in both headers,
    or another would be made up for one of them."""
    key = served.keyed.key(scopes=["functions:*"])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{served.service.url}/openapi.json"),
            *("--no-color", "--seed", "20", "--checks", "all", "--max-examples", "8"),
            *("--exclude-checks", "positive_data_acceptance"),
            *("--phases", "examples,fuzzing", "--include-path-regex", PATHS),
            *("--header", f"X-API-Key: {key}", "--header", f"Authorization: Bearer {key}"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "11 selected" in done.stdout
