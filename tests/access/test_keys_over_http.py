"""Keys over HTTP: who passes where, and what changes when."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from service.access.gate import Open
from service.access.scopes import Scope
from service.app import OWNED, RESOURCES
from service.http.routing import KeyedRoute
from tests.access.keyed import PROBE, Keyed, id_of, keyed_service, lars, with_key
from tests.postgresql import Server
from tests.support import wait_until

ROUTES = (*OWNED, RESOURCES)
PUBLIC = {*Open, Scope.FUNCTIONS_READ, Scope.FUNCTIONS_CALL}
PROGRAM = {"code": "print(6 * 7)"}


def places(route: KeyedRoute) -> list[tuple[str, str]]:
    """Each method of the route, on a path of it."""
    path = route.path.replace("{path:path}", "members")
    path = re.sub(r"\{\w+\}", "nothing", path)
    return [(method, path) for method in sorted(route.methods or ()) if method != "HEAD"]


@pytest.mark.parametrize("scope", Scope)
def test_a_key_passes_where_its_scope_says(scope: Scope, keyed: Keyed) -> None:
    """Every route with a key of one scope: refused by name, or let in, whatever is then said."""
    key = keyed.key(scopes=[scope.value])
    for route in ROUTES:
        for method, path in places(route):
            code = keyed.code(key, path, method)
            refused = route.needs not in PUBLIC and route.needs is not scope
            assert (code == "scope_missing") == refused, (method, path, code)
            assert not code.startswith("key_"), (method, path, code)


def test_without_a_key_only_what_is_public_is_answered(keyed: Keyed) -> None:
    for route in ROUTES:
        for method, path in places(route):
            code = keyed.code(None, path, method)
            assert (code == "key_missing") == (route.needs not in PUBLIC), (method, path, code)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": "Basic YTpi"}, "key_malformed"),
        ({"Authorization": "Bearer"}, "key_malformed"),
        ({"X-API-Key": "sk_prod_abc"}, "key_malformed"),
        ({"X-API-Key": "secret"}, "key_malformed"),
        ({"X-API-Key": "sk_prod_" + "0" * 10 + "_" + "0" * 32 + "_000000"}, "key_malformed"),
        ({"X-API-Key": "a", "Authorization": "Bearer b"}, "bad_request"),
    ],
)
def test_what_is_no_key(headers: dict[str, str], code: str, keyed: Keyed) -> None:
    answer = keyed.ask(None, "/members", headers=headers)
    assert answer.json()["code"] == code
    assert answer.headers["content-type"] == "application/problem+json"
    if code != "bad_request":
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Bearer realm="lars"')


def test_both_headers_carry_a_key(keyed: Keyed) -> None:
    for headers in ({"Authorization": f"Bearer {keyed.all}"}, {"X-API-Key": keyed.all}):
        assert keyed.ask(None, "/execute", "POST", headers=headers, json=PROGRAM).json()["stdout"] == "42\n"


def test_sessions_belong_to_the_key_whatever_its_secret(keyed: Keyed) -> None:
    """Two keys, one session id: two sessions. After a rotation, the same session."""
    mine, other = keyed.key(), keyed.key()
    own = {"X-Session-ID": "shared"}
    assert keyed.ask(mine, "/members", "POST", headers=own, json={"name": "Ada"}).status_code == 201
    assert keyed.ask(other, "/members/1", headers=own).status_code == 404
    new = lars(keyed.data, "keys", "rotate", id_of(mine)).stdout.strip()
    assert keyed.ask(new, "/members/1", headers=own).json()["name"] == "Ada"


def test_a_revocation_counts_in_every_front_within_a_second(keyed: Keyed) -> None:
    key = keyed.key()
    with httpx.Client(base_url=keyed.service.url, headers=with_key(key)) as open_before:
        assert open_before.get("/_/plans").status_code == 200
        assert lars(keyed.data, "keys", "revoke", id_of(key)).returncode == 0
        keyed.settled(key, "key_revoked")
        assert open_before.get("/_/plans").json()["code"] == "key_revoked"


def test_a_rotation_without_overlap_ends_the_old_secret(keyed: Keyed) -> None:
    key = keyed.key()
    new = lars(keyed.data, "keys", "rotate", id_of(key), "--overlap", "0").stdout.strip()
    assert keyed.code(new) == "ok"
    keyed.settled(key, "key_unknown")


def test_an_old_secret_says_until_when_it_is_taken(keyed: Keyed) -> None:
    key = keyed.key()
    rotated = keyed.ask(keyed.all, f"/_/keys/{id_of(key)}/rotate", "POST", json={"overlap": "2h"})
    new = rotated.json()["key"]
    assert rotated.headers["cache-control"] == "no-store"
    old = keyed.ask(key, "/_/plans")
    assert old.status_code == 200
    assert old.headers["deprecation"].startswith("@")
    assert rotated.json()["state"] == "rotating"
    assert old.headers["sunset"].endswith("GMT")
    assert "sunset" not in keyed.ask(new, "/_/plans").headers


def test_an_overlap_that_is_over(keyed: Keyed) -> None:
    key = keyed.key()
    keyed.ask(keyed.all, f"/_/keys/{id_of(key)}/rotate", "POST", json={"overlap": 1})
    wait_until(lambda: keyed.code(key) == "key_expired", "the end of the overlap", 5)


def test_a_key_that_expires(keyed: Keyed) -> None:
    key = keyed.key(expires="2s")
    assert keyed.code(key) == "ok"
    wait_until(lambda: keyed.code(key) == "key_expired", "its end", 4)


def test_openapi_tells_of_keys_when_there_are_any(keyed: Keyed) -> None:
    document = keyed.ask(None, "/openapi.json").json()
    assert document["paths"]["/execute"]["post"]["security"] == [
        {"ApiKey": ["execute"]},
        {"Bearer": ["execute"]},
    ]
    assert "security" not in document["paths"]["/health"]["get"]
    assert {"ApiKey", "Bearer"} == document["components"]["securitySchemes"].keys()
    assert "401" in document["paths"]["/{collection}"]["get"]["responses"]


def test_a_session_is_described_to_its_key_only(keyed: Keyed) -> None:
    own = {"X-Session-ID": "described"}
    key, other = keyed.key(), keyed.key(scopes=["execute"])
    keyed.ask(key, "/gadgets", "POST", headers=own, json={"a": 1})
    assert "/gadgets" in keyed.ask(key, "/openapi.json", headers=own).json()["paths"]
    for stranger in (None, other):
        assert "/gadgets" not in keyed.ask(stranger, "/openapi.json", headers=own).json()["paths"]


def test_what_is_public_can_be_closed(tmp_path: Path) -> None:
    with keyed_service(tmp_path, LARS_PUBLIC="none") as service:
        assert service.code(None, "/health") == "key_missing"
        assert service.code(None, "/openapi.json") == "key_missing"
        assert service.code(service.all, "/health") == "ok"


def test_when_the_keys_cannot_be_read_nobody_comes_in(tmp_path: Path, postgresql_server: Server) -> None:
    """A revocation could have been missed. It comes back by itself."""
    settings = {"LARS_DATABASE_URL": postgresql_server.url(postgresql_server.make_database())}
    with keyed_service(tmp_path, **settings) as service:
        assert service.code(service.all, PROBE) == "ok"
        with postgresql_server.halted():
            closed = "control_unavailable"
            wait_until(lambda: service.code(service.all, PROBE) == closed, "a closed door", 15)
            assert service.code(None, "/health") == "ok"
            assert service.code("sk_prod_x", "/health") == "ok"
        wait_until(lambda: service.code(service.all, PROBE) == "ok", "an open one", 15)
