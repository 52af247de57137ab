"""Versions of functions over HTTP: asking for one, going back, and a canary."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.functions.api import Api, hash_of, refusal, value

SAME = hash_of(__name__)
CALLS = 300


def text(number: int) -> str:
    """The module of one version."""
    return f"calls = {number}\ndef which(a: int = 0) -> int:\n    return {number}\n"


def which(api: Api, contract: str, **query: Any) -> int:
    """Which version has answered, as its header and its value say."""
    answer = api.get(contract, "which", **query)
    assert answer.headers["x-function-version"] == str(value(answer))
    return int(value(answer))


@pytest.fixture(scope="module")
def same(api: Api) -> Api:
    """With a function that has two versions, for tests that change nothing."""
    return with_two(api, SAME)


@pytest.fixture
def two(api: Api, contract: str) -> Api:
    """With another of the test's own."""
    return with_two(api, contract)


def with_two(api: Api, contract: str) -> Api:
    """Load both."""
    for number in (1, 2):
        assert api.serve(contract, text(number), "which")["loaded_version"] == number
    return api


def weights(api: Api, contract: str) -> dict[int, int]:
    """By version, the percent of calls that it gets."""
    shown = value(api.ask("GET", api.about(contract, "which", "/versions")))["versions"]
    numbers = [one["version"] for one in shown]
    assert numbers == sorted(numbers, reverse=True)
    return {one["version"]: one["weight"] for one in shown}


def change(api: Api, contract: str, method: str, rest: str, body: object = None) -> Any:
    """What the administration answers, which must be a function."""
    answer = api.write(method, api.about(contract, "which", rest), json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_version_that_is_asked_for(two: Api, contract: str) -> None:
    """By query or header, the header before the query; by its own path, and by POST."""
    assert which(two, contract) == 2
    assert [which(two, contract, version=number) for number in (1, 2)] == [1, 2]
    assert which(two, contract, headers={"X-Function-Version": "1"}) == 1
    assert which(two, contract, version=1, a=5) == 1
    path = f"/agent/{contract}/which"
    posted = two.ask("POST", path, params={"version": "1"}, json={"a": 1})
    assert (value(posted), posted.headers["x-function-version"]) == (1, "1")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("3", (404, "not_found")),
        ("0", (404, "not_found")),
        ("-1", (400, "bad_request")),
        ("x", (400, "bad_request")),
        ("", (400, "bad_request")),
        ("1" * 10, (400, "bad_request")),
        ("\u0661", (400, "bad_request")),
    ],
)
def test_versions_that_are_none(same: Api, number: str, expected: tuple[int, str]) -> None:
    assert refusal(same.get(SAME, "which", version=number)) == expected


def test_a_parameter_of_that_name(api: Api, contract: str) -> None:
    """``version`` is its argument then; the header asks for a version."""
    module = "def f(version: str) -> str:\n    return version\n"
    api.serve(contract, module, "f")
    api.serve(contract, module.replace("return ", "return 'new ' + "), "f")
    assert value(api.get(contract, "f", version="1")) == "new 1"
    answer = api.get(contract, "f", version="x", headers={"X-Function-Version": "1"})
    assert (value(answer), answer.headers["x-function-version"]) == ("x", "1")


def test_rollback(two: Api, contract: str) -> None:
    """To the version before, or to the one that is named; a load goes on counting."""
    assert change(two, contract, "POST", "/rollback")["version"] == 1
    assert which(two, contract) == 1
    assert weights(two, contract) == {2: 0, 1: 100}
    assert change(two, contract, "POST", "/rollback", {"to": 2})["version"] == 2
    assert which(two, contract) == 2
    rollback = two.about(contract, "which", "/rollback")
    assert refusal(two.write("POST", rollback, json={"to": 9})) == (404, "not_found")
    assert refusal(two.write("POST", rollback, json={"to": "1"})) == (422, "validation_failed")
    change(two, contract, "POST", "/rollback", {"to": 1})
    assert refusal(two.write("POST", rollback)) == (409, "conflict")
    assert two.serve(contract, text(3), "which")["loaded_version"] == 3


def test_sources_of_versions(same: Api) -> None:
    """As they were uploaded, for those who may write."""
    for number in (1, 2):
        answer = same.write("GET", same.about(SAME, "which", f"/versions/{number}/source"))
        assert (answer.status_code, answer.text) == (200, text(number))
    assert refusal(same.write("GET", same.about(SAME, "which", "/versions/3/source"))) == (404, "not_found")
    unkeyed = same.ask("GET", same.about(SAME, "which", "/versions/1/source"), None)
    assert refusal(unkeyed) == (401, "key_missing")


