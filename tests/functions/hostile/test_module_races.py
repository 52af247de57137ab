"""Between the judge and the run: whoever may write where modules lie changes them as fast as he can.

What was judged is what is kept and what runs, by content. LARS_RACE_LOADS loads (40) are raced for each way.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.functions.hostile.served import MODULE, Served, hash_of, path_of, said

LOADS = int(os.environ.get("LARS_RACE_LOADS", "40"))
ROUNDS = 25
LOADERS = 4
FILE = f"{MODULE}.py"
GOOD = tuple(f"def f(): return {number}\n" + "#" * number * 1000 for number in range(3))
BLOCKED = "import os\ndef f(): return os.getpid()\n" + "#" * 1000
DIGESTS = {hashlib.sha256(text.encode()).hexdigest(): number for number, text in enumerate(GOOD)}
# What a load that met something else than one whole, good module may be answered.
REFUSALS = {"policy_refused", "upload_refused", "not_found", "conflict", "module_failed"}


class Writer:
    """Who may write into the directory of a contract, and has a blocked module outside of it."""

    def __init__(self, service: Served, name: str) -> None:
        self.results = service.keyed.data / "uploads" / "results"
        self.directory = self.results / hash_of(name)
        self.file = self.directory / FILE
        self.elsewhere = service.keyed.data / f"elsewhere-{name}"
        for directory in (self.directory, self.elsewhere):
            directory.mkdir(parents=True)
        (self.elsewhere / FILE).write_text(BLOCKED)
        self.file.write_text(GOOD[0])

    def rename(self, turn: int) -> None:
        """A whole file in the place of another."""
        text = BLOCKED if turn % 2 else GOOD[turn // 2 % 3]
        new = self.directory / "new"
        new.write_text(text)
        new.rename(self.file)

    def rewrite(self, turn: int) -> None:
        """The same file, emptied and written, of a length that is sometimes the same."""
        self.file.write_text(BLOCKED if turn % 2 else GOOD[turn // 2 % 3])

    def link(self, turn: int) -> None:
        """A link to a blocked file, and back."""
        new = self.directory / "new"
        if turn % 2:
            new.symlink_to(self.elsewhere / FILE)
        else:
            new.write_text(GOOD[turn // 2 % 3])
        new.rename(self.file)

    def move_directory(self, turn: int) -> None:
        """The directory of the hash itself is a link to another, and back."""
        aside = self.results / f"aside-{self.directory.name}"
        if turn % 2:
            self.directory.rename(aside)
            self.directory.symlink_to(self.elsewhere)
        elif self.directory.is_symlink():
            self.directory.unlink()
            aside.rename(self.directory)


@contextmanager
def at_work(work: Callable[[int], None]) -> Iterator[list[int]]:
    """``work`` again and again in a thread; the list has how often. What it did last was an even turn."""
    turns = [0]
    ending = threading.Event()

    def run() -> None:
        while not ending.is_set() or turns[0] % 2 == 0:
            work(turns[0])
            turns[0] += 1

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(run)
        try:
            yield turns
        finally:
            ending.set()
            done.result(20)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", ["rename", "rewrite", "link", "move_directory"])
def test_what_was_judged_is_what_runs(way: str, service: Served) -> None:
    writer = Writer(service, way)
    assert service.load(way).status_code == 200
    found: Counter[str] = Counter()

    def load(number: int) -> None:
        answer = service.load(way, endpoint_path=path_of(way, f"f{number % LOADERS}"))
        found[_judged(service, way, answer)] += 1

    with at_work(getattr(writer, way)) as turns, ThreadPoolExecutor(LOADERS) as pool:
        for _ in range(ROUNDS):  # a writer may be between two steps for most of the time
            list(pool.map(load, range(LOADS)))
            if len(found) > 1:
                break
    assert turns[0] > LOADS  # the writer was no slower than those who load
    assert found.keys() <= {*REFUSALS, "served"}
    assert len(found) > 1, found  # the file was not always the same
    assert _judged(service, way, service.load(way)) == "served"  # the writer has ended
    _every_version_is_good(service, way)


def _judged(service: Served, name: str, answer: httpx.Response) -> str:
    """``served`` or the code; what is served is one of the good texts, and answers as that text does."""
    if answer.status_code != 200:
        return str(answer.json()["code"])
    loaded = answer.json()
    versions = service.ask("GET", f"/_/functions/{hash_of(name)}/f/versions").json()["versions"]
    (digest,) = [each["digest"] for each in versions if each["version"] == loaded["loaded_version"]]
    called = service.client.post(
        f"/function/{hash_of(name)}/f", headers={"X-Function-Version": str(loaded["loaded_version"])}
    )
    assert called.headers["x-function-version"] == str(loaded["loaded_version"])
    assert said(called) == DIGESTS[digest]
    return "served"


def _every_version_is_good(service: Served, name: str) -> None:
    about = f"/_/functions/{hash_of(name)}/f/versions"
    versions = service.ask("GET", about).json()["versions"]
    assert versions
    assert {version["digest"] for version in versions} <= DIGESTS.keys()
    for version in versions:
        text = service.ask("GET", f"{about}/{version['version']}/source").content
        assert hashlib.sha256(text).hexdigest() == version["digest"]


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.with_name("real").write_text(GOOD[0])
    path.symlink_to("real")


def _hard_link(path: Path) -> None:
    path.write_text(GOOD[0])
    path.with_name("other").hardlink_to(path)


def _device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # a character device: /dev/zero


def _owner(path: Path) -> None:
    path.write_text(GOOD[0])
    os.chown(path, 12345, -1)


def _writable(path: Path) -> None:
    path.write_text(GOOD[0])
    path.chmod(0o666)


def _socket(path: Path) -> None:
    os.mknod(path, 0o600 | 0o140000)


STRANGE = (
    ("fifo", _fifo, "not_a_file"),
    ("directory", Path.mkdir, "not_a_file"),
    ("socket", _socket, "not_a_file"),
    ("device", _device, "not_a_file"),
    ("link", _link, "link"),
    ("hard-link", _hard_link, "hard_link"),
    ("owner", _owner, "owner"),
    ("writable", _writable, "writable"),
)


@pytest.mark.parametrize(("name", "make", "reason"), STRANGE, ids=[row[0] for row in STRANGE])
def test_what_no_module_is(name: str, make: Callable[[Path], None], reason: str, service: Served) -> None:
    """Refused at once, whatever it is; the service can put a module in its place, but for a directory."""
    name = f"no-{name}"
    writer = Writer(service, name)
    writer.file.unlink()
    try:
        make(writer.file)
    except PermissionError:
        pytest.skip(f"making a {name} needs privileges")
    answer = service.load(name)
    assert (said(answer), answer.json()["reason"]) == ((403, "upload_refused"), reason)
    put = service.upload(name, GOOD[1])
    if name == "no-directory":
        assert said(put) == (403, "upload_refused")
    else:
        assert put.status_code == 200
        assert service.load(name).status_code == 200
        assert said(service.call(name)) == 1
