"""The command ``lars``: serve, run, plan, doctor, keys, audit. Each module of ``commands`` has a parser."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from seccomp import CompilerUnavailableError, ProfileError
from service import __version__
from service.access.opening import OpeningRefused
from service.commands import audit, doctor, keys, plan, run, serve
from service.commands.options import Call, NoModel
from service.control.refusal import ControlRefused
from service.listen import ListenError
from service.model_keys import part_with_model_keys
from service.settings import Settings, SettingsError, conflicts, load_env_file, unknown_variables
from service.supervisor.supervisor import StartFailed
from service.supervisor.zygote import ZygoteFailed
from service.surroundings import make_usual
from service.telemetry.logs import configure_logging

_OPERATOR_ERRORS = (
    SettingsError,
    ListenError,
    StartFailed,
    ZygoteFailed,
    ProfileError,
    CompilerUnavailableError,
    ControlRefused,
    OpeningRefused,
    NoModel,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Exit status 0, 1 when the service or sandbox fails, 2 for wrong usage."""
    make_usual()
    options = _parser().parse_args(arguments)
    try:
        environ = _environ(options)
        settings = Settings.from_env(environ)
        if options.command == "serve" and not options.check:
            part_with_model_keys(environ, settings.default_provider)
        configure_logging(settings)
        _warn(environ)
        call: Call = options.call
        return call(settings, environ, options)
    except _OPERATOR_ERRORS as error:
        _say(str(error))
        return 1


def _environ(options: argparse.Namespace) -> dict[str, str]:
    """The real environment over the file's variables; the command line over both."""
    environ = {**load_env_file(options.env_file), **os.environ} if options.env_file else dict(os.environ)
    for name in ("host", "port", "fd", "fronts"):
        value = getattr(options, name, None)
        if value is not None:
            environ[f"LARS_{name.upper()}"] = value
    return environ


def _warn(environ: dict[str, str]) -> None:
    for name, near in unknown_variables(environ):
        hint = f"; did you mean {near}?" if near else ""
        _say(f"warning: {name} is not a setting{hint}")
    for conflict in conflicts(environ):
        _say(f"warning: {conflict}")


def _say(line: str) -> None:
    sys.stderr.write(f"lars: {line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lars", description="Runs unreviewed Python in kernel-jailed processes."
    )
    parser.add_argument("--version", action="version", version=f"lars {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for module in (serve, run, plan, doctor, keys, audit):
        module.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
