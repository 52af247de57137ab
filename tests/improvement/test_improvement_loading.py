"""Loading improvements, calling them where they are served, moving them and taking them back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functions.api import ADD, Api, hash_of, own_path, refusal, value
from tests.improvement.improving import TYPES, improve, improved, listed, text_of


@pytest.mark.parametrize("kind", TYPES)
def test_it_is_served_by_its_type(api: Api, contract: str, kind: str) -> None:
    """With GET and POST, as a function's own path is, and where every function is; other methods are told."""
    name = f"served_{kind}"
    path = f"/improved/{kind}/{name}"
    answer = improved(api, contract, name, kind=kind)
    assert (answer["improvement_type"], answer["endpoint_path"]) == (kind, path)
    assert (answer["success"], answer["loaded_version"], answer["created"]) == (True, 1, True)
    assert answer["message"] == f"{name} is served at GET and POST {path}"
    function = answer["function"]
    assert (function["improvement_type"], function["endpoint_path"]) == (kind, path)
    got = api.ask("GET", path, params={"a": 1})
    assert (value(got), got.headers["x-function-version"]) == (2, "1")
    assert value(api.ask("POST", path, json={"a": 2})) == 3
    assert value(api.ask("POST", path, params={"a": 3})) == 4
    assert api.ask("HEAD", path, params={"a": 1}).status_code == 200
    assert value(api.get(contract, name, a=4)) == 5
    assert refusal(api.ask("GET", path)) == (422, "validation_failed")
    refused = api.ask("DELETE", path)
    assert refusal(refused) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["/improved/scan/nothing", "/improved/x/y"])
def test_what_is_not_loaded_is_not_found(api: Api, path: str) -> None:
    """Nor is it anybody's resource."""
    assert refusal(api.ask("GET", path)) == (404, "not_found")
    assert refusal(api.ask("POST", path, json={})) == (404, "not_found")
    assert refusal(api.ask("PUT", path, json={})) == (405, "method_not_allowed")
    for beside in ("/improved", "/improved/scan", f"{path}/z", "/self-improve", "/self-improve/x"):
        assert refusal(api.ask("GET", beside)) == (404, "not_found")


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"improvement_type": "brain"}, ["improvement_type"]),
        ({"improvement_type": None}, ["improvement_type"]),
        ({"improvement_type": 1, "module_name": []}, ["module_name", "improvement_type"]),
        ({"function_name": "größe"}, ["function_name"]),
        ({"function_name": "a/b", "improvement_type": "x"}, ["function_name", "improvement_type"]),
        (
            {"visible_pixel_hash": "x", "function_name": "_y", "module_name": "z.py"},
            ["visible_pixel_hash", "function_name", "module_name"],
        ),
        ({"endpoint_path": "/improved/scan/other", "method": "POST"}, ["endpoint_path", "method"]),
    ],
)
def test_each_wrong_member_is_named(
    api: Api, contract: str, members: dict[str, Any], fields: list[str]
) -> None:
    """And no other; the path is none that one sends."""
    answer = improve(api, contract, "f", **members)
    assert refusal(answer) == (422, "validation_failed")
    assert sorted(error["field"] for error in answer.json()["errors"]) == sorted(fields)


def test_refusals_are_those_of_functions(api: Api, contract: str) -> None:
    """Of the module, of what is not there, of another version."""
    assert refusal(improve(api, contract, "f")) == (404, "not_found")
    api.upload(contract, "import os\ndef f() -> int:\n    return 1\n")
    assert refusal(improve(api, contract, "f")) == (403, "policy_refused")
    api.upload(contract, "def f(:\n")
    assert refusal(improve(api, contract, "f")) == (422, "module_failed")
    improved(api, contract, "f_of_refusals")
    stale = improve(api, contract, "f_of_refusals", headers={"If-Match": '"0"'})
    assert refusal(stale) == (412, "precondition_failed")


def test_versions_and_rollback(api: Api, contract: str) -> None:
    """The same text changes nothing, another is the next version; back to the one before, or to any."""
    name, back = "versioned", f"/self-improve/rollback/{contract}/versioned"
    path = f"/improved/api/{name}"
    for number in (1, 2, 3):
        assert improved(api, contract, name, f"a * {number}", "api")["loaded_version"] == number
    again = improved(api, contract, name, "a * 3", "api")
    assert (again["loaded_version"], again["created"]) == (3, False)
    assert value(api.write("POST", back))["version"] == 2
    assert value(api.ask("GET", f"{path}?a=5")) == 10
    answer = value(api.write("POST", back, json={"version": 1}))
    assert (answer["version"], answer["improvement_type"], answer["endpoint_path"]) == (1, "api", path)
    assert value(api.ask("GET", f"{path}?a=5")) == 5
    assert refusal(api.write("POST", back)) == (409, "conflict")
    assert refusal(api.write("POST", back, json={"version": 9})) == (404, "not_found")
    assert refusal(api.write("POST", back, json={"to": 2})) == (422, "validation_failed")
    assert value(api.ask("GET", f"{path}?a=5&version=3")) == 15


