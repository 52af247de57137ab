"""Files of modules: what is read, what is refused whoever put it there, and what a write leaves behind."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from service.errors import (
    Conflict,
    LarsError,
    NotFound,
    PayloadTooLarge,
    StorageUnavailable,
    UploadRefused,
    ValidationFailed,
)
from service.functions import beneath, module_reading, module_writing, places
from service.functions.module_reading import read_module
from service.functions.module_writing import Bounds, write_module
from service.functions.uploads import Uploads

ROOT = Path(__file__).resolve().parents[3]
HASH = "abcdef1234567890abcdef1234567890abcdef12"
BOUNDS = Bounds(1000, 3000)
CODE = b"def f():\n    return 1\n"
SECRET = b"a secret of the host"
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    """Whatever was refused."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory of uploads with an empty one for HASH."""
    (tmp_path / "uploads" / "results" / HASH).mkdir(parents=True)
    (tmp_path / "secret").write_bytes(SECRET)
    return tmp_path / "uploads"


def place(root: Path, module: str = "m") -> Path:
    return root / "results" / HASH / f"{module}.py"


def read(root: Path) -> bytes:
    return read_module(root, HASH, "m", BOUNDS.module)


def reason_of(root: Path, work: Callable[[Path], object] = read) -> str:
    """Why it is refused; what it says has nothing of the secret."""
    with pytest.raises(UploadRefused) as caught:
        work(root)
    assert SECRET.decode() not in caught.value.detail
    reason = caught.value.extra["reason"]
    assert isinstance(reason, str)
    return reason


@pytest.mark.parametrize("content", [CODE, b"", b"\xff\0", b"x" * BOUNDS.module])
def test_what_is_read(root: Path, content: bytes) -> None:
    """Any bytes: what they mean is for others to judge."""
    place(root).write_bytes(content)
    assert read(root) == content


def test_what_is_not_there(tmp_path: Path, root: Path) -> None:
    """Directory and module are told apart."""
    with pytest.raises(NotFound, match=f"there is no module results/{HASH}/m"):
        read(root)
    with pytest.raises(NotFound, match=f"nothing has been uploaded for {'0' * 40}"):
        read_module(root, "0" * 40, "m", 10)
    with pytest.raises(NotFound, match="nothing has been uploaded"):
        read(tmp_path / "nowhere")


def test_too_large(root: Path) -> None:
    """By one byte, and by a size that no memory has: it is not read."""
    place(root).write_bytes(b"x" * (BOUNDS.module + 1))
    with pytest.raises(PayloadTooLarge, match=r"module is 1001 bytes.*LARS_MAX_CODE_BYTES"):
        read(root)
    os.truncate(place(root), 1 << 40)
    with pytest.raises(PayloadTooLarge):
        read(root)


@pytest.mark.parametrize("level", ["results", f"results/{HASH}", f"results/{HASH}/m.py"])
@pytest.mark.parametrize("relative", [True, False])
def test_a_link_at_any_level(root: Path, level: str, relative: bool) -> None:
    """Is not followed, wherever it leads; read by its path alone, the file is there."""
    place(root).write_bytes(SECRET)
    moved = root / "elsewhere"
    (root / level).rename(moved)
    target = Path(os.path.relpath(moved, (root / level).parent)) if relative else moved
    (root / level).symlink_to(target)
    assert place(root).read_bytes() == SECRET  # the attack, without the defence
    assert reason_of(root) == "link"


@pytest.mark.parametrize("target", ["/etc/passwd", "/proc/self/environ", "m.py", "nowhere", "/dev/stdin"])
def test_a_link_to_anything(root: Path, target: str) -> None:
    """Itself and nothing included."""
    place(root).symlink_to(target)
    assert reason_of(root) == "link"


def test_the_directory_of_uploads_may_be_a_link(root: Path, tmp_path: Path) -> None:
    """It is the operator's."""
    place(root).write_bytes(CODE)
    (tmp_path / "link").symlink_to(root)
    assert read(tmp_path / "link") == CODE


