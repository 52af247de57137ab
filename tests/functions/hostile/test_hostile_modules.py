"""Hostile modules the whole way: put, loaded and called over HTTP. Each ends exactly as its table says, and
whoever else is served by the same front is served as before."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from tests.functions.hostile import calls, modules
from tests.functions.hostile.calls import Called
from tests.functions.hostile.modules import SERVED, Brought
from tests.functions.hostile.served import MODULE, Served, hash_of, refusal, said
from tests.sandbox_runtime.policy.policy_cases import unmark
from tests.sandbox_runtime.policy.test_function_escapes import ATTACKS
from tests.supervisor.processes import children, process

EVERY = int(os.environ.get("LARS_EVERY_ESCAPE", "3"))  # of the escapes; the judge's own tests have all
COUNTING = "n = 0\ndef f():\n    global n\n    n += 1\n    return n"
T = TypeVar("T")


@pytest.fixture(autouse=True)
def neighbour(service: Served, request: pytest.FixtureRequest) -> Iterator[None]:
    """Another contract, whose worker nothing ends meanwhile, and a service of the same processes."""
    name = request.node.name
    assert service.bring(name, COUNTING).status_code == 200
    before = _serving(service)
    assert said(service.call(name)) == 1
    yield
    assert said(service.call(name)) == 2
    assert _serving(service) == before


def _serving(service: Served) -> set[int]:
    """The supervisor's own children: fronts and zygotes."""
    return {child.pid for child in children(process(service.keyed.service.pid))}


def names_of(rows: Iterable[Brought] | Iterable[Called]) -> list[str]:
    """To tell them apart where a test fails."""
    return [row.name for row in rows]


def together(rows: Iterable[T], work: Callable[[T], Any]) -> list[Any]:
    """What ``work`` gives for each, a few at once."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(work, rows))


@pytest.mark.parametrize("table", ["IMPORTS", "SIGNATURES", "BYTES"])
def test_what_is_brought_is_served_or_refused_with_rule_and_line(table: str, service: Served) -> None:
    rows: tuple[Brought, ...] = getattr(modules, table)
    found = together(rows, lambda row: _brought(service, f"{table}-{row.name}", row))
    assert dict(zip(names_of(rows), found, strict=True)) == {row.name: row.found for row in rows}


def _brought(service: Served, name: str, row: Brought) -> tuple[object, ...]:
    """How it was refused; when it was not, its function must work, and else must not be there."""
    found = refusal(service.bring(name, row.text))
    assert said(service.call(name)) == (1 if found == SERVED else (404, "not_found"))
    return found


def test_an_escape_that_the_judge_knows_is_refused_where_it_stands(service: Served) -> None:
    cases = {str(case.id): case.values for case in ATTACKS[::EVERY] if not case.marks}
    texts = {name: unmark(str(marked)) for name, (marked, _) in cases.items()}
    found = together(texts, lambda name: service.bring(f"escape-{name}", texts[name][0]).json())
    told = {name: (one["code"], one["rule"], one["line"]) for name, one in zip(texts, found, strict=True)}
    assert told == {name: ("policy_refused", cases[name][1], texts[name][1]) for name in texts}
    assert len(told) >= 80 // EVERY


@pytest.mark.parametrize("table", ["RESULTS", "RAISED", "REACHING"])
def test_what_is_called_answers_as_it_must(table: str, service: Served) -> None:
    """And the next call is answered just so, by the same worker or by the next."""
    rows: tuple[Called, ...] = getattr(calls, table)
    found = together(rows, lambda row: _called(service, f"{table}-{row.name}", row))
    assert dict(zip(names_of(rows), found, strict=True)) == {row.name: [row.said] * 2 for row in rows}


def _called(service: Served, name: str, row: Called) -> list[object]:
    assert refusal(service.bring(name, row.text)) == SERVED
    answers = [service.call(name) for _ in range(2)]
    assert all("x-evil" not in answer.headers for answer in answers)
    return [said(answer) for answer in answers]


def test_what_does_not_end_is_ended(service: Served) -> None:
    """Imports and calls. The next call begins with a new worker, which has nothing of the one before."""
    count = "\nseen = []\ndef count():\n    seen.append(1)\n    return len(seen)"
    for name, text, _ in calls.ENDLESS:
        for function in ("f", "count"):
            assert service.bring(f"called-{name}", text + count, function).status_code == 200
        assert said(service.call(f"called-{name}", "count")) == 1
    with ThreadPoolExecutor(len(modules.ENDLESS) + len(calls.ENDLESS)) as pool:
        brought = [pool.submit(service.bring, f"brought-{name}", text) for name, text in modules.ENDLESS]
        called = [pool.submit(service.call, f"called-{row[0]}", **row[2]) for row in calls.ENDLESS]
        refusals, ends = [refusal(one.result()) for one in brought], [said(one.result()) for one in called]
    assert refusals == [(422, "module_failed", "TimeoutError", None)] * len(brought)
    assert ends == [(504, "function_timeout")] * len(called)
    assert [said(service.call(f"called-{row[0]}", "count")) for row in calls.ENDLESS] == [1] * len(called)


def test_a_module_may_be_called_as_ours_are(service: Served) -> None:
    """It is no other's module for that: neither ours, nor the library's, nor another module's."""
    text = (
        "import dataclasses, enum, json, math, typing\n"
        "class Kind(enum.Enum):\n    a = 'a'\n"
        "@dataclasses.dataclass\nclass Row:\n    kind: 'Kind'\n    rest: typing.ClassVar[int] = 1\n"
        "def f(row: Row) -> Row:\n    json.loads('[1]')\n    return row"
    )

    def answers(name: str) -> list[object]:
        contract = f"named-{name}"
        loaded = service.bring(contract, text, module_name=name)
        calls = [service.call(contract, row={"kind": kind}) for kind in "ab"]
        return [loaded.status_code, *map(said, calls)]

    found = dict(zip(modules.NAMES, together(modules.NAMES, answers), strict=True))
    assert found == {name: [200, {"kind": "a"}, (422, "validation_failed")] for name in modules.NAMES}


def test_what_a_module_may_not_be_called(service: Served) -> None:
    for name in ("a.b", "../agent", "/agent", "a b", "", "class", "__", "a\0", "x" * 101, "\uff41"):
        assert said(service.load("ours", module_name=name)) == (422, "validation_failed"), name


def test_one_byte_too_many(service: Served) -> None:
    put = service.upload("large", b"#" * (512 * 1024 + 1))
    assert said(put) == (413, "payload_too_large")
    directory = service.keyed.data / "uploads" / "results" / hash_of("large")
    assert not directory.exists()
    directory.mkdir(parents=True)
    (directory / f"{MODULE}.py").write_bytes(b"#" * (512 * 1024 + 1))
    assert said(service.load("large")) == (413, "payload_too_large")
