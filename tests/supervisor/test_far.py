"""A service that ends loses nobody whose packets take long on their way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.supervisor.far import NO_NETWORK
from tests.supervisor.serving import ROOT

# An ordinary user makes a network in a user namespace, and is the same user there.
OWN_NETWORK = ("unshare", "--net", *(("--user", "--map-current-user", "--keep-caps") if os.geteuid() else ()))


def test_callers_from_far_away_are_all_answered_at_the_end(tmp_path: Path) -> None:
    """Those whose handshake is under way, too, and those whose next request is."""
    if shutil.which("ip") is None:
        pytest.skip("there is no ip: apt install iproute2")
    command = [*OWN_NETWORK, sys.executable, "-m", "tests.supervisor.far", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == NO_NETWORK:
        pytest.skip(f"no pair of virtual network devices: {done.stderr}")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["lost"] == []
    assert set(said["answers"]) == {"200"}
    assert said["turned away"] > 0
    assert said["exit status"] == 0
