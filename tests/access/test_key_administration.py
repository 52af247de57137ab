"""/_/keys, what keys have used, what they may use, and what is written down."""

from __future__ import annotations

import httpx
import pytest

from tests.access.keyed import Keyed, id_of, lars, with_key
from tests.support import wait_until

PROGRAM = {"code": "print(6 * 7)"}


def test_the_administration_of_keys(keyed: Keyed) -> None:
    """Made, listed, shown, revoked; the text is in the first answer only, and nothing ever shows a digest."""
    asked = {
        "name": "Client",
        "description": "For a test",
        "env": "test",
        "scopes": ["functions:*", "rest"],
        "rates": ["100/minute", "concurrent=4"],
        "policy": "restricted",
        "expires": "2030-01-01",
    }
    made = keyed.ask(keyed.all, "/_/keys", "POST", json=asked)
    assert made.status_code == 201
    body = made.json()
    text, name = body.pop("key"), body["id"]
    assert made.headers["location"] == f"/_/keys/{name}"
    assert text.startswith(f"sk_test_{name}_")
    assert body["scopes"] == ["rest", "functions:read", "functions:call", "functions:write"]
    assert (body["expires"], body["state"]) == ("2030-01-01T00:00:00Z", "active")
    assert keyed.ask(keyed.all, f"/_/keys/{name}").json() == body
    listed = keyed.ask(keyed.all, "/_/keys?limit=1000").json()["keys"]
    assert body in listed
    assert "digest" not in str(listed)
    assert keyed.ask(keyed.all, f"/_/keys/{name}", "DELETE").json()["state"] == "revoked"
    assert keyed.ask(keyed.all, f"/_/keys/{name}", "DELETE").json()["state"] == "revoked"
    assert keyed.ask(keyed.all, f"/_/keys/{name}/rotate", "POST").json()["code"] == "conflict"


def test_pages_of_keys(keyed: Keyed) -> None:
    for _ in range(3):
        keyed.key()
    first = keyed.ask(keyed.all, "/_/keys?limit=2").json()
    second = keyed.ask(keyed.all, f"/_/keys?limit=2&after={first['next']}").json()
    ids = [key["id"] for key in (*first["keys"], *second["keys"])]
    assert len(set(ids)) == 4
    assert ids == [key["id"] for key in keyed.ask(keyed.all, "/_/keys?limit=4").json()["keys"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"env": "prod"}, "name"),
        ({"name": "a"}, "env"),
        ({"name": "a", "env": "live"}, "env"),
        ({"name": "", "env": "prod"}, "name"),
        ({"name": "a" * 101, "env": "prod"}, "name"),
        ({"name": "a\x00", "env": "prod"}, "name"),
        ({"name": 1, "env": "prod"}, "name"),
        ({"name": "a", "env": "prod", "scopes": ["root"]}, "scopes"),
        ({"name": "a", "env": "prod", "scopes": []}, "scopes"),
        ({"name": "a", "env": "prod", "scopes": "rest"}, "scopes"),
        ({"name": "a", "env": "prod", "rates": ["0/minute"]}, "rates"),
        ({"name": "a", "env": "prod", "rates": ["often"]}, "rates"),
        ({"name": "a", "env": "prod", "policy": "none"}, "policy"),
        ({"name": "a", "env": "prod", "expires": "yesterday"}, "expires"),
        ({"name": "a", "env": "prod", "expires": "2001-01-01"}, "expires"),
        ({"name": "a", "env": "prod", "admin": True}, "admin"),
    ],
)
def test_what_no_key_can_be(body: dict[str, object], field: str, keyed: Keyed) -> None:
    answer = keyed.ask(keyed.all, "/_/keys", "POST", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=", "page=2"])
def test_pages_that_are_none(query: str, keyed: Keyed) -> None:
    assert keyed.code(keyed.all, f"/_/keys?{query}") == "bad_request"


def test_unknown_keys_are_not_found_and_a_key_in_a_path_is_not_repeated(keyed: Keyed) -> None:
    for name in ("0000000000", "x", keyed.all):
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("GET", "/usage")):
            answer = keyed.ask(keyed.all, f"/_/keys/{name}{path}", method)
            assert answer.status_code == 404
            assert keyed.all not in answer.text
    assert keyed.all not in keyed.service.log.read_text()