@pytest.mark.parametrize("path", ["..", "../secret", "/etc/passwd", "results/../../secret"])
def test_a_way_out(root: Path, path: str) -> None:
    """That no name can be: the kernel refuses it too."""
    top = os.open(root, os.O_PATH)
    try:
        with pytest.raises(OSError, match=r"cross-device link"):
            beneath.open_beneath(top, path, os.O_RDONLY)
    finally:
        os.close(top)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path has at most 107 bytes (unix(7))
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [fifo, listening, directory])
def test_no_file(root: Path, make: Callable[[Path], None]) -> None:
    """Is refused at once: a FIFO has no writer that an opening would wait for."""
    make(place(root))
    begun = time.monotonic()
    assert reason_of(root) == "not_a_file"
    assert time.monotonic() - begun < 2


@as_root
def test_a_device(root: Path) -> None:
    """This one has no end: read by its path alone, it fills the memory."""
    try:
        os.mknod(place(root), stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this host lets nobody make a device")
    assert reason_of(root) == "not_a_file"


def test_a_file_in_place_of_a_directory(root: Path) -> None:
    """Of the hash, or of all of them."""
    place(root).parent.rmdir()
    place(root).parent.write_bytes(b"")
    assert reason_of(root) == "not_a_directory"


def test_a_hard_link(root: Path, tmp_path: Path) -> None:
    """May be to what only the service can read."""
    os.link(tmp_path / "secret", place(root))
    assert place(root).read_bytes() == SECRET
    assert reason_of(root) == "hard_link"


@as_root
@pytest.mark.parametrize(
    ("of_file", "of_directory", "is_read"), [(NOBODY, 0, False), (NOBODY, NOBODY, True), (0, 1, True)]
)
def test_a_foreign_owner(root: Path, of_file: int, of_directory: int, is_read: bool) -> None:
    """May be the directory's, root or the service's own; nobody else."""
    place(root).write_bytes(CODE)
    os.chown(place(root), of_file, -1)
    os.chown(place(root).parent, of_directory, -1)
    if is_read:
        assert read(root) == CODE
    else:
        assert reason_of(root) == "owner"


def test_what_anybody_can_write(root: Path) -> None:
    """May be anybody's; a group is its owner's to choose."""
    place(root).write_bytes(CODE)
    place(root).chmod(0o666)
    assert reason_of(root) == "writable"
    place(root).chmod(0o664)
    assert read(root) == CODE


_AS_NOBODY = """
import os, sys
from pathlib import Path
from service.errors import LarsError
from service.functions.module_reading import read_module
root = os.open(sys.argv[1], os.O_PATH)
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
try:
    read_module(Path(f"/proc/self/fd/{root}"), sys.argv[2], "m", 1000)
except LarsError as error:
    print(error.extra["reason"])
"""


@as_root
def test_what_cannot_be_read(root: Path) -> None:
    """The file is the service's by its owner, and its mode forbids it."""
    place(root).write_bytes(CODE)
    place(root).chmod(0)
    command = [sys.executable, "-c", _AS_NOBODY, str(root), HASH]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("unreadable\n", "")


def test_a_lease_holds_nobody_up(root: Path) -> None:
    """Its owner would be given 45 s to let go (/proc/sys/fs/lease-break-time)."""
    place(root).write_bytes(CODE)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    holder = os.open(place(root), os.O_WRONLY)
    try:
        fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        begun = time.monotonic()
        assert reason_of(root) == "unreadable"
        assert time.monotonic() - begun < 2
    finally:
        os.close(holder)
        signal.signal(signal.SIGIO, before)


@pytest.mark.parametrize("changed", [CODE * 50, CODE[:-1], CODE.swapcase()], ids=["more", "less", "other"])
def test_a_file_that_changes_meanwhile(root: Path, monkeypatch: pytest.MonkeyPatch, changed: bytes) -> None:
    """After it was looked at, before it is read: no part of it is used, also where its size is the same."""
    place(root).write_bytes(CODE)
    os.utime(place(root), (1, 1))  # long ago, for a clock of the file system may be coarse
    check = module_reading._check

    def changing(found: os.stat_result, owner: int, what: str) -> None:
        check(found, owner, what)
        place(root).write_bytes(changed)

    monkeypatch.setattr(module_reading, "_check", changing)
    with pytest.raises(Conflict, match="was changed while it was read"):
        read(root)


@pytest.mark.parametrize("kind", ["file", "link", "gone"])
def test_a_file_that_is_replaced_meanwhile(root: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """What was looked at is what is read, whatever has its name by now."""
    place(root).write_bytes(CODE)
    check = module_reading._check

    def replacing(found: os.stat_result, owner: int, what: str) -> None:
        check(found, owner, what)
        place(root).unlink()
        if kind == "file":
            place(root).write_bytes(SECRET)
        elif kind == "link":
            place(root).symlink_to(root.parent / "secret")

    monkeypatch.setattr(module_reading, "_check", replacing)
    assert read(root) == CODE


def test_replaced_all_the_time(root: Path) -> None:
    """By whole files and links to a secret: every reading has a whole file or is refused."""
    contents = {bytes([letter]) * 900 for letter in b"abc"}
    ended = threading.Event()

    def replace() -> None:
        fresh = place(root, "fresh")
        while not ended.is_set():
            for content in contents:
                fresh.write_bytes(content)
                fresh.rename(place(root))
            fresh.symlink_to(root.parent / "secret")
            fresh.rename(place(root))

    place(root).write_bytes(b"a" * 900)
    thread = threading.Thread(target=replace)
    thread.start()
    found: set[bytes | str] = set()
    try:
        deadline = time.monotonic() + 20
        while not {"link", *contents} <= found and time.monotonic() < deadline:
            try:
                found.add(read(root))
            except UploadRefused as error:
                found.add(str(error.extra["reason"]))
    finally:
        ended.set()
        thread.join(10)
    assert found == {"link", *contents}


def test_a_kernel_without_openat2(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads nothing."""
    place(root).write_bytes(CODE)
    monkeypatch.setattr(beneath, "_OPENAT2", 9999)
    with pytest.raises(OSError, match=r"uploads need Linux 5\.6"):
        read(root)
    with pytest.raises(StorageUnavailable, match=r"uploads need Linux 5\.6"):
        asyncio.run(Uploads(root, BOUNDS).read(HASH, "m"))


def test_what_is_written(tmp_path: Path) -> None:
    """Directories come to be, modes are not the umask's, and nothing else is left."""
    before = os.umask(0o077)
    try:
        assert write_module(tmp_path / "a" / "uploads", HASH, "m", CODE, BOUNDS) is True
        assert write_module(tmp_path / "a" / "uploads", HASH, "m", CODE * 2, BOUNDS) is False
    finally:
        os.umask(before)
    root = tmp_path / "a" / "uploads"
    assert read(root) == CODE * 2
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (root, root / "results", place(root).parent)]
    assert modes == [0o700, 0o700, 0o755]
    assert stat.S_IMODE(place(root).stat().st_mode) == 0o644
    assert os.listdir(place(root).parent) == ["m.py"]


def write(root: Path) -> bool:
    return write_module(root, HASH, "m", CODE, BOUNDS)


@pytest.mark.parametrize("level", ["results", f"results/{HASH}"])
def test_nothing_is_written_through_a_link(root: Path, tmp_path: Path, level: str) -> None:
    """Not even where it leads to a directory."""
    (tmp_path / "outside" / HASH).mkdir(parents=True)
    (root / level).rename(tmp_path / "moved")
    (root / level).symlink_to(tmp_path / "outside")
    assert reason_of(root, write) == "link"
    assert sorted(path.name for path in (tmp_path / "outside").rglob("*")) == [HASH]


def test_what_stands_in_the_way_is_replaced_or_refused(root: Path, tmp_path: Path) -> None:
    """A link and a FIFO are replaced, where they lead nothing is written; a directory stays."""
    place(root).symlink_to(tmp_path / "secret")
    assert write(root) is False
    assert (tmp_path / "secret").read_bytes() == SECRET
    place(root).unlink()
    os.mkfifo(place(root))
    assert write(root) is False
    assert read(root) == CODE
    place(root).unlink()
    place(root).mkdir()
    assert reason_of(root, write) == "not_a_file"
    assert os.listdir(place(root).parent) == ["m.py"]


def test_bounds(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one module, of all of one hash, of their number. What is replaced does not count."""
    with pytest.raises(PayloadTooLarge, match="LARS_MAX_CODE_BYTES"):
        write_module(root, HASH, "m", b"x" * 1001, BOUNDS)
    for name in "abc":
        write_module(root, HASH, name, b"x" * 1000, BOUNDS)
    assert write_module(root, HASH, "c", b"y" * 1000, BOUNDS) is False
    with pytest.raises(PayloadTooLarge, match=r"limit of 3000 bytes.*LARS_UPLOADS_QUOTA"):
        write_module(root, HASH, "d", b"x", BOUNDS)
    write_module(root, "0" * 40, "d", b"x", BOUNDS)
    monkeypatch.setattr(module_writing, "MAX_MODULES", 3)
    write_module(root, HASH, "c", b"", BOUNDS)
    assert reason_of(root, lambda root: write_module(root, HASH, "d", b"", BOUNDS)) == "count"
    assert sorted(os.listdir(place(root).parent)) == ["a.py", "b.py", "c.py"]


def test_what_a_dead_writer_left(root: Path) -> None:
    """Is removed by the next one; other files are not its."""
    left = place(root).parent / ".m.0123456789abcdef.upload"
    left.write_bytes(b"x" * 10_000)
    other = place(root).parent / "image.png"
    other.write_bytes(b"x" * 10_000)
    write(root)
    assert not left.exists()
    assert other.exists()


def test_a_write_that_fails_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there stays."""
    write(root)

    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_module(root, HASH, "m", b"new", BOUNDS)
    assert read(root) == CODE
    assert os.listdir(place(root).parent) == ["m.py"]


def test_a_lock_that_is_not_given_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer waits for it, not for ever; readers need none."""
    write(root)
    monkeypatch.setattr(places, "_PATIENCE", 0.05)
    holder = os.open(root / "results", os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="another process has had the lock"):
            write(root)
        assert read(root) == CODE
    finally:
        os.close(holder)
    assert write(root) is False


_WRITER = """
import sys
from pathlib import Path
from service.functions.module_writing import Bounds, write_module
number = sys.argv[3]
for turn in range(8):
    write_module(Path(sys.argv[1]), sys.argv[2], "shared", (number * 900).encode(), Bounds(1000, 2900))
try:
    write_module(Path(sys.argv[1]), sys.argv[2], "own" + number, (number * 900).encode(), Bounds(1000, 2900))
    print("kept")
except Exception as error:
    print(type(error).__name__)
"""


def test_writers_at_once(tmp_path: Path) -> None:
    """Every file is whole, and all together keep to the quota."""
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "uploads"), HASH]
    pipe = subprocess.PIPE
    writers = [subprocess.Popen([*command, str(n)], cwd=ROOT, stdout=pipe, text=True) for n in range(4)]
    said = sorted(writer.communicate(timeout=40)[0].strip() for writer in writers)
    assert said == ["PayloadTooLarge"] * 2 + ["kept"] * 2
    files = {path.name: path.read_bytes() for path in place(tmp_path / "uploads").parent.iterdir()}
    assert len(files) == 3
    assert all(len(content) == 900 and len(set(content)) == 1 for content in files.values())


@pytest.mark.parametrize(
    ("contract", "module"), [("..", "m"), (HASH, "../m"), (HASH, "m\0"), ("a" * 39, "m")]
)
async def test_names_that_can_be_none(root: Path, contract: str, module: str) -> None:
    """Reach no file system."""
    uploads = Uploads(root, BOUNDS)
    for work in (uploads.read(contract, module), uploads.write(contract, module, CODE)):
        with pytest.raises(ValidationFailed):
            await work


def test_on_an_event_loop(root: Path, loop_guard: BlockBuster) -> None:
    """Nothing blocks it, a hash is one in either case, and errors are as they are."""

    async def work() -> None:
        uploads = Uploads(root, BOUNDS)
        assert await uploads.write(HASH.upper(), "m", CODE) is True
        assert await uploads.read(HASH, "m") == CODE
        refused: list[LarsError] = []
        for contract, module in ((HASH, "other"), ("0" * 40, "m")):
            with pytest.raises(NotFound) as caught:
                await uploads.read(contract, module)
            refused.append(caught.value)
        assert len({error.detail for error in refused}) == 2
        with pytest.raises(StorageUnavailable, match="LARS_UPLOADS_DIR"):
            await Uploads(Path("/dev/null/uploads"), BOUNDS).write(HASH, "m", CODE)

    asyncio.run(work())
