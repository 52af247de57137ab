"""Recording calls over HTTP: which are kept, for how long, and what is told of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.functions.call_store import CallStore
from service.functions.recorded_call import RecordedCall
from service.functions.recorder import Recorder
from service.functions.sources import digest_of
from service.functions.table import FunctionTable
from service.functions.values import Function, FunctionSpec, Recording
from tests.access.keyed import with_key
from tests.functions.api import MAX_MODULE, Api, refusal, value
from tests.improvement.improving import improved
from tests.support import wait_until

TEXT = '''
import time

def f(a: int, text: str = "", slow: float = 0) -> int:
    """What is recorded."""
    time.sleep(slow)
    return 100 // a

def other() -> int:
    return 1
'''
NOTHING = {"calls": 0, "bytes": 0, "oldest": None, "newest": None, "too_long": 0}


def path_of(contract: str, name: str = "f") -> str:
    return f"/self-improve/recording/{contract}/{name}"


def record(api: Api, contract: str, name: str = "f", **members: int) -> dict[str, Any]:
    """Switch it on; what was answered."""
    found: dict[str, Any] = value(api.write("PUT", path_of(contract, name), json=members))
    return found


def recorded(api: Api, contract: str, name: str = "f") -> dict[str, Any]:
    """What is told of what is kept."""
    found: dict[str, Any] = value(api.write("GET", path_of(contract, name)))["recorded"]
    return found


def directory(api: Api, contract: str) -> Path:
    return api.keyed.data / "contracts" / contract


def kept(api: Api, contract: str, text: str = TEXT, name: str = "f") -> tuple[RecordedCall, ...]:
    """All that is kept of the version with this text."""
    return CallStore(api.keyed.data).calls(contract, name, digest_of(text.encode()))


def test_off_leaves_nothing(api: Api, contract: str) -> None:
    """On the disk, whatever is asked."""
    assert api.serve(contract, TEXT, "f")["function"]["recording"] is None
    assert value(api.get(contract, "f", a=1)) == 100
    shown = {"visible_pixel_hash": contract, "function_name": "f", "recording": None, "recorded": NOTHING}
    assert value(api.write("GET", path_of(contract))) == shown
    assert value(api.write("DELETE", path_of(contract))) == shown
    api.unload(contract, "f")
    assert not directory(api, contract).exists()


def test_what_is_kept(api: Api, contract: str) -> None:
    """Arguments as they came, with what came of them: of the current version, of calls that ran."""
    api.serve(contract, TEXT, "f")
    on = value(api.write("PUT", path_of(contract.upper())))
    assert on["recording"] == {"sample_percent": 100, "max_calls": 200}
    assert on["recorded"] == NOTHING
    began = time.time()
    assert value(api.get(contract, "f", a=4, text="\u00e9")) == 25
    assert value(api.post(contract, "f", a=3)) == 33
    assert value(api.ask("POST", f"/function/{contract}/f?text=x", content=b'{ "a":2}', headers=JSON)) == 50
    assert refusal(api.get(contract, "f", a=0)) == (500, "function_error")
    assert refusal(api.get(contract, "f", a="x")) == (422, "validation_failed")
    assert value(api.get(contract, "f", a=5, version=1)) == 20
    assert value(api.get(contract, "f", a=5, headers={"X-Function-Version": "1"})) == 20
    assert refusal(api.get(contract, "f", a=1, slow=30)) == (504, "function_timeout")
    told = recorded(api, contract)
    calls = kept(api, contract)
    assert [(call.query, call.body, call.value, call.error) for call in calls] == [
        ({"a": "4", "text": "\u00e9"}, None, b"25", None),
        (None, b'{"a":3}', b"33", None),
        ({"text": "x"}, b'{ "a":2}', b"50", None),
        ({"a": "0"}, None, None, "ZeroDivisionError"),
        ({"a": "1", "slow": "30"}, None, None, "TimeoutError"),
    ]
    assert all(began < call.time < time.time() and 0 < call.run < 20 for call in calls)
    assert calls[-1].run > 1
    assert (told["calls"], told["too_long"]) == (5, 0)
    assert 60 < told["bytes"] < 300
    assert told["oldest"] <= told["newest"]


JSON = {"Content-Type": "application/json"}


def test_a_canarys_calls_are_not_kept(api: Api, contract: str) -> None:
    """Until it is current; then those of the version before are still there."""
    api.serve(contract, TEXT, "f")
    record(api, contract)
    assert value(api.get(contract, "f", a=1)) == 100
    api.serve(contract, TEXT.replace("100", "200"), "f", canary_weight=99)
    answers = [value(api.get(contract, "f", a=1)) for _ in range(12)]
    assert 200 in answers
    changed = TEXT.replace("100", "200")
    recorded(api, contract)
    assert kept(api, contract, changed) == ()
    assert len(kept(api, contract)) == 1 + answers.count(100)
    promoted = value(api.write("POST", api.about(contract, "f", "/rollback"), json={"to": 2}))
    assert promoted["recording"] == {"sample_percent": 100, "max_calls": 200}
    api.get(contract, "f", a=1)
    assert recorded(api, contract)["calls"] == 2 + answers.count(100)
    assert [call.value for call in kept(api, contract, changed)] == [b"200"]


def test_how_much_is_kept(api: Api, contract: str) -> None:
    """The newest, and no call that is too long; fewer as soon as fewer are wanted; of each function its
    own."""
    api.serve(contract, TEXT, "f", "other")
    record(api, contract, max_calls=3)
    for a in (1, 2, 4, 5, 10):
        api.get(contract, "f", a=a)
    api.get(contract, "other")
    assert refusal(api.post(contract, "f", a=0, text="x" * MAX_MODULE)) == (500, "function_error")
    told = recorded(api, contract)
    assert (told["calls"], told["too_long"]) == (3, 1)
    assert [call.value for call in kept(api, contract)] == [b"25", b"20", b"10"]
    assert record(api, contract, max_calls=1, sample_percent=100)["recorded"]["calls"] == 1
    assert [call.value for call in kept(api, contract)] == [b"10"]
    assert recorded(api, contract, "other") == NOTHING


@pytest.mark.parametrize("percent", [1, 50, 99, 100])
def test_the_sample(tmp_path: Path, percent: int) -> None:
    """So many of a hundred, at random: beyond seven standard deviations once in 10 ** 11 runs."""
    recorder = asyncio.run(made(tmp_path))
    number = sum(recorder.wants(Recording(percent, 1)) for _ in range(10_000))
    expected, deviation = percent * 100, (percent * (100 - percent)) ** 0.5
    assert abs(number - expected) <= 7 * deviation


async def made(root: Path, *functions: Function) -> Recorder:
    """For these functions, on the loop that runs."""
    table = FunctionTable()
    table.replace(functions)
    return Recorder(root, table)


def test_every_front_keeps_its_calls(api: Api, contract: str) -> None:
    """In the same file; from the answer on that switched it on, to the one that ended it."""
    api.serve(contract, TEXT, "f")
    record(api, contract)
    fronts = api.keyed.fronts
    assert len(fronts) == 2

    def call_all() -> None:
        for connection in fronts.values():
            connection.request("GET", f"/function/{contract}/f?a=1", headers=with_key(api.keyed.all))
            assert connection.getresponse().read() == b"100"

    call_all()
    wait_until(lambda: recorded(api, contract)["calls"] == 2, "both fronts have written", 5)
    call_all()
    assert value(api.write("DELETE", path_of(contract)))["recorded"] == NOTHING
    call_all()
    # Whoever of them had noted a call before has written since, had it been to be kept.
    record(api, contract)
    call_all()
    wait_until(lambda: recorded(api, contract)["calls"] >= 2, "both fronts have written", 5)
    assert recorded(api, contract)["calls"] == 2


@pytest.mark.parametrize("path", ["/unload-function/{}/f", "/self-improve/unload/{}/f"])
def test_unloading_erases(api: Api, contract: str, path: str) -> None:
    """And ends it: what is loaded again is not recorded."""
    improved(api, contract, "f", "7777777", "agent")
    record(api, contract)
    api.get(contract, "f", a=1)
    assert recorded(api, contract)["calls"] == 1
    file = directory(api, contract) / "calls.db"
    assert b"7777777" in file.read_bytes()
    gone = value(api.write("DELETE", path.format(contract)))["function"]
    assert gone["recording"] is None
    assert b"7777777" not in file.read_bytes()
    assert refusal(api.write("GET", path_of(contract))) == (404, "not_found")
    assert refusal(api.write("PUT", path_of(contract))) == (404, "not_found")
    assert value(api.write("DELETE", path_of(contract)))["recorded"] == NOTHING
    again = improved(api, contract, "f", "7777777", "agent")
    assert again["function"]["recording"] is None
    assert recorded(api, contract) == NOTHING
    api.unload(contract, "f")  # another contract's may have its path


def test_ending_it_erases(api: Api, contract: str) -> None:
    """As often as one likes; until then they add up."""
    api.serve(contract, TEXT, "f")
    for number in (1, 2):
        record(api, contract, sample_percent=100, max_calls=9)
        api.get(contract, "f", a=1)
        assert recorded(api, contract)["calls"] == number
    shown = value(api.ask("GET", api.about(contract, "f")))
    assert shown["recording"] == {"sample_percent": 100, "max_calls": 9}
    for _ in range(2):
        ended = value(api.write("DELETE", path_of(contract)))
        assert (ended["recording"], ended["recorded"]) == (None, NOTHING)
        assert value(api.get(contract, "f", a=1)) == 100
    assert recorded(api, contract) == NOTHING


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"sample_percent": 0}, ["sample_percent"]),
        ({"sample_percent": 101, "max_calls": 1001}, ["sample_percent", "max_calls"]),
        ({"max_calls": 0}, ["max_calls"]),
        ({"max_calls": 10**30}, ["max_calls"]),
        ({"max_calls": "9", "sample_percent": 1.5}, ["sample_percent", "max_calls"]),
        ({"max_calls": True, "percent": 1}, ["percent", "max_calls"]),
    ],
)
def test_what_is_refused(api: Api, contract: str, body: dict[str, object], fields: list[str]) -> None:
    """Nothing is switched on, and nothing is made."""
    api.serve(contract, TEXT, "f")
    answer = api.write("PUT", path_of(contract), json=body)
    assert refusal(answer) == (422, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert refusal(api.write("PUT", path_of(contract, "g"), json={})) == (404, "not_found")
    assert refusal(api.write("DELETE", path_of(contract, "g"))) == (404, "not_found")
    assert value(api.ask("GET", api.about(contract, "f")))["recording"] is None
    assert not directory(api, contract).exists()


def test_a_file_that_is_another_s(api: Api, contract: str) -> None:
    """Calls are served; what is kept cannot be told; each front that could not write says so once. When it is
    gone, what was noted is kept."""
    api.serve(contract, TEXT, "f")
    record(api, contract)
    file = directory(api, contract) / "calls.db"
    file.write_bytes(b"not what was here before" * 1000)

    def lines() -> list[dict[str, Any]]:
        found = api.service.log_lines()
        return [x for x in found if x["event"] == "calls_not_recorded" and x["contract"] == contract]

    def asked() -> httpx.Response:
        assert value(api.get(contract, "f", a=1)) == 100
        return api.write("GET", path_of(contract))

    answers = [asked() for _ in range(3)]
    assert {refusal(answer) for answer in answers} == {(503, "storage_unavailable")}
    assert "calls.db" in answers[0].json()["detail"]
    assert refusal(api.write("PUT", path_of(contract), json={"max_calls": 9})) == (503, "storage_unavailable")
    assert len(lines()) == 1
    assert file.stat().st_size == 24_000
    file.unlink()
    assert recorded(api, contract)["calls"] == 3
    file.write_bytes(b"again" * 1000)
    assert api.unload(contract, "f").status_code == 200  # though nothing could be erased
    found = [x for x in api.service.log_lines() if x["event"] == "recorded_calls_not_erased"]
    assert [(x["contract"], x["function"]) for x in found] == [(contract, "f")]


async def test_calls_of_what_is_recorded_no_more(tmp_path: Path) -> None:
    """Are not written, though they were noted before."""
    spec = FunctionSpec("a" * 40, "f", "m", "/f")
    function = Function(spec, 1, "d", "{}", None, True, 0.0, 0.0, 1, "x", Recording(100, 5))
    for now in ([], [function]):
        recorder = await made(tmp_path, *now)
        recorder.note(function, RecordedCall("d", None, b"{}", b"1", None, 0.0, 1.0))
        await recorder.write()
        assert len(await recorder.calls(spec.hash, "f", "d")) == len(now)
