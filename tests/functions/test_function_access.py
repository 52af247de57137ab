"""Who may do what with functions, where calls are not public; and what is written down of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.access.keyed import Keyed, id_of, with_key
from tests.functions.api import ADD, MODULE, STARGATE, Api, hash_of, load_body, own_path, value

HASH = hash_of(__name__)
OWN = own_path(HASH, "add")
ONE = f"/_/functions/{HASH}/add"
SCOPES = ("functions:read", "functions:call", "functions:write", "rest")
# scope, method, path, options of the request
REQUESTS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("functions:read", "GET", "/list-functions", {}),
    ("functions:read", "HEAD", "/list-functions", {}),
    ("functions:read", "GET", ONE, {}),
    ("functions:read", "GET", f"{ONE}/versions", {}),
    ("functions:call", "GET", f"/function/{HASH}/add?a=1", {}),
    ("functions:call", "HEAD", f"/function/{HASH}/add?a=1", {}),
    ("functions:call", "POST", f"/agent/{HASH}/add", {"json": {"a": 1}}),
    ("functions:call", "GET", f"{OWN}?a=1", {}),
    ("functions:write", "GET", f"{ONE}/versions/1/source", {}),
    ("functions:write", "PUT", f"/uploads/{HASH}/{MODULE}.py", {"content": ADD}),
    ("functions:write", "POST", "/load-function", {"json": load_body(HASH, "add")}),
    ("functions:write", "POST", f"{ONE}/rollback", {"json": {"to": 1}}),
    ("functions:write", "DELETE", f"{ONE}/canary", {}),
    ("functions:write", "DELETE", f"/unload-function/{HASH}/other", {}),
)
IDS = [f"{method} {path.replace(HASH, 'HASH')}" for _, method, path, _ in REQUESTS]


@pytest.fixture(scope="module")
def keyed(api: Api) -> Keyed:
    """The service, with its keys and its audit log."""
    return api.keyed


@pytest.fixture(scope="module")
def keys(keyed: Keyed) -> dict[str, str]:
    """One key of each scope, by the scope; two functions are there."""
    upload(keyed, HASH, ADD)
    assert [load(keyed, HASH, name).status_code for name in ("add", "other")] == [200, 200]
    return {scope: keyed.key(scopes=[scope]) for scope in SCOPES}


def upload(keyed: Keyed, contract: str, text: str, module: str = MODULE) -> httpx.Response:
    """By the key that has every scope."""
    return keyed.ask(keyed.all, f"/uploads/{contract}/{module}.py", "PUT", content=text)


def load(keyed: Keyed, contract: str, name: str, **members: Any) -> httpx.Response:
    """By the same."""
    return keyed.ask(keyed.all, "/load-function", "POST", json=load_body(contract, name) | members)


@pytest.mark.parametrize("request_of", REQUESTS, ids=IDS)
def test_scopes(keyed: Keyed, keys: dict[str, str], request_of: tuple[str, str, str, dict[str, Any]]) -> None:
    """Each key may do what is of its scope, and nothing else; who has none, nothing at all."""
    scope, method, path, options = request_of
    with keyed.service.client() as client:
        statuses = {
            name: client.request(method, path, headers=with_key(key), **options).status_code
            for name, key in keys.items()
        }
        nobody = client.request(method, path, **options).status_code
        stranger = client.request(method, path, headers=with_key("stranger"), **options).status_code
        agent = client.request(method, path, headers={"Authorization": f"Bearer {STARGATE}"}, **options)
    assert statuses == {name: 200 if name == scope else 403 for name in SCOPES}
    assert (nobody, stranger) == (401, 401)
    # It may do what was just done: what it unloads is gone already.
    assert agent.status_code in ((200, 404) if scope == "functions:write" else (403,))


def test_a_change_counts_in_every_front(keyed: Keyed) -> None:
    """With the next request after the answer, whichever front that goes to."""
    contract = hash_of(f"{__name__} fronts")
    path = f"/function/{contract}/add?a=1"

    def answers() -> set[tuple[int, str]]:
        found = set()
        for connection in keyed.fronts.values():
            connection.request("GET", path, headers=with_key(keyed.all))
            answer = connection.getresponse()
            body = json.loads(answer.read())
            found.add((answer.status, str(body if answer.status == 200 else body["code"])))
        return found

    assert len(keyed.fronts) == 2
    for number in range(3):
        upload(keyed, contract, ADD.replace("a + b", f"a + b + {number}"))
        assert load(keyed, contract, "add").status_code == 200
        assert answers() == {(200, str(3 + number))}
        keyed.ask(keyed.all, f"/unload-function/{contract}/add", "DELETE")
        assert answers() == {(404, "not_found")}


def test_what_is_written_down(keyed: Keyed) -> None:
    """Every change and every refusal of one, by whom, and how it ended; the log verifies."""
    contract, linked = hash_of(f"{__name__} audit"), hash_of(f"{__name__} linked")
    one = f"/_/functions/{contract}/add"
    upload(keyed, contract, ADD)
    load(keyed, contract, "add")
    upload(keyed, contract, "import os\n")
    load(keyed, contract, "add")
    load(keyed, contract, "add", module_name="nothing")
    upload(keyed, contract, ADD + "x = 1\n")
    load(keyed, contract, "add")
    load(keyed, contract, "other", endpoint_path=own_path(contract, "add"))
    keyed.ask(keyed.all, f"{one}/rollback", "POST")
    keyed.ask(keyed.all, f"{one}/canary", "PUT", json={"version": 2, "weight": 5})
    keyed.ask(keyed.all, f"{one}/canary", "DELETE")
    keyed.ask(keyed.all, f"/unload-function/{contract}/add", "DELETE")
    link_to(keyed.data / "uploads" / "results" / linked, keyed.data)
    assert upload(keyed, linked, ADD).json()["code"] == "upload_refused"
    reader = keyed.key(scopes=["functions:read"])
    keyed.ask(reader, f"/unload-function/{contract}/add", "DELETE")

    entries = keyed.audit()
    of_this = [entry for entry in entries if entry["target"].startswith((contract, linked))]
    assert [(entry["action"].removeprefix("function."), entry["outcome"]) for entry in of_this] == [
        ("upload", "ok"),
        ("load", "ok"),
        ("upload", "ok"),
        ("load", "policy_refused"),
        ("load", "not_found"),
        ("upload", "ok"),
        ("load", "ok"),
        ("load", "conflict"),
        ("rollback", "ok"),
        ("canary", "ok"),
        ("canary", "ok"),
        ("unload", "ok"),
        ("upload", "upload_refused"),
    ]
    assert {entry["principal"] for entry in of_this} == {f"key:{id_of(keyed.all)}"}
    assert {entry["source"] for entry in of_this} == {"127.0.0.1"}
    assert of_this[6]["detail"]["version"] == 2
    denied = [entry for entry in entries if entry["principal"] == f"key:{id_of(reader)}"]
    assert [(entry["action"], entry["outcome"]) for entry in denied] == [("access.denied", "scope_missing")]


def link_to(link: Path, target: Path) -> None:
    """A symbolic link where a contract's directory belongs."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)


def test_links_are_not_followed(keyed: Keyed) -> None:
    """A module that leads elsewhere is refused, and what it leads to is not told; a copy of it is loaded."""
    contract = hash_of(f"{__name__} links")
    directory = keyed.data / "uploads" / "results" / contract
    upload(keyed, contract, ADD, "real")
    secret = keyed.data / "secret.py"
    secret.write_text(ADD)
    link_to(directory / "soft.py", secret)
    (directory / "hard.py").hardlink_to(secret)
    for module in ("soft", "hard"):
        answer = load(keyed, contract, "add", module_name=module)
        assert (answer.status_code, answer.json()["code"]) == (403, "upload_refused")
    assert load(keyed, contract, "add", module_name="real").status_code == 200
    assert value(keyed.ask(keyed.all, f"/function/{contract}/add?a=1")) == 3
