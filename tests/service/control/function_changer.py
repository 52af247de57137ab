"""A process of its own that changes functions: ``python -m tests.service.control.function_changer ROUNDS``.

After each change that was acknowledged, one line of JSON: [name, current version, digest, loaded, revision].
All processes change the functions shared0 and shared1 and want the path /wanted; each has one of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Awaitable

from service.access.principal import Actor
from service.control.control import Control, open_control
from service.errors import Conflict, NotFound
from service.functions.registry_work import Loaded, Share
from service.functions.values import Function, Split
from service.settings import Settings
from service.telemetry.logs import configure_logging
from tests.service.control.functions import HASH, SIGNATURE, source, spec

BY = Actor(f"cli:{os.getpid()}", "command line")
REFUSED = "refused"


async def tell(change: Awaitable[Function | Loaded]) -> None:
    """One write(2), so that a reader has whole lines. Others may have been there first."""
    try:
        done = await change
    except (Conflict, NotFound) as error:
        line = json.dumps([REFUSED, type(error).__name__])
    else:
        now = done.function if isinstance(done, Loaded) else done
        line = json.dumps([now.spec.name, now.version, now.digest, now.loaded, now.revision])
    os.write(1, f"{line}\n".encode())


async def change(control: Control, turn: int, seed: random.Random) -> None:
    """Some change of a function of all, and of one's own."""
    functions = control.functions
    name = f"shared{seed.randrange(2)}"
    text = f"text {seed.randrange(5)}"  # others may have the same
    for shared, which in ((True, name), (False, f"own{os.getpid()}")):
        path = "/wanted" if shared and not seed.randrange(4) else f"/own/{which}"
        await tell(functions.load(spec(which, path=path), source(text), SIGNATURE, BY))
        await tell(functions.stage(spec(which, path=path), source(f"{text} canary"), SIGNATURE, BY, Share(5)))
        await tell(functions.rollback(HASH, which, BY))
        await tell(functions.set_canary(HASH, which, Split(1, 9), BY))
        if turn % 2:
            await tell(functions.unload(HASH, which, BY))


async def main(rounds: int) -> None:
    """Until they are done, or somebody kills it."""
    settings = Settings.from_env(os.environ)
    configure_logging(settings)
    seed = random.Random(os.getpid())
    async with open_control(settings) as control:
        for turn in range(rounds):
            await change(control, turn, seed)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