def test_usage_counts_requests_failures_and_cpu_of_both_fronts(keyed: Keyed) -> None:
    key = keyed.key()
    for _ in range(10):
        assert keyed.code(key, "/execute", "POST", json=PROGRAM) == "ok"
    burning = {"code": "import time\nwhile time.process_time() < 0.3: pass"}
    assert keyed.code(key, "/execute", "POST", json=burning) == "ok"
    assert keyed.code(key, "/execute", "POST", json={"nothing": 1}) == "validation_failed"
    assert keyed.code(key, "/members", headers={"X-Session-ID": "u"}) == "ok"

    def total() -> dict[str, int]:
        figures: dict[str, int] = keyed.ask(keyed.all, f"/_/keys/{id_of(key)}/usage").json()["total"]
        return figures

    wait_until(lambda: total()["requests"] == 13, "the figures of both fronts", 5)
    assert total()["failures"] == 1
    assert 300 <= total()["cpu_ms"] < 1500
    shown = keyed.ask(keyed.all, f"/_/keys/{id_of(key)}").json()["usage"]
    assert shown == total()
    listed = lars(keyed.data, "keys", "usage", id_of(key), "--json")
    assert listed.returncode == 0
    assert '"requests":' in listed.stdout.replace('": ', '":')


def test_who_leaves_early_pays_for_what_ran(keyed: Keyed) -> None:
    """A program that burns CPU until its caller hangs up has used it."""
    key = keyed.key()
    url = f"{keyed.service.url}/execute"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, headers=with_key(key), json={"code": "while True: pass"}, timeout=1.0)

    def cpu() -> int:
        return int(keyed.ask(keyed.all, f"/_/keys/{id_of(key)}/usage").json()["total"]["cpu_ms"])

    wait_until(lambda: cpu() >= 100, "the CPU time of a program whose caller left", 5)


def test_limits_count_over_all_fronts(keyed: Keyed) -> None:
    """Exactly so many pass, however the connections are spread."""
    key = keyed.key(rates=["20/hour"])
    assert [keyed.code(key) for _ in range(25)] == ["ok"] * 20 + ["rate_limited"] * 5
    refused = keyed.ask(key, "/_/plans")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) == refused.json()["retry_after"] > 0
    assert refused.headers["ratelimit-policy"] == '"requests";q=20;w=3600'
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')


def test_a_key_with_a_tighter_policy(keyed: Keyed) -> None:
    key = keyed.key(policy="restricted")
    assert keyed.code(key, "/execute", "POST", json={"code": "import os"}) == "policy_refused"
    assert keyed.code(key, "/execute", "POST", json={"code": "result = 1"}) == "ok"
    wider = {"code": "import os", "policy": "program"}
    assert keyed.code(key, "/execute", "POST", json=wider) == "validation_failed"
    assert keyed.code(keyed.all, "/execute", "POST", json={"code": "import os"}) == "ok"


def test_changes_and_attempts_are_in_the_audit_log(keyed: Keyed) -> None:
    plain = keyed.key()
    made = keyed.ask(keyed.all, "/_/keys", "POST", json={"name": "b", "env": "prod"}).json()
    keyed.ask(keyed.all, f"/_/keys/{made['id']}/rotate", "POST")
    keyed.ask(keyed.all, f"/_/keys/{made['id']}", "DELETE")
    keyed.ask(keyed.all, f"/_/keys/{made['id']}/rotate", "POST")
    for _ in range(5):
        assert keyed.code(plain, "/_/keys", "POST", json={"name": "c", "env": "prod"}) == "scope_missing"
    entries = keyed.audit()
    of_made = [(entry["action"], entry["outcome"]) for entry in entries if entry["target"] == made["id"]]
    assert of_made == [
        ("key.add", "ok"),
        ("key.rotate", "ok"),
        ("key.revoke", "ok"),
        ("key.rotate", "conflict"),
    ]
    admin = [entry for entry in entries if entry["target"] == made["id"]]
    assert {entry["principal"] for entry in admin} == {f"key:{id_of(keyed.all)}"}
    assert {entry["source"] for entry in admin} == {"127.0.0.1"}
    denied = [entry for entry in entries if entry["principal"] == f"key:{id_of(plain)}"]
    assert 1 <= len(denied) <= 2  # one for each front, however often it is tried
    assert denied[0]["outcome"] == "scope_missing"
    by_hand = next(entry for entry in entries if entry["target"] == id_of(keyed.all))
    assert (by_hand["principal"].partition(":")[0], by_hand["source"]) == ("cli", "command line")
