"""A process that counts: ``python -m tests.service.telemetry.counting DESCRIPTOR``. It says the number of its
column, then does what each line of its input says: ``count N``, or ``gauge N``."""

from __future__ import annotations

import sys

from service.telemetry.board import Board
from service.telemetry.catalog import CPU, FORKS, MEMORY, RUN_SECONDS, ZYGOTES
from service.telemetry.families import CELLS


def main() -> None:
    """Until its input ends."""
    print(Board(int(sys.argv[1])).number, flush=True)  # noqa: T201 - for who started it
    for line in sys.stdin:
        what, number = line.split()
        if what == "count":
            for _ in range(int(number)):
                FORKS.add("session")
                RUN_SECONDS.observe(0.25, "session")
            CELLS.own[CPU.at[()]] += float(number)
        else:
            ZYGOTES.set(float(number))
            MEMORY.set(float(number))
        print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
