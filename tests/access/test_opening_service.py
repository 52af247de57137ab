"""A service without a key: open to its own machine, and to no other."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.access.keyed import AT_ONCE, code_on, connections_to_fronts, lars, make_key, with_key
from tests.service_process import ROOT, Service, running_service
from tests.support import wait_until

PROGRAM = {"code": "print(6 * 7)"}
PLANS = "/_/plans"
ENOUGH = 30.0


def code_of(
    service: Service, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> str:
    """``ok``, or the error's code."""
    with service.client() as client:
        answer = client.request(method, path, headers=headers)
    return "ok" if answer.status_code < 400 else str(answer.json()["code"])


def test_it_says_loudly_that_it_is_open(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        assert "OPEN: there is no key" in (tmp_path / "service.out").read_text()
        warned = [line for line in service.log_lines() if line["event"] == "open_without_keys"]
        assert [line["level"] for line in warned] == ["warning"]
        assert service.ran("print(6 * 7)")["stdout"] == "42\n"


def test_the_first_key_closes_every_front_within_a_second(tmp_path: Path) -> None:
    with running_service(tmp_path, {"LARS_FRONTS": "2"}) as service, ExitStack() as stack:
        fronts = connections_to_fronts(service, stack)
        assert {code_on(connection, None, PLANS) for connection in fronts.values()} == {"ok"}
        key = make_key(tmp_path / "data")
        deadline = time.monotonic() + AT_ONCE
        for connection in fronts.values():
            while code_on(connection, None, PLANS) != "key_missing":
                assert time.monotonic() < deadline
        assert {code_on(connection, key, PLANS) for connection in fronts.values()} == {"ok"}


def test_a_service_with_a_key_is_not_open_when_it_starts(tmp_path: Path) -> None:
    key = make_key(tmp_path / "data")
    assert lars(tmp_path / "data", "keys", "revoke", key).returncode == 0
    with running_service(tmp_path) as service:
        assert "OPEN" not in (tmp_path / "service.out").read_text()
        assert code_of(service, "/members") == "key_missing"
        assert code_of(service, "/members", with_key(key)) == "key_revoked"


def test_variables_are_keys(tmp_path: Path) -> None:
    tokens = {"LARS_AUTH_TOKEN": "a-long-random-text", "STARGATE_API_KEY": "another-random-text"}
    with running_service(tmp_path, tokens) as service:
        for name, token in tokens.items():
            for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}):
                assert code_of(service, "/_/plans", headers) == "scope_missing"
                allowed = "ok" if name == "LARS_AUTH_TOKEN" else "scope_missing"
                assert code_of(service, "/members", headers) == allowed
        assert code_of(service, "/members") == "key_missing"
        assert code_of(service, "/members", {"X-API-Key": "a-long-random-texT"}) == "key_unknown"


def test_a_page_whose_name_resolves_to_loopback_gets_nowhere(tmp_path: Path) -> None:
    """DNS rebinding: the browser sends the attacker's name as Host."""
    with running_service(tmp_path) as service, service.client() as client:
        for host in ("attacker.example", "127.0.0.1.attacker.example:8000", "10.0.0.9"):
            for headers in ({"Host": host}, {"Host": host, "Authorization": "Bearer x"}):
                answer = client.post("/execute", json=PROGRAM, headers=headers)
                assert answer.json()["code"] == "key_missing"
        assert client.post("/execute", json=PROGRAM, headers={"Host": "localhost"}).status_code == 200
        assert "security" not in client.get("/openapi.json").json()["paths"]["/execute"]["post"]


def test_a_caller_behind_a_trusted_proxy_is_not_of_this_machine(tmp_path: Path) -> None:
    with running_service(tmp_path, {"LARS_TRUSTED_PROXIES": "127.0.0.1"}) as service:
        assert code_of(service, "/members", {"X-Session-ID": "s"}) == "ok"
        assert (
            code_of(service, "/members", {"X-Session-ID": "s", "X-Forwarded-For": "203.0.113.9"})
            == "key_missing"
        )


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_it_does_not_start_for_others_without_a_key(host: str, tmp_path: Path) -> None:
    done = lars(tmp_path, "serve", "--port", "0", "--host", host)
    assert done.returncode == 1
    assert f"LARS_HOST={host} lets other machines send programs" in done.stderr
    assert "lars keys add" in done.stderr
    assert "ready" not in done.stdout


def in_network_of_its_own(*command: str) -> list[str]:
    """Run so, it sees no network interface but a loopback of its own, which is down."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed (util-linux)")
    # An ordinary user needs a user namespace to make another; root keeps its own, of which the jail has need.
    options = ["--net"] if os.geteuid() == 0 else ["--net", "--map-current-user"]
    return [unshare, *options, *command]


def test_it_starts_for_others_with_a_key(tmp_path: Path) -> None:
    """On all interfaces of a network in which there is nobody else."""
    own = {
        "LARS_DATA_ROOT": str(tmp_path / "data"),
        "LARS_ZYGOTES": "1",
        "LARS_AUTH_TOKEN": "a-long-random-text",
    }
    command = in_network_of_its_own(
        sys.executable, "-m", "service", "serve", "--port", "0", "--host", "0.0.0.0"
    )
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **own}
    out = tmp_path / "out"
    with out.open("wb") as stdout:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=stdout, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: process.poll() is not None or b"ready at" in out.read_bytes(), "ready", ENOUGH)
            assert b"LARS is ready at http://0.0.0.0:" in out.read_bytes(), out.read_text()
            assert b"OPEN" not in out.read_bytes()
        finally:
            process.terminate()
            process.wait(ENOUGH)


def test_a_database_that_cannot_be_used_keeps_the_service_from_starting(tmp_path: Path) -> None:
    """It may hold keys: a service that does not see them must not be open."""
    (tmp_path / "control.db").write_bytes(b"no database at all, but there" * 100)
    done = lars(tmp_path, "serve", "--port", "0")
    assert done.returncode == 1
    assert "control.db" in done.stderr
    assert "Traceback" not in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"postgresql://u:hush-hush@127.0.0.1:{nobody.getsockname()[1] ^ 1}/x"
        refused = lars(tmp_path, "serve", "--port", "0", LARS_DATABASE_URL=url)
    assert refused.returncode == 1
    assert "hush-hush" not in refused.stderr + refused.stdout


def test_without_a_place_for_data_there_are_programs_and_no_keys(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the directory would be")
    with running_service(tmp_path) as service:
        assert "no keys can be made" in (tmp_path / "service.out").read_text()
        assert service.ran("print(6 * 7)")["stdout"] == "42\n"
        assert code_of(service, "/_/keys") == "key_missing"
    with running_service(tmp_path, {"LARS_AUTH_TOKEN": "a-long-random-text"}) as service:
        assert service.execute("print(1)").json()["code"] == "key_missing"
