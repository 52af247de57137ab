"""What the commands on the control database share: who asks, the open database, what is printed."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from collections.abc import Awaitable, Callable

import orjson

from service.access.principal import Actor
from service.commands.options import WRONG_USAGE
from service.control.control import Control, open_control
from service.control.migrate import prepare
from service.errors import ControlUnavailable, LarsError, ValidationFailed
from service.settings import Settings

Work = Callable[[Control], Awaitable[int]]


def with_control(settings: Settings, work: Work) -> int:
    """The exit status that ``work`` returns; 1 or 2, and a sentence, when it is refused."""
    try:
        return asyncio.run(_run(settings, work))
    except ControlUnavailable as error:
        say(f"{error.reason}; check LARS_DATABASE_URL and LARS_DATA_ROOT")
    except ValidationFailed as error:
        for field in error.errors:
            say(str(field))
        return WRONG_USAGE
    except LarsError as error:
        say(error.detail)
    return 1


async def _run(settings: Settings, work: Work) -> int:
    await prepare(settings)
    async with open_control(settings) as control:
        return await work(control)


def this_user() -> Actor:
    """Who runs the command, by the kernel's word and not the environment's."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Actor(f"cli:{name}", "command line")


def say(line: str) -> None:
    """To the person, where it does not mix with the output."""
    sys.stderr.write(f"lars: {line}\n")


def put(value: object) -> None:
    """JSON on stdout, for people and programs."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def put_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as their widest cell."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    for line in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
