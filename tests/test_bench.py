"""The bench: its arithmetic, its load client, and one row from end to end. No test is about speed."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.store.database import SessionDatabase
from scripts.benchmark import (
    contest,
    fair,
    filtered,
    fronts,
    functions,
    json_server,
    memory,
    mix,
    overload,
    processes,
    report,
    rows,
    sessions,
    stats,
    stored,
)
from scripts.benchmark.asking import ask
from scripts.benchmark.load import Ask, Plan, Result
from tests.supervisor.processes import process, tree
from tests.support import wait_until

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "scripts" / "bench.py"
SAMPLES = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)

# -- arithmetic ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.5, 5), (0.9, 9), (0.91, 10), (0.99, 10), (1.0, 10)]
)
def test_percentile_is_a_sample_that_the_share_does_not_exceed(share: float, expected: int) -> None:
    assert stats.percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], share) == expected


@given(SAMPLES, st.floats(0, 1))
def test_percentile_covers_its_share_and_no_smaller_sample_does(samples: list[float], share: float) -> None:
    found = stats.percentile(samples, share)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= share * len(samples)
    assert sum(sample < found for sample in samples) < max(share * len(samples), 1)


@given(SAMPLES)
def test_the_median_lies_in_the_middle_of_the_spread(samples: list[float]) -> None:
    spread = stats.Spread.of(samples)
    assert spread.low <= spread.median <= spread.high
    assert sum(sample < spread.median for sample in samples) <= len(samples) / 2
    assert sum(sample > spread.median for sample in samples) <= len(samples) / 2


def test_the_median_of_an_even_number_is_between_the_two_in_the_middle() -> None:
    assert stats.median([4, 1, 3, 2]) == 2.5


def test_nothing_is_computed_from_nothing() -> None:
    for compute in (stats.median, stats.Spread.of, lambda samples: stats.percentile(samples, 0.5)):
        with pytest.raises(ValueError, match="no samples"):
            compute([])
    with pytest.raises(ValueError, match="expected 0 to 1"):
        stats.percentile([1], 1.5)


def test_ratios_are_taken_round_by_round() -> None:
    assert stats.ratios([10, 30], [20, 15]) == [0.5, 2.0]
    with pytest.raises(ValueError, match="2 rounds against 1"):
        stats.ratios([1, 2], [1])
    with pytest.raises(ValueError, match="nothing was measured"):
        stats.ratios([1], [0])


# -- rows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (rows.FORK_GOAL, 0.60, "reached"),
        (rows.FORK_GOAL, 0.59, "NOT REACHED"),
        (rows.COLD_P50_GOAL, 0.10, "reached"),
        (rows.COLD_P50_GOAL, 0.11, "NOT REACHED"),
        (None, 0.5, "information"),
    ],
)
def test_a_verdict_compares_the_median_with_the_goal(
    goal: rows.Goal | None, value: float, verdict: str
) -> None:
    spread = stats.Spread(value, value / 10, value * 10)
    assert rows.Row("x", "y", "1", "2", spread, goal).verdict == verdict


def test_a_comparison_divides_what_its_own_two_contenders_gave() -> None:
    comparison = rows.Comparison("cold", "p50", "cold", 1, rows.p50, rows.COLD_P50_GOAL)
    execute, cold = comparison.matches()
    samples: contest.Contest = {
        execute: [contest.Sample(100, 0.001), contest.Sample(100, 0.003)],
        cold: [contest.Sample(10, 0.010), contest.Sample(10, 0.010)],
    }
    row = comparison.row(samples)
    assert row.value is not None
    assert row.value.median == pytest.approx(0.2)
    assert (row.measured, row.baseline, row.verdict) == ("2.00 ms", "10.00 ms", "NOT REACHED")


def test_a_comparison_may_be_of_others_than_execute_and_everyone_is_measured_once() -> None:
    first = rows.Comparison("a", "x", "echo", 8, rows.rate, subject="hot")
    second = rows.Comparison("b", "y", "hot", 8, rows.rate, subject="stored")
    alone = rows.Comparison("a", "x", "echo", 1, rows.p50, subject="hot")
    matches = rows.matches_of([first, second, alone])
    assert [(match.contender, match.in_flight) for match in matches] == [
        ("hot", 1),
        ("echo", 1),
        ("hot", 8),
        ("echo", 8),
        ("stored", 8),
    ]


def test_the_overload_rows_tell_goodput_refusals_and_everything_else() -> None:
    flood = Result(
        seconds=2.0,
        latencies={"200": [0.1] * 190, "503": [0.001] * 99 + [0.5], "500": [0.2] * 3},
        completed={"200": 180, "503": 100, "500": 3},
        unanswered=4,
        untold=5,
    )
    goodput, answers, refusals, others = overload.rows_of([overload.Round((80.0, 100.0), flood)])
    assert goodput.value == stats.Spread(0.9, 0.9, 0.9)
    assert goodput.verdict == "reached"
    assert answers.measured == "p50 100.00 ms, p99 100.00 ms"
    assert refusals.measured == "p50 1.00 ms, p99 1.00 ms"
    assert refusals.baseline == "100 of 293"
    assert others.measured == "3 other statuses, 4 unanswered, 5 of 503 without Retry-After"


def test_the_peak_is_that_of_the_best_concurrency_and_not_the_best_of_each_round() -> None:
    rounds = [overload.Round(closed, Result(1.0)) for closed in ((90.0, 100.0), (95.0, 60.0), (50.0, 96.0))]
    assert overload.peaks_of(rounds) == (100.0, 60.0, 96.0)


def test_the_fair_row_divides_the_victims_p95_and_tells_what_each_got() -> None:
    alone = Result(1.0, {"200": [0.01] * 94 + [0.02] * 6}, {"200": 100})
    beside = Result(1.0, {"200": [0.01] * 90, "503": [0.03] * 10}, {"200": 90})
    greedy = Result(1.0, {"200": [0.5] * 700}, {"200": 700})
    row, told = fair.rows_of("programs", [fair.Round(alone, beside, greedy)])
    assert row.value == stats.Spread(1.5, 1.5, 1.5)
    assert (row.measured, row.baseline, row.verdict) == ("30.00 ms", "20.00 ms", "reached")
    assert (told.measured, told.baseline) == ("90 beside 700", "10 of the victim's refused")


@pytest.mark.parametrize("case", fair.CASES, ids=lambda case: case.what)
def test_the_greedy_one_sends_ten_times_as_much_of_the_same(case: fair.Case) -> None:
    for rate in (None, 50.0):
        victim, greedy = (case.plan(1, key, 2.0, rate) for key in (fair.VICTIM, fair.GREEDY))
        assert greedy.connections == 10 * victim.connections
        assert (victim.rate, greedy.rate) == (rate, None if rate is None else 10 * rate)
        assert {one.key for one in victim.mix} == {fair.VICTIM}
        assert [(one.path, one.body) for one in victim.mix] == [(one.path, one.body) for one in greedy.mix]
        assert victim.seconds < greedy.seconds


def test_the_table_has_compared_rows_first_and_tells_the_rest() -> None:
    told = rows.Row("timing", "the rest", "1.00 ms", "")
    compared = rows.Row("fork", "throughput", "60/s", "100/s", stats.Spread(0.6, 0.5, 0.7), rows.FORK_GOAL)
    head, rule, first, empty, last = report.table([told, compared]).splitlines()
    assert head.split() == ["row", "what", "measured", "baseline", "ratio", "(low-high)", "goal"]
    assert set(rule) == {"-", " "}
    assert first.split() == [
        "fork",
        "throughput",
        "60/s",
        "100/s",
        "0.60",
        "(0.50-0.70)",
        ">=",
        "0.60",
        "reached",
    ]
    assert (empty, last) == ("", "timing: the rest: 1.00 ms")


def test_memory_is_private_clean_and_dirty() -> None:
    text = "55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPrivate_Clean: 1 kB\nPrivate_Dirty: 2 kB\n"
    assert memory.parse_rollup(text) == memory.Memory(private=3 * 1024, resident=900 * 1024)


def test_the_cpu_has_a_name_on_every_architecture() -> None:
    assert report.cpu_model("processor: 0\nmodel name\t: Some CPU\n") == "Some CPU"
    assert report.cpu_model("processor: 0\n") == os.uname().machine


def test_the_fork_baseline_imports_what_a_zygote_imports() -> None:
    baseline, boot = (
        _imports(ROOT / path) for path in ("scripts/benchmark/fork_baseline.py", "sandbox_runtime/boot.py")
    )
    assert boot[-3:] == baseline[-3:]
    assert "preload.import_modules" in boot[-2]


def _imports(path: Path) -> list[str]:
    """The import statements and calls of ``import_modules`` of a script, in order."""
    return [
        text
        for statement in ast.parse(path.read_text()).body
        if "import" in (text := ast.unparse(statement))
        and isinstance(statement, ast.ImportFrom | ast.Expr)
        and not text.startswith("'")
    ]


# -- the mix ---------------------------------------------------------------------------------------------


def test_the_mix_asks_each_session_for_each_operation_as_often() -> None:
    asks = mix.mixed(mix.places())
    counts = {(a.session, a.name): 0 for a in asks}
    for each in asks:
        counts[each.session, each.name] += 1
    assert len(counts) == mix.SESSIONS * len(mix.OPERATIONS)
    assert len(set(counts.values())) == 1
    assert asks == mix.mixed(mix.places())


def test_the_mix_finds_what_was_there_at_the_start_and_nothing_that_it_made() -> None:
    records = mix.content()["notes"]
    ranks = {record["rank"] for record in records}
    ids = {str(record["id"]) for record in records}
    asks = mix.mixed(mix.places(2))
    for each in asks:
        if each.name == "create":
            assert json.loads(each.body)["rank"] not in ranks
        if each.name == "search":
            assert json.loads(each.body)["rank"] in ranks
        if each.name in ("get", "patch"):
            assert each.path.rpartition("/")[2] in ids
    assert {each.method for each in asks} == {"GET", "POST", "PATCH"}


def test_json_server_is_asked_for_the_same_in_its_own_words() -> None:
    ours, theirs = mix.mixed(mix.places()), mix.mixed(json_server.places(), mix.json_server)
    assert [each.name for each in ours] == [each.name for each in theirs]
    assert {each.session for each in theirs} == {""}
    collections = json_server.content()
    assert {each.path.split("/")[1].partition("?")[0] for each in theirs} == set(collections)
    assert {len(records) for records in collections.values()} == {mix.RECORDS}


@pytest.mark.parametrize(
    ("said", "found"), [("1.0.0-beta.3\n", True), ("0.17.4\n", False), ("", False), ("10.1\n", False)]
)
def test_only_json_server_1_is_compared_with(said: str, found: bool) -> None:
    judged = json_server.judged(Path("/bin/json-server"), said)
    if found:
        assert judged == json_server.Found(Path("/bin/json-server"), "1.0.0-beta.3")
    else:
        assert judged == json_server.Missing(
            f"/bin/json-server says it is version {said.strip()!r}, the row compares with version 1"
        )


def test_what_json_server_lacks_is_told_and_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert json_server.find() == json_server.Missing("there is no node on PATH")
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\n")
    node.chmod(0o755)
    assert json_server.find() == json_server.Missing(
        "json-server is neither on PATH nor in node_modules; npm install json-server@1 puts it there"
    )
    command = tmp_path / "node_modules" / ".bin" / "json-server"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\necho 1.2.3\n")
    command.chmod(0o755)
    assert json_server.find() == json_server.Found(command, "1.2.3")


def test_the_session_rows_have_the_goals_of_the_design() -> None:
    goals = {(row.name, row.quantity): row.goal for row in sessions.comparisons(7) if row.goal is not None}
    assert goals == {
        ("session", rows.rate): sessions.RATE_GOAL,
        ("session", rows.p50): sessions.P50_GOAL,
        ("stored", rows.rate): sessions.STORED_GOAL,
        ("keys", rows.rate): sessions.KEYS_GOAL,
    }
    assert {row.name for row in sessions.comparisons(7)} == set(sessions.NAMES)
    assert sessions.RATE_GOAL.reached(0.40)
    assert not sessions.RATE_GOAL.reached(0.39)
    assert not sessions.P50_GOAL.reached(3.1)
    assert not sessions.STORED_GOAL.reached(0.89)
    assert not sessions.KEYS_GOAL.reached(0.94)


def test_two_fronts_are_compared_with_one_under_each_load() -> None:
    compared = {(row.subject, row.baseline) for row in fronts.COMPARISONS}
    assert compared == {("function 2", "function 1"), ("mix 2", "mix 1"), ("execute 2", "execute 1")}
    assert {(row.quantity, row.goal) for row in fronts.COMPARISONS} == {(rows.rate, fronts.GOAL)}
    assert fronts.GOAL.reached(1.6)
    assert not fronts.GOAL.reached(1.59)


def test_each_operation_has_its_own_p50_over_all_rounds() -> None:
    quick = {name: [0.001] for name in mix.OPERATIONS}
    slow = {name: [0.002] * 3 for name in mix.OPERATIONS}
    row = sessions.by_operation([Result(1.0, named=quick), Result(1.0, named={**slow, "get": [0.001]})])
    assert row.measured == "create 2.00 ms, get 1.00 ms, list 2.00 ms, search 2.00 ms, patch 2.00 ms"
    assert row.baseline == "18 requests"


# -- records at rest -------------------------------------------------------------------------------------


def test_sessions_at_rest_are_files_of_their_own(tmp_path: Path) -> None:
    data = stored.data_file(mix.content())
    stored.store_sessions(tmp_path, ["a", "b"], data)
    files = sorted(tmp_path.glob("sessions/??/*/data.db"))
    assert [file.read_bytes() for file in files] == [data, data]
    assert [file.stat().st_nlink for file in files] == [1, 1]
    assert {file.stat().st_uid for file in files} == {files[0].parent.stat().st_uid}
    database = SessionDatabase(str(files[0]))
    try:
        with database.transaction(write=False) as store:
            assert store.collection("notes").list() == (mix.content()["notes"], mix.RECORDS)
    finally:
        database.close()


@pytest.mark.parametrize(("field", "matches"), [("owner", 100), ("state", 25_000)])
def test_a_filter_finds_as_many_as_its_row_says(field: str, matches: int) -> None:
    found = sum(filtered.record(number)[field] == f"{field}3" for number in range(filtered.RECORDS))
    assert found == matches
    row = filtered.rows_of(field, [[0.001]], [0.001])[0]
    assert f"finds {matches:,} of 100,000" in row.what


@pytest.mark.parametrize(("p50", "verdict"), [(0.004, "reached"), (0.011, "NOT REACHED")])
def test_a_list_is_held_against_its_limit(p50: float, verdict: str) -> None:
    limit, echo, slow = filtered.rows_of("owner", [[p50, p50, 0.5], [p50] * 3], [0.001, 0.002])
    assert limit.value is not None
    assert limit.value.median == pytest.approx(p50 / 0.010)
    assert limit.verdict == verdict
    assert echo.value is not None
    assert echo.value.low == pytest.approx(p50 / 0.002)
    assert echo.value.high == pytest.approx(p50 / 0.001)
    assert slow.measured == "500.00 ms"


# -- the load client -------------------------------------------------------------------------------------

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """The port of a server that reads whole requests and answers each in the given way."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                assert await reader.readexactly(length) == b'{"a":1}'
                await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def run_load(
    answer: Answer, *, connections: int = 4, seconds: float = 0.2, rate: float | None = None
) -> Result:
    async with server(answer) as port:
        plan = Plan(port, "/x", '{"a":1}', connections, seconds, rate)
        return await asyncio.to_thread(processes.load, plan)


