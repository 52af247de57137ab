"""Loading improvements over HTTP, and what is told of them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.functions.api import MODULE, Api, value

Json = dict[str, Any]
TYPES = ("scan", "agent", "api")


def body_of(contract: str, name: str, kind: str = "scan", **members: Any) -> Json:
    """What POST /self-improve/load needs; ``members`` in the place of those that are usual."""
    usual = {"function_name": name, "module_name": MODULE, "improvement_type": kind}
    return {"visible_pixel_hash": contract, **usual, **members}


def text_of(name: str, result: str = "a + 1") -> str:
    """A module that has this function."""
    return f'def {name}(a: int) -> int:\n    """Improved."""\n    return {result}\n'


def improve(api: Api, contract: str, name: str, kind: str = "scan", **members: Any) -> httpx.Response:
    """POST /self-improve/load."""
    headers = members.pop("headers", None)
    body = body_of(contract, name, kind, **members)
    return api.write("POST", "/self-improve/load", json=body, headers=headers)


def improved(api: Api, contract: str, name: str, result: str = "a + 1", kind: str = "scan") -> Json:
    """Upload it and load it; what was answered."""
    assert api.upload(contract, text_of(name, result)).status_code in (200, 201)
    found: Json = value(improve(api, contract, name, kind))
    return found


def status(api: Api) -> Json:
    """GET /self-improve/status."""
    found: Json = value(api.ask("GET", "/self-improve/status"))
    return found


def listed(api: Api, contract: str) -> dict[str, list[Json]]:
    """By type, what the status has of this contract."""
    shown = status(api)
    return {
        kind: [each for each in shown[f"{kind}_improvements"] if each["visible_pixel_hash"] == contract]
        for kind in TYPES
    }
