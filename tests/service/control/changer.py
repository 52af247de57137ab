"""A process of its own that changes keys: ``python -m tests.service.control.changer ROUNDS``.

After each change that was acknowledged, one line of JSON: [id, digest in hexadecimal, revoked].
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from service.access.principal import Actor, Key
from service.control.control import Control, open_control
from service.control.seals import Event
from service.settings import Settings
from service.telemetry.logs import configure_logging
from tests.service.control.made import SPEC

BY = Actor(f"cli:{os.getpid()}", "command line")


def told(key: Key) -> None:
    """One write(2), so that a reader has whole lines."""
    line = json.dumps([key.id, key.digest.hex(), key.revoked is not None])
    os.write(1, f"{line}\n".encode())


async def change(control: Control, number: int) -> None:
    """A key is made, given a new secret, and, every other one, revoked."""
    key, _ = await control.keys.add(SPEC, BY)
    told(key)
    key, _ = await control.keys.rotate(key.id, 60, BY)
    told(key)
    if number % 2:
        told(await control.keys.revoke(key.id, BY))
    await control.audit.append(Event(BY, "test", key.id))


async def main(rounds: int) -> None:
    """Until they are done, or somebody kills it."""
    settings = Settings.from_env(os.environ)
    configure_logging(settings)
    async with open_control(settings) as control:
        for number in range(rounds):
            await change(control, number)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
