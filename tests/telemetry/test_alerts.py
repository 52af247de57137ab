"""When the alerts fire, and when they do not: the rules as Prometheus' own tool runs them over four hours."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ALERTS = Path(__file__).resolve().parents[2] / "infra" / "prometheus" / "alerts.yml"
PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (apt install prometheus)")
Series = Mapping[str, str]
_WHERE = 'job="lars",instance="a"'


@dataclass(frozen=True, slots=True)
class Fires:
    """After these minutes of what the series are, a value each half minute, and not half a minute after it
    began; ``at_once``: without waiting for more."""

    minutes: int
    series: Series
    at_once: bool = False


def buckets(name: str, label: str, slow: int) -> dict[str, str]:
    """Ten observations at a time, of which so many took from one to two and a half seconds."""
    fast = 10 - slow
    return {
        f'{name}_bucket{{{label},le="1.0"}}': f"0+{fast}x480",
        f'{name}_bucket{{{label},le="2.5"}}': "0+10x480",
        f'{name}_bucket{{{label},le="+Inf"}}': "0+10x480",
    }


def requests(status: str, values: str, endpoint: str = "execute") -> dict[str, str]:
    return {f'lars_requests_total{{endpoint="{endpoint}",method="POST",status="{status}"}}': values}


ONCE = "0x4 1x480"
FIRES = {
    "LarsDown": Fires(2, {"up{}": "0x480"}),
    "LarsNoWorkers": Fires(2, {"lars_fronts_ready{}": "0x480"}),
    "LarsWorkersFail": Fires(7, {'lars_fork_failures_total{domain="oneshot"}': "0+1x480"}),
    "LarsOverloaded": Fires(
        7, {'lars_errors_total{code="queue_timeout"}': "0+2x480", **requests("2xx", "0+100x480")}
    ),
    "LarsQueueLong": Fires(12, buckets("lars_queue_seconds", 'domain="contract"', 1)),
    "LarsServerErrors": Fires(7, {**requests("5xx", "0+6x480"), **requests("2xx", "0+94x480")}),
    "LarsInternalErrors": Fires(3, {'lars_errors_total{code="internal_error"}': ONCE}, at_once=True),
    "LarsStorageFails": Fires(3, {'lars_errors_total{code="control_unavailable"}': ONCE}, at_once=True),
    "LarsSlow": Fires(12, buckets("lars_request_seconds", 'endpoint="rest"', 1)),
    "LarsZygotesRestart": Fires(
        5, {'lars_restarts_total{kind="zygote",reason="died"}': "0x4 1 2 3x480"}, at_once=True
    ),
    "LarsFrontsRestart": Fires(
        5, {'lars_restarts_total{kind="front",reason="could_not_start"}': "0x4 1 2 3x480"}, at_once=True
    ),
    "LarsPlannerDown": Fires(3, {"lars_planner_configured{}": "1x480", "lars_planner_up{}": "0x480"}),
    "LarsProviderUnusable": Fires(3, {'lars_planner_providers{state="unusable"}': "1x480"}),
    "LarsModelsFail": Fires(
        12,
        {
            'lars_model_calls_total{provider="p",model="m",outcome="llm_timeout"}': "0+3x480",
            'lars_model_calls_total{provider="p",model="m",outcome="ok"}': "0+7x480",
        },
    ),
    "LarsCanaryRolledBack": Fires(
        3, {'lars_improvement_run_ends_total{status="rolled_back"}': ONCE}, at_once=True
    ),
    "LarsImprovementFails": Fires(
        3, {'lars_improvement_run_ends_total{status="failed"}': ONCE}, at_once=True
    ),
    "LarsDiskFull": Fires(
        11, {"lars_data_root_free_bytes{}": "9x480", "lars_data_root_size_bytes{}": "100x480"}
    ),
    "LarsDiskFillsUp": Fires(122, {"lars_data_root_free_bytes{}": "9000-4x480"}),
    "LarsKeyLimits": Fires(17, {'lars_limit_refusals_total{limit="requests"}': "0+60x480"}),
    "LarsConnectionsRefused": Fires(7, {"lars_connections_refused_total{}": "0+1x480"}),
    "LarsDescriptorsRunOut": Fires(
        11,
        {
            'lars_process_open_fds{process="front-1"}': "81x480",
            'lars_process_max_fds{process="front-1"}': "100x480",
        },
    ),
    "LarsTracesLost": Fires(12, {'lars_spans_total{outcome="dropped"}': "0+1x480"}),
}
# A service that has nothing to do, and no planner. What is counted for endpoints is told from the first on.
IDLE = {
    "up{}": "1x480",
    "lars_fronts_ready{}": "2x480",
    'lars_fork_failures_total{domain="oneshot"}': "0x480",
    'lars_errors_total{code="overloaded"}': "0x480",
    'lars_errors_total{code="internal_error"}': "0x480",
    'lars_errors_total{code="control_unavailable"}': "0x480",
    'lars_restarts_total{kind="zygote",reason="died"}': "0x480",
    'lars_restarts_total{kind="front",reason="died"}': "0x480",
    "lars_planner_configured{}": "0x480",
    "lars_planner_up{}": "0x480",
    'lars_planner_providers{state="unusable"}': "0x480",
    'lars_improvement_run_ends_total{status="rolled_back"}': "0x480",
    'lars_improvement_run_ends_total{status="failed"}': "0x480",
    "lars_data_root_free_bytes{}": "8000x480",
    "lars_data_root_size_bytes{}": "9000x480",
    'lars_limit_refusals_total{limit="requests"}': "0x480",
    "lars_connections_refused_total{}": "0x480",
    'lars_process_open_fds{process="front-1"}': "40x480",
    'lars_process_max_fds{process="front-1"}': "1024x480",
    'lars_spans_total{outcome="dropped"}': "0x480",
    **dict.fromkeys(buckets("lars_queue_seconds", 'domain="oneshot"', 0), "0x480"),
    **requests("2xx", "0+2x480", "metrics"),
}
QUIET = {
    "idle": IDLE,
    "at work": {
        **IDLE,
        **buckets("lars_queue_seconds", 'domain="oneshot"', 0),
        **buckets("lars_request_seconds", 'endpoint="rest"', 0),
        **requests("2xx", "0+996x480"),
        **requests("4xx", "0+300x480"),
        **requests("5xx", "0+4x480"),
        'lars_errors_total{code="overloaded"}': "0+4x480",
        'lars_limit_refusals_total{limit="requests"}': "0+20x480",
        'lars_spans_total{outcome="sent"}': "0+4000x480",
    },
    # Began, replaced once by another at which all begins at 0, and its planner a minute later.
    "restarted": {
        **IDLE,
        "up{}": "1x60 0 1x480",
        "lars_fronts_ready{}": "2x60 _ 0 2x480",
        'lars_errors_total{code="internal_error"}': "0x60 _ 0x480",
        **requests("2xx", "0+100x60 _ 0+100x180"),
        "lars_planner_configured{}": "1x60 _ 1x480",
        "lars_planner_up{}": "1x60 _ 0 0 1x480",
    },
    # One request in an hour, which fails, is not a rate of failures.
    "one that fails": {**IDLE, **requests("5xx", "_x60 1x480", "generate")},
    # A backup is restored, and nothing written afterwards.
    "filled once": {**IDLE, "lars_data_root_free_bytes{}": "8000x30 8000-200x10 6000x480"},
}


def case(series: Series, *asked: dict[str, object]) -> dict[str, object]:
    named = {name.replace("{", f"{{{_WHERE},").replace(",}", "}"): values for name, values in series.items()}
    return {
        "interval": "30s",
        "input_series": [{"series": name, "values": values} for name, values in named.items()],
        "promql_expr_test": list(asked),
    }


def firing(at: str, *names: str) -> dict[str, object]:
    """At that time these fire, and no others."""
    expected = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names]
    return {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": at,
        "exp_samples": expected,
    }


def run(tmp_path: Path, *cases: dict[str, object]) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "cases.yml"
    text = {"rule_files": [str(ALERTS)], "evaluation_interval": "30s", "tests": list(cases)}
    file.write_text(json.dumps(text))
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, check=False)


def test_each_fires(tmp_path: Path) -> None:
    """When what it is about lasts, and it alone."""
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    assert {rule["alert"] for rule in group["rules"]} == set(FIRES)
    cases = [
        case(fires.series, *([] if fires.at_once else [firing("30s")]), firing(f"{fires.minutes}m", name))
        for name, fires in FIRES.items()
    ]
    done = run(tmp_path, *cases)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", QUIET)
def test_none_fires(tmp_path: Path, name: str) -> None:
    """In four hours, looked at every minute."""
    often = [firing(f"{number}m") for number in range(1, 240)]
    done = run(tmp_path, case(QUIET[name], *often))
    assert done.returncode == 0, done.stdout + done.stderr
