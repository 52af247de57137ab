"""Raw fork+exit of a process like the zygote: ``python -I -S -u -X utf8 fork_baseline.py PATH …``.

The same interpreter and flags, the same imports, the same frozen heap and one thread; but no jail, and its
children exit at once. Each line ``IN_FLIGHT SECONDS`` on stdin is answered with forks per second.
"""

import gc
import os
import sys
import time

sys.path[:0] = sys.argv[1:]

from sandbox_runtime import preload  # noqa: E402 - from here on as in boot.py

preload.import_modules(preload.BASE + preload.OURS)

from sandbox_runtime import worker, zygote  # noqa: E402, F401


def forks_per_second(in_flight: int, seconds: float) -> float:
    """Fork, never with more than ``in_flight`` children that have not been waited for."""
    count = living = 0
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if os.fork() == 0:
            os._exit(0)
        count += 1
        living += 1
        if living == in_flight:
            os.wait()
            living -= 1
    for _ in range(living):
        os.wait()
    return count / (time.monotonic() - began)


def main() -> None:
    """Serve until stdin ends."""
    gc.collect()
    gc.freeze()
    while line := sys.stdin.readline():
        in_flight, seconds = line.split()
        sys.stdout.write(f"{forks_per_second(int(in_flight), float(seconds))}\n")


if __name__ == "__main__":
    main()
