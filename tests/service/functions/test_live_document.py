"""The document as a front keeps it: always of now, made once for all who ask, without holding up others."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from service.functions.table import FunctionTable
from service.functions.values import Function
from service.system import live_document
from service.system.live_document import LiveDocument, Rendered
from tests.service.functions.described import HASH, Json, check_valid, frame, function, table_of, text_of

MANY = 3000
HELD_UP = 0.1  # s. Alone on a machine it is 0.01; an unsliced run of MANY is 0.3


def many(count: int) -> list[Function]:
    """Functions that differ in name and path."""
    one = function('def f(n: int, names: list[str] = ["a"]) -> int:\n    """Say so."""')
    found = []
    for number in range(count):
        spec = replace(one.spec, name=f"f{number}", path=f"/own/{number}")
        found.append(replace(one, spec=spec))
    return found


def document(rendered: Rendered) -> Json:
    return check_valid(text_of(rendered))


async def test_it_follows_the_table() -> None:
    """A load, a change of version, another path, an unload; the tag is another each time, and is the same
    for the same."""
    live, table = LiveDocument(), FunctionTable()
    first = function("def f(n: int): ...")
    seen = [await live.rendered(table, frame())]
    table.update([first])
    seen.append(await live.rendered(table, frame()))
    assert await live.rendered(table, frame()) is seen[-1]
    other = function("def f(m: str): ...")
    table.update([replace(other, revision=2)])
    seen.append(await live.rendered(table, frame()))
    moved = replace(other, revision=3, spec=replace(other.spec, path="/moved", method="POST"))
    table.update([moved])
    seen.append(await live.rendered(table, frame()))
    table.update([replace(moved, revision=4, loaded=False)])
    seen.append(await live.rendered(table, frame()))
    own = [
        {path: item for path, item in document(each)["paths"].items() if path.startswith(("/own", "/moved"))}
        for each in seen
    ]
    assert own[1]["/own/f"]["get"]["parameters"][0]["name"] == "n"
    assert own[2]["/own/f"]["get"]["parameters"][0]["name"] == "m"
    assert set(own[3]) == {"/moved"}
    assert set(own[3]["/moved"]) == {"post"}
    assert own[0] == own[4] == {}
    tags = [each.tag for each in seen]
    assert tags[0] == tags[4]
    assert len(set(tags)) == 4
    assert (await LiveDocument().rendered(table_of([first]), frame())).tag == tags[1]


async def test_what_a_call_needs_is_another_document() -> None:
    """A key may come to be while the service runs."""
    live, table = LiveDocument(), table_of(many(3))
    unkeyed = await live.rendered(table, frame())
    security = [{"ApiKey": ["functions:call"]}]
    keyed = await live.rendered(table, replace(frame(security), key="keyed"))
    assert document(keyed)["paths"]["/own/1"]["get"]["security"] == security
    assert "security" not in document(unkeyed)["paths"]["/own/1"]["get"]
    assert keyed.tag != unkeyed.tag


async def test_only_what_has_changed_is_described_anew() -> None:
    live, functions = LiveDocument(), many(200)
    table = table_of(functions)
    await live.rendered(table, frame())
    before = dict(live._kept)
    table.update([replace(functions[7], digest="1" * 64, revision=2)])
    await live.rendered(table, frame())
    assert len(live._kept) == len(before) == 200
    assert sum(live._kept.get(key) is not described for key, described in before.items()) == 1


async def test_the_loop_runs_on_and_all_get_the_same() -> None:
    """Several who ask at once have it made once; meanwhile the loop turns."""
    live, table = LiveDocument(), table_of(many(MANY))
    asking = [asyncio.create_task(live.rendered(table, frame())) for _ in range(5)]
    longest, turns = 0.0, 0
    while not all(task.done() for task in asking):
        began = time.perf_counter()
        await asyncio.sleep(0)
        longest, turns = max(longest, time.perf_counter() - began), turns + 1
    found = [task.result() for task in asking]
    assert all(each is found[0] for each in found)
    assert turns > 20
    assert longest < HELD_UP
    assert len(found[0].chunks) > 4
    paths = document(found[0])["paths"]
    assert sum(path.startswith("/own/") for path in paths) == MANY


async def test_who_asks_after_a_change_sees_it() -> None:
    """Although another document was being made when the change came."""
    live, functions = LiveDocument(), many(400)
    table = table_of(functions[1:])
    early = asyncio.create_task(live.rendered(table, frame()))
    await asyncio.sleep(0)
    table.update([functions[0]])
    late = await live.rendered(table, frame())
    assert (await early).size != late.size
    assert "/own/0" in document(late)["paths"]


async def test_paths_of_the_service_are_its_own() -> None:
    """A function that was loaded before the service had that path."""
    taken = function("def f(): ...", path="/execute")
    found = document(await LiveDocument().rendered(table_of([taken, *many(2)]), frame()))
    assert set(found["paths"]["/execute"]) == {"post"}
    assert found["x-left-out"] == {"functions": 1}


async def test_room_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all fit, long descriptions are cut before a function is left out, and that is counted."""
    verbose = [
        replace(
            function(f'def f(n: int):\n    """Say.\n\n    {"much " * 700}"""', path=f"/loud/{number}"),
            spec=replace(each.spec, path=f"/loud/{number}", name=f"a{number}"),
        )
        for number, each in enumerate(many(20))
    ]
    quiet = many(20)
    monkeypatch.setattr(live_document, "MAX_BYTES", 60_000)
    found = document(await LiveDocument().rendered(table_of([*verbose, *quiet]), frame()))
    assert found["x-left-out"] == {"functions": 0}
    assert all("x-cut" in found["paths"][f"/loud/{number}"]["get"] for number in range(20))
    assert all("x-cut" not in found["paths"][f"/own/{number}"]["get"] for number in range(20))
    monkeypatch.setattr(live_document, "MAX_BYTES", 6_000)
    found = document(await LiveDocument().rendered(table_of([*verbose, *quiet]), frame()))
    own = sum(path.startswith(("/own/", "/loud/")) for path in found["paths"])
    assert found["x-left-out"] == {"functions": 40 - own}
    assert 0 < own < 20
    assert f"a0_{HASH}" == found["paths"]["/loud/0"]["get"]["operationId"]
