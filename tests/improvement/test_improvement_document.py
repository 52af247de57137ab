"""docs/improvement.md shows what works, and tells of every member."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.functions.api import Api
from tests.improvement.improving import status

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "improvement.md").read_text("utf-8")
KEY = '-H "X-API-Key: $KEY"'


def test_the_commands_that_are_shown(api: Api) -> None:
    """As a reader would paste them, but that each has a key here; the answer to the last."""
    (block,) = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    commands = block.replace("http://127.0.0.1:8000", api.service.url).replace('-H "$AUTH"', "")
    done = subprocess.run(
        ["bash", "-ec", commands.replace("curl ", f"curl -sSf {KEY} ")],
        env={**os.environ, "KEY": api.keyed.all, "STARGATE_API_KEY": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith('}{"invisible":0}')
    shown = status(api)
    (one,) = [each for each in shown["scan_improvements"] if each["function_name"] == "enhanced_scan"]
    described = set(re.findall(r"`(\w+)`", TEXT.partition("\n## Status\n")[2].partition("\n## ")[0]))
    assert {*shown, *one, *one["latency"]} <= described
