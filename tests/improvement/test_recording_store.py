"""The file of recorded calls: what it keeps, how large it gets, who may read it, and what it does when it is
none."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.functions.call_file import PAGE
from service.functions.call_store import Batch, CallStore, Kept, Noted
from service.functions.pending_calls import MAX_CALL, PendingCalls, size_of
from service.functions.recorded_call import RecordedCall
from service.functions.values import Function, FunctionSpec, Recording
from tests.functions.api import hash_of
from tests.isolation.contract_worker import ContractRoom, contract_of, contract_room

HASH = hash_of(__name__)
DIGEST = "d" * 64
SMALL = 100 * PAGE  # bytes of a file; 64 pages of them are kept free for the next call
NAMES = ("f", "g", "h")


def call(time: float, size: int = 10, digest: str = DIGEST) -> RecordedCall:
    """One that brought and returned nothing but its argument, of so many bytes."""
    return RecordedCall(digest, None, b"x" * size, None, None, 0.5, time)


def batch(calls: Sequence[RecordedCall], most: int = 1000, revision: int = 7, too_long: int = 0) -> Batch:
    return Batch([Noted(revision, size_of(each), each) for each in calls], too_long, most)


def file_of(root: Path, contract: str = HASH) -> Path:
    return root / "contracts" / contract / "calls.db"


def times(store: CallStore, name: str = "f") -> list[float]:
    return [each.time for each in store.calls(HASH, name, DIGEST)]


@pytest.mark.parametrize(
    "kept",
    [
        RecordedCall(DIGEST, None, None, b"1", None, 0.0, 1.0),
        RecordedCall(DIGEST, {"a": "\u00e9\x00", "b": ["1", ""]}, None, None, "ValueError", 1e-6, 1.5),
        RecordedCall(DIGEST, {}, b'{"a": "\xc3\xa9"}', b'"\xf0\x9f\x90\x8d"', None, 2.0, 2.0),
    ],
)
def test_a_call_is_kept_as_it_was(tmp_path: Path, kept: RecordedCall) -> None:
    """Of the version that answered it; and told of in all."""
    store = CallStore(tmp_path)
    store.add(HASH, {"f": batch([kept, call(9.0, digest="e" * 64)], too_long=3)})
    assert store.calls(HASH, "f", DIGEST) == (kept,)
    assert store.calls(HASH, "g", DIGEST) == ()
    assert store.kept(HASH, "f") == Kept(2, size_of(kept) + 10, kept.time, 9.0, 3)
    assert store.kept(HASH, "g") == Kept()


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Neither file nor directory; nothing lies beside it."""
    root = tmp_path / "made" / "too"
    CallStore(root).add(HASH, {"f": batch([call(1.0)])})
    file = file_of(root)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]
    assert list(file.parent.iterdir()) == [file]


def test_what_only_looks_makes_nothing(tmp_path: Path) -> None:
    store = CallStore(tmp_path / "data")
    assert (store.calls(HASH, "f", DIGEST), store.kept(HASH, "f")) == ((), Kept())
    store.erase(HASH, "f", 1)
    assert list(tmp_path.iterdir()) == []


batches = st.lists(
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 99), st.integers(0, 9000)), max_size=12),
    max_size=6,
)


@given(batches, st.integers(1, 8))
def test_the_newest_of_each_function_are_kept(rounds: list[list[tuple[str, int, int]]], most: int) -> None:
    """However they come: so many of each, and of all together what the file has room for, where the oldest go
    first."""
    with TemporaryDirectory() as directory:
        store = CallStore(Path(directory), SMALL)
        sent: dict[str, list[float]] = {name: [] for name in NAMES}
        number = 0.0
        for calls in rounds:
            taken: dict[str, list[RecordedCall]] = {}
            for name, at, size in calls:
                number += 1e-6  # no two at once
                taken.setdefault(name, []).append(call(at + number, size))
                sent[name].append(at + number)
            store.add(HASH, {name: batch(each, most) for name, each in taken.items()})
        kept = {name: times(store, name) for name in NAMES}
        size = file_of(Path(directory)).stat().st_size if number else 0
    assert size <= SMALL
    for name in NAMES:
        newest = sorted(sent[name])[-most:]
        assert kept[name] == newest[len(newest) - len(kept[name]) :]
    if sum(size for calls in rounds for *_, size in calls) < (SMALL - 64 * PAGE) // 4:
        assert [len(kept[name]) for name in NAMES] == [min(most, len(sent[name])) for name in NAMES]