async def say(writer: asyncio.StreamWriter, status: str, headers: str = "", body: str = "ok") -> None:
    text = f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n{body}"
    for half in (text[:40], text[40:]):
        writer.write(half.encode())
        await writer.drain()


async def test_a_closed_loop_sends_again_when_answered() -> None:
    result = await run_load(lambda writer: say(writer, "200 OK"))
    assert set(result.latencies) == {"200"}
    assert len(result.latencies["200"]) > 4
    assert 0 < result.completed["200"] <= len(result.latencies["200"])
    assert result.unanswered == 0


async def test_an_open_loop_sends_what_is_due_however_slow_the_answers_are() -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        await say(writer, "200 OK")

    result = await run_load(slowly, connections=1, rate=50.0)
    assert len(result.latencies["200"]) == 10
    # Answers come one each 100 ms to requests due each 20 ms: the last waits for all before it.
    assert max(result.latencies["200"]) >= 10 * 0.1 - 9 * 0.02


async def test_refusals_are_counted_and_those_that_do_not_say_when_to_retry() -> None:
    said = iter(range(1_000_000))

    def refuse(writer: asyncio.StreamWriter) -> Awaitable[None]:
        return say(writer, "503 Service Unavailable", "retry-after: 1\r\n" if next(said) % 2 else "")

    result = await run_load(refuse, rate=50.0)
    assert len(result.latencies["503"]) == 10
    assert result.untold == 5
    assert result.rate() == 0


