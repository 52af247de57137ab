"""What the parsers of several subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar

from service.settings import Settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # which has no public name

T = TypeVar("T")
Environ = Mapping[str, str]
# What a subcommand is: settings, the environment they were read from, its options; the exit status.
Call = Callable[[Settings, Environ, argparse.Namespace], int]
WRONG_USAGE = 2


class NoModel(Exception):
    """No language model can be asked. The text says why, and what to do."""


def finish(parser: argparse.ArgumentParser, call: Call) -> None:
    """Give a subcommand what all have, and say what it does."""
    parser.add_argument("--env-file", type=Path, help="file of KEY=VALUE settings; the environment wins")
    parser.set_defaults(call=call)


def reads(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A ``type`` for argparse, which tells the words of a ValueError and not its own."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read
