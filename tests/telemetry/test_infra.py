"""The dashboard and the alerts ask for what a running service tells, and for nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.telemetry.conftest import Watched
from tests.telemetry.promql import Names, names_in
from tests.telemetry.told import samples, scraped

INFRA = Path(__file__).resolve().parents[2] / "infra"
DASHBOARD: dict[str, Any] = json.loads((INFRA / "grafana" / "lars.json").read_text())
ALERTS = INFRA / "prometheus" / "alerts.yml"
_PROMETHEUS = frozenset(("instance", "job", "le"))
_ADDED_UP = re.compile(r"\(?(sum|min|max|avg|count)\b")


@dataclass(frozen=True, slots=True)
class Query:
    """``shown``: the labels that its legend or its words name."""

    where: str
    expression: str
    shown: frozenset[str]


def panels() -> Iterator[dict[str, Any]]:
    """Those that show something."""
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def of_dashboard() -> Iterator[Query]:
    for panel in panels():
        for target in panel["targets"]:
            shown = re.findall(r"{{\s*(\w+)\s*}}", target["legendFormat"])
            yield Query(panel["title"], target["expr"], frozenset(shown))


def of_alerts() -> Iterator[Query]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    for rule in group["rules"]:
        shown = re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))
        yield Query(rule["alert"], rule["expr"], frozenset(shown))


QUERIES = (*of_dashboard(), *of_alerts())


@pytest.fixture(scope="module")
def told(watched: Watched) -> dict[str, frozenset[str]]:
    """Names of samples, each with its labels."""
    found: dict[str, frozenset[str]] = {"up": frozenset()}
    for name, labels in samples(scraped(watched.service)):
        found[name] = found.get(name, frozenset()) | {label for label, _ in labels}
    return found


def faults(names: Names, shown: frozenset[str], told: dict[str, frozenset[str]]) -> set[str]:
    """Metrics and labels that there are not."""
    wrong = {metric for metric, _ in names.selected if metric not in told}
    known = _PROMETHEUS.union(*(told.get(metric, frozenset()) for metric, _ in names.selected))
    wrong |= {label for label in names.grouped | shown if label not in known}
    for metric, labels in names.selected:
        wrong |= {f"{metric}{{{label}}}" for label in labels - told.get(metric, labels) - _PROMETHEUS}
    return wrong


def test_names_are_told(told: dict[str, frozenset[str]]) -> None:
    """Of metrics and of labels, in every query."""
    assert len(QUERIES) > 70
    for query in QUERIES:
        names = names_in(query.expression)
        assert names.selected, query
        assert faults(names, query.shown, told) == set(), query
        if _ADDED_UP.match(query.expression):
            assert query.shown <= names.grouped, query  # a legend would show nothing in its place


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("rate(lars_request_total[5m])", {"lars_request_total"}),
        ('lars_errors_total{cod="x"} > 0', {"lars_errors_total{cod}"}),
        ("sum by (verdict) (lars_errors_total)", {"verdict"}),
        ("sum(lars_errors_total) by (verdict, code)", {"verdict"}),
        ("lars_fronts * on (where) group_left (what) up", {"where", "what"}),
        ('lars_errors_total{code=~"a{2}|lars_x"} and lars_fronts offset 5m', set()),
        ("predict_linear(lars_data_root_free_bytes[6h], 86400) < bool 0", set()),
    ],
)
def test_what_is_wrong_is_found(expression: str, wrong: set[str], told: dict[str, frozenset[str]]) -> None:
    """The reader of names is not blind."""
    assert faults(names_in(expression), frozenset(), told) == wrong


def test_every_metric_has_its_place(told: dict[str, frozenset[str]]) -> None:
    """There is none that neither the dashboard nor an alert looks at."""
    asked = {metric for query in QUERIES for metric, _ in names_in(query.expression).selected}
    stems = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in told} == stems


def test_panels_do_not_overlap() -> None:
    """Each has an id and a place of its own, and its queries letters."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_alerts_say_what_to_do() -> None:
    """Each has a severity, a summary and a description, and no other has its name."""
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_prometheus_takes_them(tmp_path: Path) -> None:
    """By its own tool, where that is installed (apt install prometheus): the rules, and every query of the
    dashboard as one."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (apt install prometheus)")
    rules = [
        {"record": f"x:{number}", "expr": re.sub(r"\$\w+", "5m", query.expression)}
        for number, query in enumerate(of_dashboard())
    ]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", ALERTS, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
