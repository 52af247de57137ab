"""The command ``lars``: serve, run, doctor."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from seccomp import CompilerUnavailableError, ProfileError
from service import __version__
from service.commands import doctor, run, serve
from service.listen import ListenError
from service.settings import Settings, SettingsError, conflicts, load_env_file, unknown_variables
from service.supervisor.supervisor import StartFailed
from service.supervisor.zygote import ZygoteFailed
from service.telemetry.logs import configure_logging

_OPERATOR_ERRORS = (
    SettingsError,
    ListenError,
    StartFailed,
    ZygoteFailed,
    ProfileError,
    CompilerUnavailableError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Exit status 0, 1 when the service or sandbox fails, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        environ = _environ(options)
        settings = Settings.from_env(environ)
        configure_logging(settings)
        _warn(environ)
        if options.command == "serve":
            return serve.run(settings, environ)
        if options.command == "doctor":
            return doctor.run(settings)
        return run.run(settings, options.file, options.data)
    except _OPERATOR_ERRORS as error:
        _say(str(error))
        return 1


def _environ(options: argparse.Namespace) -> dict[str, str]:
    """The real environment over the file's variables; the command line over both."""
    environ = {**load_env_file(options.env_file), **os.environ} if options.env_file else dict(os.environ)
    for name in ("host", "port", "fronts"):
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
    serving = commands.add_parser("serve", help="serve HTTP until SIGTERM or SIGINT")
    serving.add_argument("--host", help="address to listen on (LARS_HOST)")
    serving.add_argument("--port", help="port to listen on, 0 lets the kernel choose (LARS_PORT)")
    serving.add_argument("--workers", dest="fronts", help="front processes (LARS_FRONTS)")
    running = commands.add_parser(
        "run", help="run one program in the same jail, without HTTP, stdin or arguments"
    )
    running.add_argument("file", type=Path, help="the program, or - for standard input")
    running.add_argument("--data", help="JSON that the program finds in the variable data")
    checking = commands.add_parser("doctor", help="say which isolation layers this host gives")
    for command in (serving, running, checking):
        command.add_argument("--env-file", type=Path, help="file of KEY=VALUE settings; the environment wins")
    return parser


if __name__ == "__main__":
    sys.exit(main())