async def test_a_connection_that_is_cut_is_a_request_without_an_answer() -> None:
    sent = iter(range(1_000_000))

    async def cut_the_first(writer: asyncio.StreamWriter) -> None:
        if next(sent) == 0:
            writer.transport.abort()
        else:
            await say(writer, "200 OK")

    result = await run_load(cut_the_first)
    assert result.unanswered == 1


async def test_a_server_that_answers_nothing_is_an_error() -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    with pytest.raises(processes.BenchError, match="nothing answered on port"):
        await run_load(cut)


async def test_a_mix_is_sent_in_turn_under_its_sessions_and_counted_by_name() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                if b"Content-Length: 2" in heads[-1]:
                    assert await reader.readexactly(2) == b"{}"
                if heads[-1].startswith(b"DELETE"):
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                else:
                    await say(writer, "201 Created")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    asks = (Ask("make", "POST", "/a", "{}", "s1"), Ask("end", "DELETE", "/a/1", "", "s2"))
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        plan = Plan(listening.sockets[0].getsockname()[1], "", "", 1, 0.2, mix=asks)
        result = await asyncio.to_thread(processes.load, plan)
    assert [head.split()[0] for head in heads[:4]] == [b"POST", b"DELETE", b"POST", b"DELETE"]
    assert b"X-Session-ID: s1\r\n" in heads[0]
    assert b"X-Session-ID: s2\r\n" in heads[1]
    assert b"Content-Length" not in heads[1]
    assert set(result.latencies) == {"201", "204"}
    assert [len(result.named[name]) for name in ("make", "end")] == [
        len(result.latencies[status]) for status in ("201", "204")
    ]
    assert result.success_rate() == pytest.approx(sum(result.completed.values()) / 0.2)


