#!/usr/bin/env python3
"""Checks the dynamic functions of a running LARS service from the command line. Needs nothing but Python.

    scripts/test_dynamic_api.py [--url URL] [--uploads-dir DIR]

Makes a sandbox with sample functions under a visible_pixel_hash of its own, asks every endpoint of dynamic
functions, and unloads what it has loaded. The key that may do so is in $LARS_API_KEY, or $STARGATE_API_KEY;
it needs the scope functions:write; functions:read and functions:call too, where LARS_PUBLIC has them not.
With --uploads-dir the modules are written to DIR/results/HASH, as an agent on the service's machine would;
that directory is removed in the end. What comes by PUT stays, for no request removes it.

One line per check; exit code 0 when all passed, 1 when one failed or the service does not answer, 2 for
wrong usage.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.dynamic_api.asking import Step, ask, faults
from scripts.dynamic_api.checks import all_checks, cleaning
from scripts.dynamic_api.sandbox import Sandbox
from scripts.test_api import DEFAULT_URL, KEY_VARIABLE, NOT_OFFERED

KEY_VARIABLES = (KEY_VARIABLE, "STARGATE_API_KEY")
_GONE = frozenset((200, 401, 403, 404))  # unloaded; or never loaded, with this key


class Run:
    """One run of the checks: where, with which key, and what has come of it so far."""

    def __init__(self, base: str, key: str, uploads: Path | None) -> None:
        self.box = Sandbox(secrets.token_hex(20), secrets.token_hex(20), f"/check-{secrets.token_hex(4)}")
        self.passed = self.failed = self.absent = 0
        self._base = base
        self._key = key
        self._directory = None if uploads is None else uploads / "results" / self.box.hash

    def run(self) -> None:
        """All checks, a line for each. OSError when the service does not answer."""
        try:
            for step in all_checks(self.box):
                self._check(step)
        finally:
            self._clean()

    def _check(self, step: Step) -> None:
        if self._directory is not None and step.method == "PUT" and self._is_own(step):
            write_module(self._directory, step)
            return
        reply = ask(self._base, step, self._key)
        if reply.status == step.closed:
            self.absent += 1
            print(f"----  {step.name}: {NOT_OFFERED}")
        elif wrong := faults(step, reply):
            self.failed += 1
            print(f"FAIL  {step.name}: {'; '.join(wrong)}")
        else:
            self.passed += 1
            print(f"PASS  {step.name}")

    def _is_own(self, step: Step) -> bool:
        """Whether it is a module's upload that is to succeed."""
        return step.path.startswith(f"/uploads/{self.box.hash}/") and step.status in (200, 201)

    def _clean(self) -> None:
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
        for name, step in cleaning(self.box).items():
            reply = ask(self._base, step, self._key)
            if reply.status not in _GONE:
                self.failed += 1
                print(f"FAIL  {name} cannot be unloaded: status {reply.status}")


def write_module(directory: Path, step: Step) -> None:
    """What the step would upload, written as an agent does: under another name first, whole."""
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / step.path.rpartition("/")[2]
    draft = target.with_suffix(".draft")
    draft.write_bytes(step.sent or b"")
    draft.replace(target)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with the key; argparse ends the process with code 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="test_dynamic_api.py", description="Checks the dynamic functions of a running LARS service."
    )
    parser.add_argument(
        "--url",
        default=os.environ.get("LARS_URL", DEFAULT_URL),
        help=f"where the service listens (default: $LARS_URL, or {DEFAULT_URL})",
    )
    parser.add_argument(
        "--uploads-dir",
        type=Path,
        metavar="DIR",
        help="the service's LARS_UPLOADS_DIR, to write modules there instead of sending them",
    )
    options = parser.parse_args(arguments)
    if not options.url.startswith(("http://", "https://")):
        parser.error(f"--url is {options.url!r}: it must begin with http:// or https://")
    if options.uploads_dir is not None and not options.uploads_dir.is_dir():
        parser.error(f"--uploads-dir is {str(options.uploads_dir)!r}: there is no such directory")
    options.key = next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)
    if options.key is None:
        parser.error(f"no key: set {' or '.join(KEY_VARIABLES)} to one that has the scope functions:write")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks; the exit code."""
    options = parse_arguments(arguments)
    base = options.url.rstrip("/")
    run = Run(base, options.key, options.uploads_dir)
    try:
        run.run()
    except OSError as error:
        print(
            f"{base} does not answer ({error}): start the service with ./scripts/start_api.sh",
            file=sys.stderr,
        )
        return 1
    print(f"{run.passed} passed, {run.failed} failed, {run.absent} {NOT_OFFERED}")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
