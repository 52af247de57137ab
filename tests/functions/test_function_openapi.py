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
GROUPS = {
    "service": "^/(load-function|unload-function|_/functions/)",  # any text is an upload
    "own": f"^{own_path(HASH, '')}",
}


@pytest.fixture(scope="module")
def served(api: Api) -> Api:
    """With the functions of the module."""
    api.serve(HASH, MODULE, "numbers", "texts")
    api.serve(HASH, MODULE, "total", method="POST")
    return api


def schemathesis(api: Api, tmp_path: Path, *more: str) -> str:
    """What it prints; it must find nothing. With the scope ``rest`` it would be shown a session's API. Both
    headers, or it would make one up."""
    key = api.keyed.key(scopes=["functions:*"])
    headers = ("--header", f"X-API-Key: {key}", "--header", f"Authorization: Bearer {key}")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{api.service.url}/openapi.json"),
            *("--no-color", "--seed", "20", "--checks", "all", *headers, *more),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


def test_endpoints_of_functions(served: Api, tmp_path: Path) -> None:
    """The paths that functions have of their own: also that whatever a schema allows is accepted."""
    said = schemathesis(served, tmp_path, "--max-examples", "6", "--include-path-regex", GROUPS["own"])
    assert "3 selected" in said


def test_endpoints_of_who_may_write(served: Api, tmp_path: Path) -> None:
    """No schema can say which modules and functions there are, so what it allows need not be accepted."""
    more = (
        "--exclude-checks",
        "positive_data_acceptance",
        "--max-examples",
        "2",
        "--phases",
        "coverage,fuzzing",
    )
    said = schemathesis(served, tmp_path, *more, "--include-path-regex", GROUPS["service"])
    assert "8 selected" in said
