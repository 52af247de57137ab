"""Prints a lock file as it is for another Python: tests/deploy/pins.py LOCK 3.13. pip judges the markers of a
lock by the Python that it runs on itself, whatever --python-version says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.markers import Marker

_PIN = re.compile(r"^(?P<pin>\S+==\S+)(?: ; (?P<marker>[^\\\n]+))?", re.MULTILINE)


def pins(lock: str, version: str) -> str:
    """The text without markers, and without the pins that are not for ``version``."""
    environment = {"python_version": version, "python_full_version": f"{version}.0"}
    kept = []
    for block in re.split(r"^(?=[^\s#])", lock, flags=re.MULTILINE):
        found = _PIN.match(block)
        if found and (found["marker"] is None or Marker(found["marker"]).evaluate(environment)):
            kept.append(f"{found['pin']} {block[found.end() :].lstrip()}")
    return "".join(kept)


if __name__ == "__main__":
    sys.stdout.write(pins(Path(sys.argv[1]).read_text(), sys.argv[2]))
