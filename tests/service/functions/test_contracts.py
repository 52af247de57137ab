# ruff: noqa: E501 - a program of one line stays one line
"""The contracts of one front: whose worker is whose, whose turn it is, and what ends it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.domain import Contract
from sandbox_runtime.function import Fault
from service.errors import QueueTimeout
from service.functions.contracts import INSPECTIONS
from service.functions.home import open_home
from tests.isolation.contract_worker import ContractRoom, Said, contract_of, contract_room, module_of
from tests.support import wait_until

COUNT = "n = 0\ndef f(by: int = 1):\n    global n\n    n += by\n    return n"
PLUS = "def f(x: int) -> int: return x + 1"
SLEEP = "import time\ndef f(s: float):\n    time.sleep(s)\n    return 1"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractRoom]:
    with contract_room(tmp_path_factory.mktemp("contracts")) as room:
        yield room


@pytest.fixture
def small(tmp_path: Path) -> Iterator[ContractRoom]:
    """Two workers, and two places in the line."""
    with contract_room(tmp_path, workers=2, queue=2) as room:
        yield room


def test_a_module_keeps_its_globals(room: ContractRoom) -> None:
    assert [room.call("warm", COUNT).value for _ in range(3)] == [1, 2, 3]
    assert room.call("cold", COUNT).value == 1


def test_modules_of_one_contract_share_a_worker_and_no_names(room: ContractRoom) -> None:
    other = COUNT.replace("n += by", "n -= by")
    assert [room.call("two", text).value for text in (COUNT, other, COUNT, other)] == [1, -1, 2, -2]


def test_arguments_come_from_body_and_query(room: ContractRoom) -> None:
    assert room.call("args", PLUS, arguments={"x": 1}) == Said(2)
    assert room.call("args", PLUS, arguments=b'{"x": 1208925819614629174706175}').value == 2**80
    assert room.call("args", PLUS, query={"x": "1"}) == Said(2)
    wrong = room.call("args", PLUS, query={"x": "1.5"})
    assert (wrong.end, [each.got for each in wrong.wrong]) == ("caller_error", ["'1.5'"])


def test_no_argument_ends_the_worker(room: ContractRoom) -> None:
    """What a caller sends costs the contract nothing that its modules keep."""
    text = COUNT + "\ndef g(x: int | list[int], *a: int, **k: dict[str, int]): return 1"
    assert room.call("steady", text).value == 1
    for sent in (
        b'{"\\ud800": 1}',
        b'{"x": "\\ud800"}',
        b"[" * 200_000,
        b'{"x": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"x": NaN}',
        b'{"x": [' + b'"x",' * 100_000 + b"1]}",
        b"\xff",
        b"",
        b'{"' + b"n" * 1_000_000 + b'": 1}',
        b'{"x": 1, "a": ["' + b"n" * 1_000_000 + b'"], "k": {"k": 1}}',
    ):
        assert room.call("steady", text, "g", arguments=sent).end == "caller_error"
    assert room.call("steady", text).value == 2


def test_a_deadline_ends_the_call_and_what_its_module_kept(room: ContractRoom) -> None:
    loop = COUNT + "\ndef g():\n    while True: pass"
    assert room.call("late", loop).value == 1
    assert room.call("late", loop, "g", seconds=0.2) == Said(error="FunctionTimeout", end="")
    assert room.call("late", loop).value == 1


def test_calls_of_one_contract_take_turns(room: ContractRoom) -> None:
    together = [room.start("turns", COUNT) for _ in range(8)]
    assert sorted(each.result(10).value for each in together) == list(range(1, 9))


def test_a_line_that_is_full_refuses(small: ContractRoom) -> None:
    small.call("full", SLEEP, arguments={"s": 0})
    first = small.start("full", SLEEP, arguments={"s": 0.5})
    others = [small.start("full", SLEEP, arguments={"s": 0}) for _ in range(3)]
    assert sorted(each.result(10).error for each in others) == ["", "", "Overloaded"]
    assert first.result(10) == Said(1)


def test_a_turn_that_does_not_come_in_time(small: ContractRoom) -> None:
    small.call("line", SLEEP, arguments={"s": 0})
    first = small.start("line", SLEEP, arguments={"s": 0.5})
    assert small.call("line", SLEEP, arguments={"s": 0}, seconds=0.1).error == "QueueTimeout"
    assert first.result(10) == Said(1)


def test_the_contract_that_has_rested_longest_gives_its_worker_up(small: ContractRoom) -> None:
    for name in ("a", "b", "a", "c"):
        small.call(name, COUNT)
    assert small.on_loop(small.contracts.bound) == [contract_of("a"), contract_of("c")]
    assert [small.call(name, COUNT).value for name in ("a", "b")] == [3, 1]


def test_a_worker_that_rests_is_let_go(tmp_path: Path) -> None:
    with contract_room(tmp_path, rest=0.2) as room:
        room.call("rest", COUNT)
        wait_until(lambda: room.on_loop(room.contracts.bound) == [], "its worker is let go")
        assert room.call("rest", COUNT).value == 1


def test_workers_of_a_worn_zygote_are_let_go(room: ContractRoom) -> None:
    room.call("worn", COUNT)
    busy = room.start("busy", SLEEP, arguments={"s": 0.3})
    wait_until(lambda: contract_of("busy") in room.on_loop(room.contracts.bound), "it is bound")
    room.on_loop(lambda: room.contracts.release(contract_of("worn")))
    room.on_loop(lambda: room.contracts.release(contract_of("busy")))
    assert contract_of("worn") not in room.on_loop(room.contracts.bound)
    assert busy.result(10) == Said(1)
    assert contract_of("busy") not in room.on_loop(room.contracts.bound)


def test_several_workers_of_one_contract_run_beside_each_other(tmp_path: Path) -> None:
    with contract_room(tmp_path, each=3) as room:
        together = [room.start("wide", SLEEP, arguments={"s": 40}, seconds=40.0) for _ in range(3)]
        wait_until(lambda: len(room.on_loop(room.contracts.bound)) == 3, "each has a worker")
        assert not any(each.done() for each in together)
        room.on_loop(room.contracts.cut_off)
        assert [each.result(10).error for each in together] == ["WorkerLost"] * 3


def test_cpu_time_is_charged(room: ContractRoom) -> None:
    burn = "import time\ndef f():\n    end = time.process_time() + 0.2\n    while time.process_time() < end: pass"
    before = room.spent.cpu
    room.call("burn", burn)
    assert 0.2 <= room.spent.cpu - before < 1.0
    before = room.spent.cpu
    room.call("burn", burn.replace("0.2", "9"), seconds=0.2)
    assert 0 < room.spent.cpu - before < 1.0


def test_inspections_keep_no_contract_from_its_worker(tmp_path: Path) -> None:
    """However many modules do not end. Who must wait for his turn has all of his time, or is told."""
    endless, short = module_of("while True: pass"), module_of("def f(): ...")
    with contract_room(tmp_path, workers=2) as room:
        together = [room.start_inspection(endless, "f", 1.0) for _ in range(12)]
        assert [room.call(name, "def f(): return 1") for name in ("one", "two", "three")] == [Said(1)] * 3
        assert not any(each.done() for each in together)
        assert room.start_inspection(short, "f", 10.0).result(20).signature is not None
        ends = [each.exception(20) or each.result().error for each in together]
    late = [end for end in ends if isinstance(end, QueueTimeout)]
    assert len(late) >= len(together) - 2 * INSPECTIONS
    assert {end.type for end in ends if isinstance(end, Fault)} == {"TimeoutError"}
    assert len(late) + sum(isinstance(end, Fault) for end in ends) == len(together)


def test_an_inspection_has_a_worker_of_its_own(room: ContractRoom) -> None:
    text = "import sys\nassert not hasattr(sys, 'mark')\nsys.mark = 1\ndef f(x: int) -> str:\n    'Doc.'"
    for _ in range(2):
        found = room.inspect(text)
        assert found.signature is not None
        assert (found.signature.doc, found.signature.returns) == ("Doc.", {"type": "string"})
    assert room.inspect(text, "g").names == ("f",)
    assert contract_of("inspected") not in room.on_loop(room.contracts.bound)


def test_what_the_policy_refuses_is_told_with_its_place(room: ContractRoom) -> None:
    found = room.inspect("x = 1\nimport os\ndef f(): ...", policy="restricted")
    assert found.refusal is not None
    assert (found.refusal.rule, found.refusal.line, found.refusal.column) == ("import", 2, 8)
    said = room.call("refused", "import os\ndef f(): ...", policy="restricted")
    assert (said.end, said.fault and said.fault.type) == ("function_error", "PolicyError")


def test_a_restricted_module_has_no_other_builtins(room: ContractRoom) -> None:
    text = "def f(x: int) -> int:\n    return sum(range(x))"
    assert room.call("restricted", text, arguments={"x": 4}, policy="restricted") == Said(6)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def f(:", Fault("SyntaxError", "invalid syntax", 1)),
        ("x = 1\n1 / 0", Fault("ZeroDivisionError", "division by zero", 2)),
        ("import no_such_module", Fault("ModuleNotFoundError", "No module named 'no_such_module'", 1)),
        ("while True: pass", Fault("TimeoutError", "importing the module did not end in time")),
        ("import os\nos._exit(0)", Fault("ProcessEnded", "importing the module ended its process")),
        ("raise SystemExit(3)", Fault("SystemExit", "3", 1)),
        ("return", Fault("SyntaxError", "'return' outside function", 1)),
    ],
)
def test_a_module_that_cannot_be_imported(text: str, fault: Fault, room: ContractRoom) -> None:
    assert room.inspect(text, seconds=0.5 if text.startswith("while") else 10.0).error == fault


def test_a_text_that_is_not_of_its_digest_never_runs(room: ContractRoom) -> None:
    forged = replace(module_of(PLUS), text=COUNT)
    assert room.inspect_module(forged, "f", 5.0).error == Fault(
        "DigestMismatch", "the text is not that of the digest"
    )


def test_a_contract_without_uploads_has_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "uploads" / "results").mkdir(parents=True)
    (tmp_path / "uploads" / "results" / "aa").symlink_to("/")
    for digest in ("aa", "bb"):
        opened = open_home(tmp_path / "uploads", tmp_path / "spare", Contract(digest))
        try:
            assert os.listdir(opened) == []
        finally:
            os.close(opened)
    (tmp_path / "uploads" / "results" / "cc").mkdir()
    (tmp_path / "uploads" / "results" / "cc" / "own").touch()
    opened = open_home(tmp_path / "uploads", tmp_path / "spare", Contract("cc"))
    try:
        assert os.listdir(opened) == ["own"]
    finally:
        os.close(opened)
