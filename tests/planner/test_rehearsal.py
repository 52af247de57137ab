"""After its rehearsal the process needs no file of Python any more: confined, it could read none."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

import orjson

from tests.planner.asking import NAMES, PROGRAM, at, config_of
from tests.planner.collector import Collector
from tests.planner.process import ROOT, SECONDS
from tests.planning.providers.replies import Drops, Fails, Raw, Says
from tests.planning.providers.server import FakeProvider

REPLIES = (Says(PROGRAM), Fails(401), Raw(b"<p>"), Fails(500), Drops(), Says(PROGRAM))
OUTCOMES = ["ok", "llm_unauthorized", "llm_malformed", "llm_failed", "llm_unreachable", "ok", "ok"]
# Files of the system that name resolution and certificates are made of, which the process may read.
SYSTEM = ("open /etc/", "open /usr/lib/ssl", "open /usr/share/ca-certificates")


def test_nothing_is_imported_after_the_rehearsal() -> None:
    """Answers, errors and a dropped connection of each, traced. One thread is left to be confined."""
    with (
        FakeProvider(*REPLIES) as one,
        FakeProvider(*REPLIES) as two,
        FakeProvider(*REPLIES) as three,
        Collector() as collector,
    ):
        config = config_of(*map(at, (one, two, three), NAMES), otlp=collector.endpoint)
        text = orjson.dumps(asdict(config)).decode()
        command = [sys.executable, "-m", "tests.planner.rehearsed", text]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert told["rehearsal"] > 50, "the test sees imports"
    assert [line for line in told["seen"] if not line.startswith(SYSTEM)] == []
    for outcomes in told["outcomes"]:
        assert outcomes == OUTCOMES
    assert len(collector.spans) == sum(map(len, told["outcomes"]))
