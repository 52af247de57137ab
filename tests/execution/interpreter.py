"""The reference: a program as ``python3 main.py`` of the base interpreter runs it, output in files."""

from __future__ import annotations

import re
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.execution.programs import Case
from tests.support import BASE_PYTHON

_ADDRESS = re.compile("0x[0-9a-f]{6,}")
_PATIENCE = 40.0


@dataclass(frozen=True, slots=True)
class End:
    """What a program printed and how it exited, with addresses and the directory it ran in taken out."""

    stdout: str
    stderr: str
    exit_code: int


def comparable(stdout: str, stderr: str, exit_code: int, directory: str = "/tmp") -> End:
    """``directory`` is where main.py stood."""

    def clean(text: str) -> str:
        text = text.replace(f"{directory}/main.py", "main.py").replace(directory, "/tmp")
        return _ADDRESS.sub("0x...", text)

    return End(clean(stdout), clean(stderr), exit_code)


def base_interpreter(case: Case, directory: Path) -> End:
    """Run it in an empty directory below ``directory``. A signal's exit code is 128 and its number."""
    home = directory.resolve() / "cwd"
    home.mkdir()
    (home / "main.py").write_bytes(case.source.encode())
    (directory / "stdin").write_bytes((case.stdin or "").encode())
    streams = [directory / "stdin", directory / "stdout", directory / "stderr"]
    with streams[0].open("rb") as stdin, streams[1].open("wb") as stdout, streams[2].open("wb") as stderr:
        process = subprocess.run(
            [BASE_PYTHON, "-X", "utf8", "main.py", *case.argv],
            cwd=home,
            stdin=stdin if case.stdin is not None else subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"},
            timeout=_PATIENCE,
            preexec_fn=_no_core,
            check=False,
        )
    code = process.returncode
    texts = [path.read_bytes().decode("utf-8", "backslashreplace") for path in streams[1:]]
    return comparable(texts[0], texts[1], code if code >= 0 else 128 - code, str(home))


def _no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