def test_a_full_file_keeps_the_newest_of_all(tmp_path: Path) -> None:
    """As much as it has room for, and no more."""
    store = CallStore(tmp_path, SMALL * 2)
    for number in range(40):
        store.add(HASH, {NAMES[number % 3]: batch([call(number, 16 << 10)])})
    kept = sorted(time for name in NAMES for time in times(store, name))
    assert kept == [float(number) for number in range(40 - len(kept), 40)]
    assert 25 <= len(kept) < 40
    assert file_of(tmp_path).stat().st_size <= SMALL * 2
    assert store.kept(HASH, "f").size == 16 * 1024 * len(times(store, "f"))


def test_two_fronts_write_at_once(tmp_path: Path) -> None:
    """To a file that neither has made; what one has written, the other does not lose."""

    def write(front: int) -> None:
        store = CallStore(tmp_path)
        for number in range(20):
            store.add(HASH, {"f": batch([call(number + front / 2)]), f"own{front}": batch([call(number)])})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (0, 1)))
    store = CallStore(tmp_path)
    assert times(store) == [number / 2 for number in range(40)]
    assert [len(times(store, f"own{front}")) for front in (0, 1)] == [20, 20]


def test_what_is_erased_is_gone(tmp_path: Path) -> None:
    """From the file as well; other functions' calls stay. What was noted before is not written after."""
    store = CallStore(tmp_path)
    secret = RecordedCall(DIGEST, None, b"a secret" * 1000, None, None, 0.0, 1.0)
    store.add(HASH, {"f": batch([secret], too_long=1), "g": batch([call(1.0)])})
    before = file_of(tmp_path).stat().st_size
    assert b"a secret" in file_of(tmp_path).read_bytes()
    store.erase(HASH, "f", 8)
    assert b"a secret" not in file_of(tmp_path).read_bytes()
    assert file_of(tmp_path).stat().st_size < before
    assert store.kept(HASH, "f") == Kept()
    assert times(store, "g") == [1.0]
    store.add(HASH, {"f": batch([call(2.0)], revision=7)})
    assert times(store) == []
    store.add(HASH, {"f": batch([call(3.0)], revision=8)})
    assert times(store) == [3.0]


def test_it_is_recorded_again(tmp_path: Path) -> None:
    """Fewer calls: the others go at once. After the control database was restored from a copy that is older
    than the erasure, calls are kept again."""
    store = CallStore(tmp_path)
    store.prepare(HASH, "f", 5, 1)
    store.add(HASH, {"f": batch([call(number) for number in range(5)], 5)})
    store.prepare(HASH, "f", 2, 7)
    assert times(store) == [3.0, 4.0]
    store.erase(HASH, "f", 99)
    store.prepare(HASH, "f", 2, 99)
    store.add(HASH, {"f": batch([call(1.0)], 2, revision=50)})
    assert times(store) == []
    store.prepare(HASH, "f", 2, 50)
    store.add(HASH, {"f": batch([call(1.0)], 2, revision=50)})
    assert times(store) == [1.0]


def test_there_is_no_room(tmp_path: Path) -> None:
    """All of a batch is kept, or nothing of it, and what was there before."""
    with pytest.raises(sqlite3.OperationalError, match="full"):
        CallStore(tmp_path, 2 * PAGE).add(HASH, {"f": batch([call(0.0)])})
    CallStore(tmp_path).add(HASH, {"f": batch([call(1.0)])})
    with pytest.raises(sqlite3.OperationalError, match="full"):
        CallStore(tmp_path, 10 * PAGE).add(HASH, {"g": batch([call(2.0), call(3.0, 60_000)])})
    assert [times(CallStore(tmp_path), name) for name in NAMES] == [[1.0], [], []]


def foreign(file: Path) -> None:
    file.write_bytes(b"what somebody wrote here" * 1000)


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")


def link(file: Path) -> None:
    target = file.parent.parent / "target"
    target.write_bytes(b"")
    file.symlink_to(target)


