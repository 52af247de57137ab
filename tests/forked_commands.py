"""Commands of ``lars`` without the half second that each spends on imports: a process that has them forks one
child for each command. The child is a process as any other, with its own environment, output and exit status.

Run as a program, it reads a line of JSON, {arguments, environ}, and answers with {code, out, err}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service import cli
from service.commands import audit_actions, key_actions  # noqa: F401 - which children would import

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Commands:
    """Runs one command at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, arguments: tuple[str, ...], environ: Mapping[str, str]) -> Done:
        """To its end."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        asked.write(json.dumps({"arguments": arguments, "environ": dict(environ)}) + "\n")
        asked.flush()
        answer = json.loads(answers.readline())
        return Done(answer["code"], answer["out"], answer["err"])


@contextmanager
def forked_commands() -> Iterator[Commands]:
    """Until the block ends."""
    command = [sys.executable, "-m", "tests.forked_commands"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        yield Commands(process)


def _serve() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                _become(asked["arguments"], asked["environ"])
            _, status = os.waitpid(child, 0)
            told = {
                "code": os.waitstatus_to_exitcode(status),
                "out": _text(out.fileno()),
                "err": _text(err.fileno()),
            }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def _become(arguments: list[str], environ: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    code: int | str | None = 70
    try:
        code = cli.main(arguments)
    except SystemExit as ended:  # argparse
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _text(descriptor: int) -> str:
    return os.pread(descriptor, 1 << 20, 0).decode()


if __name__ == "__main__":
    _serve()