def test_pages_of_versions(same: Api) -> None:
    """The newest first."""
    path = same.about(SAME, "which", "/versions")
    first = value(same.ask("GET", path, params={"limit": "1"}))
    assert ([one["version"] for one in first["versions"]], first["next"]) == ([2], "2")
    second = value(same.ask("GET", path, params={"limit": "1", "after": first["next"]}))
    assert [one["version"] for one in second["versions"]] == [1]
    assert value(same.ask("GET", path, params={"after": "1"})) == {"versions": [], "next": None}
    assert refusal(same.ask("GET", path, params={"after": "x"})) == (400, "bad_request")


def test_canary(two: Api, contract: str) -> None:
    """Its share of the calls, until it ends; asked for by number each is there all the time."""
    body = {"version": 1, "weight": 30}
    assert change(two, contract, "PUT", "/canary", body)["canary"] == body
    assert weights(two, contract) == {2: 70, 1: 30}
    found = Counter(which(two, contract) for _ in range(CALLS))
    # Binomial(300, 0.3): outside of this less than once in 1e9 runs.
    assert 42 < found[1] < 141, found
    assert found[1] + found[2] == CALLS
    assert [which(two, contract, version=number) for number in (1, 2)] == [1, 2]
    assert change(two, contract, "DELETE", "/canary")["canary"] is None
    assert {which(two, contract) for _ in range(40)} == {2}


def test_a_canary_changes_nothing_for_others(api: Api, contract: str) -> None:
    """What it does to a library reaches no caller of a current version, whoever asks for it, until it is
    current itself."""
    price = "import decimal\ndef price() -> str:\n    return str(decimal.Decimal(22) / decimal.Decimal(7))\n"
    imprecise = "import decimal\ndecimal.getcontext().prec = 3\n"
    api.serve(contract, price + text(1), "price", "which")
    api.upload(contract, imprecise + text(2)).raise_for_status()
    assert api.load(contract, "which", canary_weight=50).status_code == 200
    seen = set[int]()
    while seen != {1, 2}:
        seen.add(which(api, contract))
        assert which(api, contract, version=2) == 2
        assert value(api.get(contract, "price")).startswith("3.142857142857")
    change(api, contract, "POST", "/rollback", {"to": 2})
    assert which(api, contract) == 2
    assert value(api.get(contract, "price")) == "3.14"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"version": 1, "weight": 0}, (422, "validation_failed")),
        ({"version": 1, "weight": 100}, (422, "validation_failed")),
        ({"version": 1, "weight": "10"}, (422, "validation_failed")),
        ({"version": 1}, (422, "validation_failed")),
        ({"version": 2, "weight": 10}, (409, "conflict")),
        ({"version": 3, "weight": 10}, (404, "not_found")),
        ({"version": 2**40, "weight": 10}, (404, "not_found")),
    ],
)
def test_canaries_that_are_none(same: Api, body: dict[str, Any], expected: tuple[int, str]) -> None:
    assert refusal(same.write("PUT", same.about(SAME, "which", "/canary"), json=body)) == expected
    assert weights(same, SAME) == {2: 100, 1: 0}


def test_a_canary_by_loading(two: Api, contract: str) -> None:
    """``canary_weight``: the next version begins with a share of the calls; rolling back ends it."""
    two.upload(contract, text(3))
    stale = two.load(contract, "which", {"If-Match": f'"{"0" * 64}"'}, canary_weight=60)
    assert refusal(stale) == (412, "precondition_failed")
    staged = two.load(contract, "which", {"If-Match": "*"}, canary_weight=60).json()
    assert (staged["loaded_version"], staged["created"]) == (3, True)
    assert staged["function"]["version"] == 2
    assert weights(two, contract) == {3: 60, 2: 40, 1: 0}
    # Binomial(60, 0.6): one of the two is missing less than once in 1e13 runs.
    assert {which(two, contract) for _ in range(60)} == {2, 3}
    again = two.load(contract, "which", canary_weight=10).json()
    assert (again["loaded_version"], again["created"]) == (3, False)
    assert weights(two, contract) == {3: 10, 2: 90, 1: 0}
    assert change(two, contract, "POST", "/rollback", {"to": 3})["canary"] is None
    assert weights(two, contract) == {3: 100, 2: 0, 1: 0}


@pytest.mark.parametrize("weight", [0, 100, -1])
def test_weights_that_are_none(two: Api, contract: str, weight: int) -> None:
    two.upload(contract, text(3))
    assert refusal(two.load(contract, "which", canary_weight=weight)) == (422, "validation_failed")


def test_what_no_canary_may_change(two: Api, contract: str) -> None:
    """Path and method are the function's; its source must be another."""
    conflict = (409, "conflict")
    assert refusal(two.load(contract, "which", canary_weight=10)) == conflict
    two.upload(contract, text(3))
    assert refusal(two.load(contract, "which", canary_weight=10, method="POST")) == conflict
    moved = two.load(contract, "which", canary_weight=10, endpoint_path="/elsewhere")
    assert refusal(moved) == conflict
    assert weights(two, contract) == {2: 100, 1: 0}
