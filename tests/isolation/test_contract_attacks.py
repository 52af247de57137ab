# ruff: noqa: E501 - a program of one line stays one line
"""What unjudged code in one contract's worker can do: to the host, to other contracts, to its front."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.isolation.attack import PRELUDE
from tests.isolation.contract_attacks import ATTACKS
from tests.isolation.contract_worker import ContractRoom, Said, contract_room
from tests.isolation.host import with_numbers
from tests.isolation.session_attacks import SessionAttack
from tests.support import wait_until

_CONTROLLED = [attack for attack in ATTACKS if not attack.no_control]
_SENDER = """
import json, struct, time
def frame(kind, payload):
    os.write(3, struct.pack("<IB", len(payload), kind) + payload)
def outcome(**said):
    whole = {"end": "ok", "error": None, "wrong": [], "run": 0.0, "last": False}
    frame(21, json.dumps(whole | said).encode())
fault = {"type": "E", "message": "", "line": None, "parameter": None}
wrong = {"parameter": "x", "message": "", "expected": "", "got": None}
"""
LOST = "FunctionFailed"
# What a worker sends in place of its answer -> what its caller gets.
LIES: tuple[tuple[str, str, Said], ...] = (
    ("its-own-value", "frame(18, b'77'); outcome()", Said(77)),
    ("its-own-fault", "outcome(end='function_error', error=fault)", Said(end="function_error")),
    ("ok-without-a-value", "outcome()", Said(error=LOST, end="")),
    ("a-fault-with-a-value", "frame(18, b'1'); outcome(end='function_error', error=fault)", Said(error=LOST, end="")),
    ("no-end", "outcome(end='well')", Said(error=LOST, end="")),
    ("an-end-that-is-no-text", "outcome(end=[1])", Said(error=LOST, end="")),
    ("a-fault-without-one", "outcome(end='function_error')", Said(error=LOST, end="")),
    ("ok-with-a-fault", "frame(18, b'1'); outcome(error=fault)", Said(error=LOST, end="")),
    ("a-fault-of-no-form", "outcome(end='function_error', error={'type': 1})", Said(error=LOST, end="")),
    ("wrong-arguments-of-no-form", "outcome(end='caller_error', wrong=[1])", Said(error=LOST, end="")),
    ("too-many-wrong-arguments", "outcome(end='caller_error', wrong=[wrong] * 51)", Said(error=LOST, end="")),
    ("negative-run", "frame(18, b'1'); outcome(run=-1)", Said(error=LOST, end="")),
    ("another-member", "frame(18, b'1'); outcome(more=1)", Said(error=LOST, end="")),
    ("a-list", "frame(21, b'[]')", Said(error=LOST, end="")),
    ("an-inspection", "frame(20, json.dumps({'signature': None, 'refusal': None, 'error': fault, 'names': []}).encode())", Said(error=LOST, end="")),
    ("a-signature-too-deep", "frame(20, b'{\"signature\":{\"parameters\":[],\"doc\":\"\",\"line\":1,\"is_async\":false,\"returns\":{\"a\":' + b'[' * 900 + b']' * 900 + b'}},\"refusal\":null,\"error\":null,\"names\":[]}')", Said(error=LOST, end="")),
    ("a-session's-reply", "frame(19, b'{}')", Said(error=LOST, end="")),
    ("the-front's-own-kind", "frame(8, b'{}')", Said(error=LOST, end="")),
    ("an-unknown-kind", "frame(77, b'')", Said(error=LOST, end="")),
    ("two-values", "frame(18, b'1'); frame(18, b'2')", Said(error=LOST, end="")),
    ("no-json", "frame(18, b'no'); outcome()", Said(error=LOST, end="")),
    ("a-value-above-the-limit", "frame(18, b'\"' + b'x' * (1 << 20) + b'\"'); outcome()", Said(error=LOST, end="")),
    ("an-envelope-above-its-limit", "frame(21, b' ' * (256 * 1024 + 1))", Said(error=LOST, end="")),
    ("half-a-frame", "os.write(3, struct.pack('<IB', 100, 21) + b'{'); os._exit(0)", Said(error=LOST, end="")),
    ("an-exit", "os._exit(0)", Said(error=LOST, end="")),
    ("a-crash", "import ctypes; ctypes.string_at(0)", Said(error=LOST, end="")),
    ("silence", "os.close(3); time.sleep(30)", Said(error="FunctionTimeout", end="")),
)  # fmt: skip


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractRoom]:
    root = tmp_path_factory.mktemp("contracts")
    root.chmod(0o755)
    with contract_room(root) as room:
        yield room


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("a secret")
    path.chmod(0o644)
    return path


def program_of(attack: SessionAttack, room: ContractRoom, secret: Path) -> str:
    (room.home("other") / "data.db").touch()
    return attack.program.replace("@SECRET@", str(secret)).replace("@OTHER@", str(room.home("other")))


def furnished(directory: Path) -> Path:
    """Anybody may do anything in it, as far as its modes say."""
    (directory / "own").write_text("kept")
    (directory / "own").chmod(0o666)
    directory.chmod(0o777)
    return directory


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_fails_in_a_contract(attack: SessionAttack, room: ContractRoom, secret: Path) -> None:
    home = furnished(room.home(attack.name))
    assert room.attack(attack.name, program_of(attack, room, secret)) == Said(attack.said)
    assert [(path.name, path.read_text()) for path in home.iterdir()] == [("own", "kept")]


@pytest.mark.parametrize("attack", _CONTROLLED, ids=lambda attack: attack.name)
def test_control_attack_works_outside(
    attack: SessionAttack, room: ContractRoom, secret: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    assert _outside(program_of(attack, room, secret), furnished(outside)) == attack.control != attack.said


def _outside(program: str, directory: Path) -> Any:
    keep = "\nimport json; json.dump(said, open('said', 'w'))"
    opened = os.open(directory, os.O_RDONLY)
    try:
        with (directory / "out").open("wb") as out, (directory / "err").open("wb") as err:
            text = with_numbers(PRELUDE + program) + keep
            subprocess.run(
                [sys.executable, "-c", text],
                cwd=directory,
                stdout=out,
                stderr=err,
                pass_fds=[opened],
                check=True,
                timeout=20,
            )
    finally:
        os.close(opened)
    return json.loads((directory / "said").read_text())


@pytest.mark.parametrize(("name", "program", "said"), LIES, ids=[lie[0] for lie in LIES])
def test_a_lie_harms_only_its_own_call(name: str, program: str, said: Said, room: ContractRoom) -> None:
    """The contract goes on with another worker, and the neighbour's never noticed."""
    counting = "n = 0\ndef f():\n    global n\n    n += 1\n    return n"
    before = room.call("neighbour", counting).value
    found = room.attack(name, _SENDER + program + "\ntime.sleep(30)", seconds=1.0)
    assert (found.value, found.end, found.error) == (said.value, said.end, said.error)
    wait_until(lambda: room.call(name, "def f(): return 1", seconds=0.5) == Said(1), "an honest answer", 10)
    assert room.call("neighbour", counting) == Said(before + 1)


def test_what_a_worker_says_unasked_is_its_end(room: ContractRoom) -> None:
    later = _SENDER + (
        "import signal\n"
        "signal.signal(signal.SIGALRM, lambda *_: outcome())\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\n"
        "said = os.getpid()"
    )
    first = room.attack("unasked", later).value
    wait_until(
        lambda: room.attack("unasked", "said = os.getpid()").value not in {first, None}, "another worker"
    )


def test_nothing_of_one_contract_is_in_anothers_worker(room: ContractRoom) -> None:
    mark = "import sys\ndef f():\n    found, sys.mark = getattr(sys, 'mark', None), 1\n    return found"
    assert [room.call(name, mark).value for name in ("one", "two", "one")] == [None, None, 1]
