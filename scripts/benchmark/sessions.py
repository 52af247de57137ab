"""The rows of hot sessions: the mix against bare echo, against itself in other conditions, and a peer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import orjson

from scripts.benchmark import json_server, mix, processes, stored
from scripts.benchmark.asking import ask
from scripts.benchmark.contest import ECHO_BODY, Contender, Effort, Sample, compete, over_http
from scripts.benchmark.load import Ask, Plan, Result
from scripts.benchmark.rows import CONCURRENCIES, Comparison, Goal, Row, matches_of, p50, rate, show_time
from scripts.benchmark.stats import percentile

NAMES = ("session", "stored", "keys", "json-server")
RATE_GOAL = Goal(0.40, at_least=True, text=">= 0.40")
P50_GOAL = Goal(3.0, at_least=False, text="<= 3")
STORED_GOAL = Goal(0.90, at_least=True, text=">= 0.90")
KEYS_GOAL = Goal(0.95, at_least=True, text=">= 0.95")
# One limit of each kind, none of which is ever reached.
RATES = ("1000000000/minute", "concurrent=100000", "cpu=1000000000", "tokens=1000000000")


def session_rows(names: Collection[str], effort: Effort) -> list[Row]:
    """Those of these names, all from one contest; or why there are none of json-server."""
    peer = json_server.find() if "json-server" in names else json_server.Missing("not asked for")
    missing = isinstance(peer, json_server.Missing)
    wanted = [row for row in comparisons(effort.stored) if row.name in names]
    wanted = [row for row in wanted if not (missing and row.name == "json-server")]
    field_of = Field(effort.stored, peer)
    contest = compete(matches_of(wanted), effort, field_of.contenders) if wanted else {}
    rows = [comparison.row(contest) for comparison in wanted]
    if field_of.alone:
        rows.append(by_operation(field_of.alone))
    if isinstance(peer, json_server.Missing) and "json-server" in names:
        rows.append(Row("json-server", "side by side", "not measured", peer.why))
    return rows


def comparisons(stored_sessions: int) -> tuple[Comparison, ...]:
    """All rows of this file that compare."""
    beside = f"throughput beside {stored_sessions:,} sessions at rest against without"
    what = "mix with a key and its four limits against without keys"
    return (
        *_against_echo("hot", "", RATE_GOAL, P50_GOAL),
        *_against_echo("normal", ", sync=normal", None, None),
        *(Comparison("stored", beside, "hot", count, rate, STORED_GOAL, "stored") for count in CONCURRENCIES),
        *(Comparison("keys", what, "hot", count, rate, KEYS_GOAL, "keyed") for count in CONCURRENCIES),
        Comparison("json-server", "throughput against json-server 1", "json-server", 8, rate, None, "hot"),
        Comparison("json-server", "p50 against json-server 1", "json-server", 1, p50, None, "hot"),
    )


def _against_echo(
    subject: str, note: str, rate_goal: Goal | None, p50_goal: Goal | None
) -> tuple[Comparison, ...]:
    what = f"mix{note}: throughput against echo"
    return (
        *(Comparison("session", what, "echo", count, rate, rate_goal, subject) for count in CONCURRENCIES),
        Comparison("session", f"mix{note}: p50 against echo", "echo", 1, p50, p50_goal, subject),
    )


@dataclass(frozen=True, slots=True)
class Field:
    """Where these contenders run. ``alone``: what ``hot`` gave with one request at a time."""

    stored_sessions: int
    peer: json_server.Found | json_server.Missing
    alone: list[Result] = field(default_factory=list)

    @contextmanager
    def contenders(self, names: Iterable[str]) -> Iterator[dict[str, Contender]]:
        """Start whatever these need: hot, normal, stored, keyed, json-server, echo."""
        wanted = set(names)
        running: dict[str, Contender] = {}
        with ExitStack() as stack:
            if "hot" in wanted:
                running["hot"] = mix_of(stack, {}, self.alone)
            if "normal" in wanted:
                running["normal"] = mix_of(stack, {"LARS_SESSION_SYNC": "normal"})
            if "stored" in wanted:
                root = stack.enter_context(processes.data_root())
                at_rest = [f"at-rest-{number}" for number in range(self.stored_sessions)]
                stored.store_sessions(root, at_rest, stored.data_file(mix.content()))
                running["stored"] = mix_of(stack, {"LARS_DATA_ROOT": str(root)})
            if "keyed" in wanted:
                running["keyed"] = _with_a_key(stack)
            if isinstance(self.peer, json_server.Found) and "json-server" in wanted:
                port = stack.enter_context(json_server.running(self.peer))
                asks = mix.mixed(json_server.places(), mix.json_server)
                running["json-server"] = Mix(port, asks, partial(json_server.renew, port))
            if "echo" in wanted:
                port = stack.enter_context(processes.baseline_app())
                running["echo"] = partial(over_http, port, "/echo", ECHO_BODY)
            yield running


def mix_of(stack: ExitStack, settings: Mapping[str, str], alone: list[Result] | None = None) -> Contender:
    port = stack.enter_context(processes.service(settings)).port
    return Mix(port, mix.mixed(mix.places()), partial(renew, port), alone)


def _with_a_key(stack: ExitStack) -> Contender:
    root = stack.enter_context(processes.data_root())
    key = processes.make_key(root, RATES)
    port = stack.enter_context(processes.service({"LARS_DATA_ROOT": str(root)})).port
    asks = tuple(replace(one, key=key) for one in mix.mixed(mix.places()))
    return Mix(port, asks, partial(renew, port, key))


@dataclass(frozen=True, slots=True)
class Mix:
    """A contender: the mix in a closed loop. ``renew`` makes the data what they were before; ``alone``
    collects what came with one request at a time."""

    port: int
    asks: tuple[Ask, ...]
    renew: Callable[[], None]
    alone: list[Result] | None = None

    def __call__(self, in_flight: int, seconds: float) -> Sample:
        """BenchError when any answer is no success: it would not be the work that is compared."""
        self.renew()
        result = processes.load(Plan(self.port, "", "", in_flight, seconds, mix=self.asks))
        failures = {status: len(times) for status, times in result.latencies.items() if status[0] != "2"}
        if failures or result.unanswered:
            raise processes.BenchError(f"the mix: failures {failures}, {result.unanswered} unanswered")
        if self.alone is not None and in_flight == 1:
            self.alone.append(result)
        latencies = [latency for times in result.latencies.values() for latency in times]
        return Sample(result.success_rate(), percentile(latencies, 0.5))


def renew(port: int, key: str = "") -> None:
    """The content that every session starts with, and nothing else."""
    content = orjson.dumps(mix.content()).decode()
    for name in mix.names():
        path = f"/_/sessions/{name}/import?replace=true"
        ask(port, Ask("import", "POST", path, content, name, key))


def by_operation(alone: list[Result]) -> Row:
    """The p50 of each operation of the mix, over all rounds."""
    shown = []
    for name in mix.OPERATIONS:
        times = [latency for result in alone for latency in result.named.get(name, [])]
        shown.append(f"{name} {show_time(percentile(times, 0.5))}")
    count = sum(len(times) for result in alone for times in result.named.values())
    return Row("session", "p50 by operation, 1 at once", ", ".join(shown), f"{count:,} requests")
