"""A key is good on every front with the first request that brings it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.access import key_text
from service.access.principal import Actor, KeySpec
from service.access.scopes import Scope
from service.control.control import open_control
from service.settings import Settings
from tests.access.keyed import PROBE, Keyed, code_on, connections_to_fronts, id_of, lars, make_key
from tests.service_process import running_service

KNOWN = "scope_missing"  # what the probe answers to a key that is not an operator's
TIMES = 3  # a front that does not wait may have looked by chance


def with_another_secret(key: str) -> str:
    """A key of the same id that nobody has made."""
    body = "_".join([*key.split("_")[:3], "A" * 32])
    return f"{body}_{key_text.checksum(body)}"


def rotated(keyed: Keyed, key: str, **fields: object) -> str:
    """The new text of the key."""
    answer = keyed.ask(keyed.all, f"/_/keys/{id_of(key)}/rotate", "POST", json=fields)
    assert answer.status_code == 200
    return str(answer.json()["key"])


def test_a_key_that_was_made_over_http(keyed: Keyed) -> None:
    for _ in range(TIMES):
        assert keyed.codes(keyed.key()) == {KNOWN}


def test_a_key_of_the_command_line(keyed: Keyed) -> None:
    assert keyed.codes(make_key(keyed.data)) == {KNOWN}


@pytest.mark.parametrize("overlap", ["0", "1m"])
def test_a_secret_that_was_rotated(overlap: str, keyed: Keyed) -> None:
    key = keyed.key()
    for _ in range(TIMES):
        key = rotated(keyed, key, overlap=overlap)
        assert keyed.codes(key) == {KNOWN}
    by_hand = lars(keyed.data, "keys", "rotate", id_of(key), "--overlap", overlap).stdout.strip()
    assert keyed.codes(by_hand) == {KNOWN}


def test_a_key_that_nobody_made(keyed: Keyed) -> None:
    """Nor does another secret make one of an id that there is."""
    for key in (key_text.make_key("prod").text, with_another_secret(keyed.all)):
        assert keyed.codes(key) == {"key_unknown"}
        assert keyed.ask(key, "/_/plans").status_code == 401


def make_operators_key(data: Path) -> str:
    """A key with every scope, which is just made when this returns."""

    async def make() -> str:
        async with open_control(Settings.from_env({"LARS_DATA_ROOT": str(data)})) as control:
            spec = KeySpec("an operator", "prod", frozenset(Scope))
            _, new = await control.keys.add(spec, Actor("test", "here"))
            return new.text

    return asyncio.run(make())


def test_the_first_key_of_an_open_service(tmp_path: Path) -> None:
    """For what has been open, and for what always needs a key."""
    with running_service(tmp_path, {"LARS_FRONTS": "2"}) as service, ExitStack() as stack:
        fronts = connections_to_fronts(service, stack).values()
        key = make_operators_key(tmp_path / "data")
        with ThreadPoolExecutor() as pool:
            assert [*pool.map(code_on, fronts, (key, key), ("/_/plans", PROBE))] == ["ok", "ok"]
