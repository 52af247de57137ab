"""A process of its own that adds figures: ``python -m tests.service.control.figure_adder ROUNDS``.

Each round is one call, of 1 ms, of each of KEYS.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

from service.control.control import open_control
from service.functions.figures import VersionKey
from service.functions.function_meter import FunctionMeter
from service.settings import Settings
from tests.service.control.functions import HASH

KEYS = tuple(VersionKey(HASH, f"shared{number}", number % 3 + 1) for number in range(150))


async def main(rounds: int) -> None:
    """Until they are done."""
    order = list(KEYS)
    meter = FunctionMeter()
    async with open_control(Settings.from_env(os.environ)) as control:
        for _ in range(rounds):
            random.shuffle(order)
            for key in order:
                meter.count(key, "ok", 0.001, 0.000002)
            await meter.write(control.figures)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
