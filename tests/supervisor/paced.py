"""``python paced.py``: ``lars serve`` whose fronts are asked ten times a second whether they are alive, and
are given up after three seconds."""

from __future__ import annotations

import sys

from service import cli
from service.supervisor import fronts

if __name__ == "__main__":
    fronts.PING_SECONDS = 0.1
    fronts._MOST_UNANSWERED = 30
    sys.exit(cli.main(["serve", *sys.argv[1:]]))
