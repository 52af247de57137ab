"""What the attacks aim at: files, listeners and a process of the test's own, outside the jail."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import cast

import pyseccomp
import pytest

from sandbox_runtime.jail import NOBODY
from tests.isolation.attack import PRELUDE, Attack

_ROOM = "/var/tmp"  # not /tmp, which the scratch covers even where nothing else is covered


@contextmanager
def targets() -> Iterator[Mapping[str, str]]:
    """Their names as programs write them (``@SECRET@``) and what stands for each."""
    with ExitStack() as stack:
        room = Path(tempfile.mkdtemp(prefix="lars-attacks-", dir=_ROOM))
        stack.callback(shutil.rmtree, room)
        (room / "shown").mkdir(mode=0o755)
        room.chmod(0o755)
        for name, mode in (("secret", 0o644), ("open", 0o666)):
            file = room / "shown" / name
            file.write_text("the host's secret")
            file.chmod(mode)
        abstract = f"lars-attacks-{os.getpid()}"
        tcp = stack.enter_context(_greeter(socket.AF_INET, ("127.0.0.1", 0)))
        stack.enter_context(_greeter(socket.AF_UNIX, "\0" + abstract))
        stack.enter_context(_greeter(socket.AF_UNIX, str(room / "socket")))
        (room / "socket").chmod(0o777)
        yield {
            "SECRET": str(room / "shown" / "secret"),
            "OPEN": str(room / "shown" / "open"),
            "PORT": str(tcp.getsockname()[1]),
            "UDP": str(stack.enter_context(_answerer()).getsockname()[1]),
            "UNIX": str(room / "socket"),
            "ABSTRACT": abstract,
            "VICTIM": str(stack.enter_context(_victim())),
            "HOSTNAME": socket.gethostname(),
            "KEY": str(0x4C415253),
        }


@contextmanager
def python_for_everyone() -> Iterator[str]:
    """The base interpreter, or a copy where a user that is nobody can reach it: without a private root the
    sandbox's user has to pass every directory above the standard library."""
    library = Path(sysconfig.get_path("stdlib"))
    if all(directory.stat().st_mode & 0o001 for directory in (library, *library.parents)):
        yield base_executable()
        return
    room = Path(tempfile.mkdtemp(prefix="lars-python-", dir=_ROOM))
    try:
        room.chmod(0o755)
        (room / "bin").mkdir()
        unneeded = shutil.ignore_patterns("test", "site-packages", "config-*", "idlelib", "ensurepip")
        shutil.copytree(library, room / "lib" / library.name, symlinks=True, ignore=unneeded)
        yield shutil.copy2(os.path.realpath(base_executable()), str(room / "bin" / "python3"))
    finally:
        shutil.rmtree(room)


def base_executable() -> str:
    """The interpreter outside of any virtual environment."""
    return cast(str, vars(sys)["_base_executable"])


@contextmanager
def base_python(executable: str) -> Iterator[None]:
    """Zygotes are started with this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "_base_executable", executable)
        yield


def program_of(attack: Attack, names: Mapping[str, str]) -> str:
    """The text to run: targets and system call numbers filled in, the prelude before it."""
    text = attack.program if attack.raw else PRELUDE + attack.program
    text = re.sub(r"@([A-Z]+)@", lambda match: names[match[1]], text)
    return with_numbers(text)


def with_numbers(text: str) -> str:
    """``NR_name`` replaced by this machine's number of that system call."""
    return re.sub(r"\bNR_(\w+)", lambda match: str(_number(match[1])), text)


def _number(name: str) -> int:
    number: int = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    return number


@contextmanager
def _greeter(family: int, address: tuple[str, int] | str) -> Iterator[socket.socket]:
    """A listener that greets whoever connects."""
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()

        def greet() -> None:
            while True:
                try:
                    visitor, _ = listener.accept()
                except OSError:
                    return
                with closing(visitor):
                    visitor.sendall(b"the host's listener")

        with _thread(greet, listener):
            yield listener


@contextmanager
def _answerer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                data, sender = server.recvfrom(100)
                if not data:
                    return
                server.sendto(b"the host's answer", sender)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield server
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(b"", server.getsockname())
            thread.join()


@contextmanager
def _thread(work: object, listener: socket.socket) -> Iterator[None]:
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        thread.join()


@contextmanager
def _victim() -> Iterator[int]:
    """A process of the user that workers are seen as from outside."""
    user = NOBODY if os.geteuid() == 0 else None
    code = "import sys; sys.stdin.read()"
    python = getattr(sys, "_base_executable", sys.executable) if user is None else "/bin/cat"
    arguments = [python, "-c", code] if user is None else [python]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, user=user) as process:
        yield process.pid
