"""Who may do what with improvements, in which front it counts, and what is written down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.access.keyed import id_of, with_key
from tests.functions.api import MODULE, Api, hash_of, own_path
from tests.improvement.improving import body_of, improved, text_of

HASH = hash_of(__name__)
PATH = "/improved/scan/keyed"
REQUESTS: tuple[tuple[str, str, str, Any], ...] = (
    ("functions:read", "GET", "/self-improve/status", None),
    ("functions:call", "GET", f"{PATH}?a=1", None),
    ("functions:call", "POST", PATH, {"a": 1}),
    ("functions:write", "POST", "/self-improve/load", body_of(HASH, "keyed")),
    ("functions:write", "POST", f"/self-improve/rollback/{HASH}/keyed", {"version": 1}),
    ("functions:write", "PUT", f"/self-improve/recording/{HASH}/keyed", {}),
    ("functions:write", "GET", f"/self-improve/recording/{HASH}/keyed", None),
    ("functions:write", "DELETE", f"/self-improve/recording/{HASH}/keyed", None),
    ("functions:write", "DELETE", f"/self-improve/unload/{HASH}/keyed", None),
)
SCOPES = ("functions:read", "functions:call", "functions:write")


@pytest.fixture(scope="module")
def keys(api: Api) -> dict[str, str]:
    """One key of each scope, by the scope; the improvement is there."""
    improved(api, HASH, "keyed")
    return {scope: api.keyed.key(scopes=[scope]) for scope in SCOPES}


@pytest.mark.parametrize("request_of", REQUESTS, ids=[f"{each[1]} {each[2][:20]}" for each in REQUESTS])
def test_scopes(api: Api, keys: dict[str, str], request_of: tuple[str, str, str, Any]) -> None:
    """Each key may do what is of its scope, and nothing else; who has none, nothing at all."""
    scope, method, path, body = request_of
    statuses = {
        name: api.client.request(method, path, headers=with_key(key), json=body).status_code
        for name, key in keys.items()
    }
    assert statuses == {name: 200 if name == scope else 403 for name in SCOPES}
    assert api.client.request(method, path, json=body).status_code == 401


def test_a_change_counts_in_every_front(api: Api) -> None:
    """With the next request after the answer, whichever front that goes to."""
    contract = hash_of(f"{__name__} fronts")
    fronts = api.keyed.fronts
    assert len(fronts) == 2

    def answers() -> set[tuple[int, Any]]:
        found = set()
        for connection in fronts.values():
            connection.request("GET", "/improved/api/everywhere?a=1", headers=with_key(api.keyed.all))
            answer = connection.getresponse()
            body = json.loads(answer.read())
            found.add((answer.status, body if answer.status == 200 else body["code"]))
        return found

    improved(api, contract, "everywhere", kind="api")
    assert answers() == {(200, 2)}
    improved(api, contract, "everywhere", "a + 7", "api")
    assert answers() == {(200, 8)}
    api.write("POST", f"/self-improve/rollback/{contract}/everywhere")
    assert answers() == {(200, 2)}
    api.write("DELETE", f"/self-improve/unload/{contract}/everywhere")
    assert answers() == {(404, "not_found")}


def test_what_is_written_down(api: Api) -> None:
    """Every change and every refusal of one, by whom, and how it ended; the log verifies."""
    contract = hash_of(f"{__name__} audit")
    ask = api.keyed.ask
    writer = api.keyed.key(scopes=["functions:write"])

    def load(kind: str) -> None:
        ask(writer, "/self-improve/load", "POST", json=body_of(contract, "noted", kind))

    for text in ("import os\n", text_of("noted"), text_of("noted", "a - 1")):
        ask(api.keyed.all, f"/uploads/{contract}/{MODULE}.py", "PUT", content=text)
        load("agent")
    ask(writer, f"/self-improve/rollback/{contract}/noted", "POST")
    own = body_of(contract, "noted") | {"endpoint_path": own_path(contract, "noted")}
    ask(
        writer, "/load-function", "POST", json={name: own[name] for name in own if name != "improvement_type"}
    )
    ask(writer, f"/self-improve/rollback/{contract}/noted", "POST")
    ask(writer, f"/self-improve/unload/{contract}/noted", "DELETE")
    load("scan")
    ask(writer, f"/self-improve/unload/{contract}/noted", "DELETE")

    of_this = [entry for entry in api.keyed.audit() if entry["principal"] == f"key:{id_of(writer)}"]
    assert {entry["target"] for entry in of_this} == {f"{contract}/noted"}
    assert [
        (entry["action"].removeprefix("function."), entry["outcome"], entry["detail"].get("improvement"))
        for entry in of_this
    ] == [
        ("load", "policy_refused", "agent"),
        ("load", "ok", "agent"),
        ("load", "ok", "agent"),
        ("rollback", "ok", None),
        ("load", "ok", None),
        ("rollback", "not_found", None),
        ("unload", "not_found", None),
        ("load", "ok", "scan"),
        ("unload", "ok", None),
    ]
    assert of_this[2]["detail"]["path"] == "/improved/agent/noted"