def test_a_canary(api: Api, contract: str) -> None:
    """Has a share of the calls; the path stays the current one's."""
    improved(api, contract, "sung")
    api.upload(contract, text_of("sung", "a - 1"))
    answer = value(improve(api, contract, "sung", canary_weight=5))
    assert answer["function"]["canary"] == {"version": 2, "weight": 5}
    assert refusal(improve(api, contract, "sung", "agent", canary_weight=5)) == (409, "conflict")
    assert refusal(improve(api, contract, "sung", canary_weight=100)) == (422, "validation_failed")


def test_a_path_is_of_one(api: Api, contract: str) -> None:
    """Another contract's improvement of the same type and name is refused, of another type it is not; no
    function's own path is below /improved."""
    other = hash_of(f"{contract} other")
    improved(api, contract, "taken")
    api.upload(other, text_of("taken", "a + 2"))
    answer = improve(api, other, "taken")
    assert refusal(answer) == (409, "conflict")
    assert contract in answer.json()["detail"]
    assert value(improve(api, other, "taken", "agent"))["endpoint_path"] == "/improved/agent/taken"
    assert [value(api.ask("GET", f"/improved/{kind}/taken?a=1")) for kind in ("scan", "agent")] == [2, 3]
    for path in ("/improved/scan/mine", "/improved", "/self-improve/status"):
        assert refusal(api.load(contract, "taken", endpoint_path=path)) == (409, "conflict")


def test_loading_the_other_way_moves_it(api: Api, contract: str) -> None:
    """A function becomes an improvement, of another type, and a function again; versions go on, and the path
    before is free."""
    own = own_path(contract, "moved")
    api.serve(contract, text_of("moved"), "moved")
    assert value(api.ask("GET", f"{own}?a=1")) == 2
    answer = value(improve(api, contract, "moved"))
    assert (answer["loaded_version"], answer["created"]) == (1, False)
    assert api.ask("GET", f"{own}?a=1").status_code == 404
    assert value(api.ask("GET", "/improved/scan/moved?a=1")) == 2
    assert improved(api, contract, "moved", "a + 5", "agent")["loaded_version"] == 2
    assert refusal(api.ask("GET", "/improved/scan/moved?a=1")) == (404, "not_found")
    assert value(api.ask("POST", "/improved/agent/moved", json={"a": 1})) == 6
    assert [len(items) for items in listed(api, contract).values()] == [0, 1, 0]
    answer = value(api.load(contract, "moved"))
    assert (answer["loaded_version"], answer["function"]["improvement_type"]) == (2, None)
    assert refusal(api.ask("GET", "/improved/agent/moved?a=1")) == (404, "not_found")
    assert value(api.ask("GET", f"{own}?a=1")) == 6
    assert refusal(api.ask("POST", own, json={"a": 1})) == (405, "method_not_allowed")
    assert [len(items) for items in listed(api, contract).values()] == [0, 0, 0]


def test_unloading(api: Api, contract: str) -> None:
    """Its versions stay; what is gone is not found."""
    end = f"/self-improve/unload/{contract}/ended"
    improved(api, contract, "ended")
    answer = value(api.write("DELETE", end))
    assert (answer["success"], answer["function"]["function_name"]) == (True, "ended")
    assert refusal(api.ask("GET", "/improved/scan/ended?a=1")) == (404, "not_found")
    assert refusal(api.write("DELETE", end)) == (404, "not_found")
    assert improved(api, contract, "ended", "a + 9")["loaded_version"] == 2
    assert value(api.unload(contract, "ended"))["success"] is True


def test_a_function_is_no_improvement(api: Api, contract: str) -> None:
    """It is neither unloaded nor rolled back as one."""
    api.serve(contract, ADD, "add")
    api.serve(contract, ADD.replace("a + b", "a - b"), "add")
    for method, what in (("DELETE", "unload"), ("POST", "rollback")):
        answer = api.write(method, f"/self-improve/{what}/{contract}/add")
        assert refusal(answer) == (404, "not_found")
        assert "no improvement" in answer.json()["detail"]
    assert value(api.get(contract, "add", a=5, b=2)) == 3
    assert value(api.load(contract, "add"))["loaded_version"] == 2