# -- end to end ------------------------------------------------------------------------------------------


def test_one_row_is_measured_printed_and_written(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(BENCH), "--quick", "--only", "memory", "--json", str(figures)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    assert f"{len(os.sched_getaffinity(0))} cores" in done.stdout.splitlines()[0]
    assert "private memory of an idle worker" in done.stdout
    written = json.loads(figures.read_text())
    assert {row["name"] for row in written["rows"]} == {"memory"}
    if os.geteuid() == 0:
        value = written["rows"][0]["value"]
        assert 0 < value["low"] <= value["median"] <= value["high"]
    else:
        assert "needs root" in written["rows"][0]["baseline"]


def test_the_mix_runs_on_a_service_and_leaves_it_as_it_was() -> None:
    with processes.service() as service:
        asks = mix.mixed(mix.places())
        alone: list[Result] = []
        contender = sessions.Mix(service.port, asks, lambda: sessions.renew(service.port), alone)
        assert contender(4, 0.5).rate > 0
        assert alone == []
        assert contender(1, 0.5).rate > 0
        assert set(alone[0].named) == set(mix.OPERATIONS)
        sessions.renew(service.port)
        listed = json.loads(ask(service.port, Ask("", "GET", "/notes", "", mix.names()[0])))
        assert listed["items"] == mix.content()["notes"]
        broken = sessions.Mix(service.port, (Ask("get", "GET", "/notes/0", "", "nobody"),), lambda: None)
        with pytest.raises(processes.BenchError, match=r"failures \{'404': "):
            broken(1, 0.1)


def test_functions_are_copied_as_they_were_loaded() -> None:
    """Each is served at a path of its own."""
    with processes.data_root() as root:
        functions.load_one(root)
        functions.copy_function(root, 3)
        with processes.service(functions.settings_of(root)) as service:
            for path in (functions.PATH, f"{functions.PATH}/1", f"{functions.PATH}/3"):
                called = Ask("call", "POST", path, functions.BODY, key="")
                assert ask(service.port, called) == b"42"


def test_an_unknown_row_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, BENCH, "--only", "speed"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "invalid choice: 'speed'" in done.stderr


def test_a_bench_that_is_stopped_ends_what_it_has_started() -> None:
    with subprocess.Popen([sys.executable, BENCH, "--only", "timing"], stdout=subprocess.PIPE) as bench:
        root = process(bench.pid)
        wait_until(lambda: len(tree(root)) > 4, "a service with zygotes and a front")
        descendants = tree(root)[1:]
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(30) == 128 + signal.SIGTERM
    wait_until(lambda: not any(descendant.lives for descendant in descendants), "nothing is left")