@pytest.mark.parametrize("spoil", [foreign, newer, link, Path.mkdir])
def test_what_is_no_such_file(tmp_path: Path, spoil: object) -> None:
    """Is neither read nor changed."""
    store = CallStore(tmp_path)
    file = file_of(tmp_path)
    file.parent.mkdir(parents=True)
    assert callable(spoil)
    spoil(file)
    before = file.lstat()
    for work in (
        lambda: store.add(HASH, {"f": batch([call(1.0)])}),
        lambda: store.kept(HASH, "f"),
        lambda: store.calls(HASH, "f", DIGEST),
        lambda: store.erase(HASH, "f", 1),
        lambda: store.prepare(HASH, "f", 1, 1),
    ):
        with pytest.raises((OSError, sqlite3.Error)):
            work()
    after = file.lstat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("linked", ["contracts", f"contracts/{HASH}"])
def test_no_link_is_followed(tmp_path: Path, linked: str) -> None:
    """Wherever in the path it is."""
    root, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / linked).parent.mkdir(parents=True)
    (root / linked).symlink_to(elsewhere)
    with pytest.raises(NotADirectoryError):
        CallStore(root).add(HASH, {"f": batch([call(1.0)])})
    assert list(elsewhere.iterdir()) == []


FUNCTION = Function(
    FunctionSpec(HASH, "f", "m", "/f"), 1, DIGEST, "{}", None, True, 0.0, 0.0, 3, "x", Recording(100, 5)
)


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, MAX_CALL + 1)), max_size=60), st.integers(1, 8)
)
def test_memory_is_bounded(sizes: list[tuple[str, int]], most: int) -> None:
    """The newest of each function, as many as are kept, in so many bytes; nothing is counted twice when it
    could not be written and comes back."""
    pending, recorded = PendingCalls(300_000), dict.fromkeys(NAMES, Recording(100, most))
    for number, (name, size) in enumerate(sizes):
        spec = FunctionSpec(HASH, name, "m", "/f")
        function = Function(spec, 1, DIGEST, "{}", None, True, 0.0, 0.0, 3, "x", recorded[name])
        pending.note(function, recorded[name], call(number, size))
        if number % 7 == 0:
            pending.put_back(HASH, pending.take(HASH, recorded))
    taken = pending.take(HASH, recorded)
    assert sum(each.size for kept in taken.values() for each in kept.calls) <= 300_000
    for name, kept in taken.items():
        sent = [float(n) for n, (own, size) in enumerate(sizes) if own == name and size <= MAX_CALL]
        found = [each.call.time for each in kept.calls]
        assert found == sent[len(sent) - len(found) :]
        assert len(found) <= most
        assert kept.too_long == sum(own == name and size > MAX_CALL for own, size in sizes)
    for number in range(60):  # it has room for as much as at first
        pending.note(FUNCTION, Recording(100, 60), call(number, 40_000))
    assert len(pending.take(HASH, {"f": Recording(100, 60)})["f"].calls) == 7


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractRoom]:
    root = tmp_path_factory.mktemp("recorded")
    root.chmod(0o755)
    with contract_room(root) as room:
        yield room


def test_a_module_cannot_read_them(room: ContractRoom) -> None:
    """Though nobody has judged it, and whoever can write the uploads has put a link there: neither of its own
    contract nor of another's; nor where a contract without uploads is at home."""
    root = room.limits.spare.parent
    names = ("with uploads", "without")
    for name in names:
        CallStore(root).add(contract_of(name).visible_pixel_hash, {"f": batch([call(1.0)])})
    (room.home("with uploads") / "link").symlink_to(file_of(root, contract_of(names[0]).visible_pixel_hash))
    files = [str(file_of(root, contract_of(name).visible_pixel_hash)) for name in names]
    beside = [f"../{Path(file).parent.name}/calls.db" for file in files]
    paths = [*files, *beside, "link", "calls.db", "../calls.db", "/calls.db"]
    text = f"said = [tried(lambda p=p: open(p, 'rb').read() and 'read') for p in {paths!r}]"
    for name in names:
        said = room.attack(name, text).value
        assert len(said) == len(paths)
        assert set(said) <= {"ENOENT", "EACCES"}
    assert all(Path(file).stat().st_size for file in files)
