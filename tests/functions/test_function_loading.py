"""Loading, unloading and listing functions over HTTP."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.functions.api import (
    ADD,
    MODULE,
    Api,
    hash_of,
    own_path,
    refusal,
    value,
)


def test_what_is_loaded(api: Api, contract: str) -> None:
    """All of it is in the answer, in the list, and under /_/functions."""
    answer = api.serve(contract, ADD, "add")
    function = answer["function"]
    assert (answer["success"], answer["loaded_version"], answer["created"]) == (True, 1, True)
    assert function["digest"] == hashlib.sha256(ADD.encode()).hexdigest()
    shown = {
        "visible_pixel_hash": contract,
        "function_name": "add",
        "module_name": MODULE,
        "endpoint_path": own_path(contract, "add"),
        "method": "GET",
        "version": 1,
        "canary": None,
        "doc": "The sum.",
        "returns": {"type": "integer"},
    }
    assert {name: function[name] for name in shown} == shown
    a, b = function["parameters"]
    assert (a["name"], a["required"], a["schema"]) == ("a", True, {"type": "integer"})
    assert (b["name"], b["required"], b["schema"]) == ("b", False, {"type": "integer", "default": 2})
    assert value(api.ask("GET", api.about(contract, "add"))) == function | {"stats": {}}
    assert listed(api, contract) == [function]


def listed(api: Api, contract: str) -> list[dict[str, Any]]:
    """The functions of one contract, as the list has them."""
    answer = value(api.ask("GET", "/list-functions", params={"after": f"{contract}/", "limit": "100"}))
    return [one for one in answer["functions"] if one["visible_pixel_hash"] == contract]


def test_loading_it_again(api: Api, contract: str) -> None:
    """Unchanged, it stays as it is; another path or method is taken without a new version."""
    first = api.serve(contract, ADD, "add")
    again = api.serve(contract, ADD, "add")
    assert (again["created"], again["function"]) == (False, first["function"])
    moved = api.serve(contract, ADD, "add", endpoint_path=f"/moved/{contract[:8]}", method="post")
    assert (moved["created"], moved["loaded_version"]) == (False, 1)
    assert moved["function"]["method"] == "POST"
    assert value(api.ask("POST", f"/moved/{contract[:8]}", json={"a": 1})) == 3
    assert api.ask("GET", own_path(contract, "add"), params={"a": "1"}).status_code >= 400


def test_unloading(api: Api, contract: str) -> None:
    """It is gone from everywhere; loaded again, its versions are counted on."""
    api.serve(contract, ADD, "add", "other")
    gone = api.unload(contract, "add")
    assert (gone.status_code, gone.json()["success"]) == (200, True)
    for answer in (
        api.get(contract, "add", a=1),
        api.ask("GET", api.about(contract, "add")),
        api.unload(contract, "add"),
        api.write("POST", api.about(contract, "add", "/rollback")),
    ):
        assert refusal(answer) == (404, "not_found")
    assert api.ask("GET", own_path(contract, "add"), params={"a": "1"}).status_code >= 400
    assert [one["function_name"] for one in listed(api, contract)] == ["other"]
    versions = value(api.ask("GET", api.about(contract, "add", "/versions")))["versions"]
    assert [(one["version"], one["weight"]) for one in versions] == [(1, 0)]
    again = api.serve(contract, ADD.replace("a + b", "a - b"), "add")
    assert (again["loaded_version"], again["created"]) == (2, True)
    assert value(api.get(contract, "add", a=1)) == -1


def test_pages_of_the_list(api: Api) -> None:
    """By hash and name; ``next`` leads through all of it, and ends."""
    contracts = sorted("e" * 56 + hash_of(f"page {number}")[:8] for number in range(2))
    for contract in contracts:
        api.serve(contract, ADD, "other", "add")
    pages, after = [], "e" * 56
    while after:
        page = value(api.ask("GET", "/list-functions", params={"limit": "3", "after": after}))
        assert page["count"] == len(page["functions"]) <= 3
        pages.append([(one["visible_pixel_hash"], one["function_name"]) for one in page["functions"]])
        after = page["next"]
    found = [name for page in pages for name in page if name[0] in contracts]
    assert found == [(contract, name) for contract in contracts for name in ("add", "other")]
    assert all(len(page) == 3 for page in pages[:-1])


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=10001", "page=1"])
def test_pages_that_are_none(api: Api, query: str) -> None:
    assert refusal(api.ask("GET", f"/list-functions?{query}")) == (400, "bad_request")


def test_if_match(api: Api, contract: str) -> None:
    """412 when the digest is not that of the current version, or nothing is loaded; any digest for ``*``."""
    api.upload(contract, ADD)
    refused = (412, "precondition_failed")
    assert refusal(api.load(contract, "add", {"If-Match": "*"})) == refused
    first = api.serve(contract, ADD, "add")["function"]["digest"]
    api.upload(contract, ADD.replace("a + b", "a * b"))
    assert refusal(api.load(contract, "add", {"If-Match": f'"{"0" * 64}"'})) == refused
    assert api.load(contract, "add", {"If-Match": f'"{first}"'}).json()["loaded_version"] == 2
    assert refusal(api.load(contract, "add", {"If-Match": f'"{first}"'})) == refused
    assert api.load(contract, "add", {"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("digits", [40, 41, 64])
def test_lengths_of_a_hash(api: Api, digits: int) -> None:
    """In either case, which is the same function."""
    contract = hashlib.sha256(f"{digits} digits".encode()).hexdigest()[:digits]
    api.serve(contract.upper(), ADD, "add")
    assert value(api.get(contract, "add", a=1)) == value(api.get(contract.upper(), "add", a=1)) == 3
    assert api.unload(contract.upper(), "add").status_code == 200
