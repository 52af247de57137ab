"""What unjudged code in one session's worker can do: to the host, to other sessions, to its front."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sandbox_runtime.layers import Layer
from service.control.bulletin import Bulletin
from service.errors import NotFound, StoreRefused
from service.sessions.directory import exists
from service.sessions.options import SessionOptions
from tests.isolation.attack import PRELUDE
from tests.isolation.host import with_numbers
from tests.isolation.session_attacks import ATTACKS, LIES, SENDER, Lie, SessionAttack
from tests.isolation.session_worker import Said, SessionRoom, mine, session_room
from tests.support import wait_until

_CONTROLLED = [attack for attack in ATTACKS if not attack.no_control]
# The worker's own module, whose functions the next requests of the session go through.
_OWN = """
import sys
frame = sys._getframe()
while frame.f_code.co_name != "serve" or "operate" not in frame.f_globals: frame = frame.f_back
worker = frame.f_globals
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionRoom]:
    root = tmp_path_factory.mktemp("sessions")
    with session_room(root) as room:
        yield room
    # What a failed test leaves may be too deep for pytest's own clearing up.
    subprocess.run(["rm", "-rf", str(root)], check=True)


@pytest.fixture(scope="module")
def bare_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionRoom]:
    """Without Landlock, so that a session can make what is no regular file: the service must bear it."""
    root = tmp_path_factory.mktemp("bare")
    with session_room(root, without=(Layer.LANDLOCK,)) as room:
        yield room
    subprocess.run(["rm", "-rf", str(root)], check=True)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("a secret")
    path.chmod(0o644)
    return path


def program_of(attack: SessionAttack, room: SessionRoom, secret: Path) -> str:
    room.plain("other")
    return attack.program.replace("@SECRET@", str(secret)).replace("@OTHER@", str(room.directory("other")))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_fails_in_a_session(attack: SessionAttack, room: SessionRoom, secret: Path) -> None:
    assert room.attack(attack.name, program_of(attack, room, secret)) == Said(200, attack.said, headers={})


@pytest.mark.parametrize("attack", _CONTROLLED, ids=lambda attack: attack.name)
def test_control_attack_works_outside(
    attack: SessionAttack, room: SessionRoom, secret: Path, tmp_path: Path
) -> None:
    assert _outside(program_of(attack, room, secret), tmp_path) == attack.control != attack.said


def _outside(program: str, directory: Path) -> Any:
    keep = "\nimport json; json.dump(said, open('said', 'w'))"
    opened = os.open(directory, os.O_RDONLY)
    try:
        with (directory / "out").open("wb") as out:
            text = with_numbers(PRELUDE + program) + keep
            subprocess.run(
                [sys.executable, "-c", text],
                cwd=directory,
                stdout=out,
                pass_fds=[opened],
                check=True,
                timeout=20,
            )
    finally:
        os.close(opened)
    return json.loads((directory / "said").read_text())


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_harms_only_its_own_request(lie: Lie, room: SessionRoom) -> None:
    """The session goes on with another worker, and the neighbour's never noticed."""
    room.plain("neighbour")
    said = room.attack(lie.name, SENDER + lie.program + "\ntime.sleep(30)", seconds=1.0)
    if lie.error:
        assert said == Said(error=lie.error)
    else:
        assert (said.status, said.error) in {(lie.status, ""), (0, "RunTimeout")}
    # Its worker was killed, or still sleeps and is killed at the deadline: then it is another's turn.
    wait_until(lambda: room.plain(lie.name, seconds=0.5) == Said(200, [], headers={}), "an honest answer", 10)
    assert room.plain("neighbour") == Said(200, [], headers={})


def test_what_a_worker_says_unasked_is_its_end(room: SessionRoom) -> None:
    later = SENDER + (
        "import signal\n"
        "def later(*_):\n"
        "    if os.path.exists('go'):\n"
        "        os.unlink('go')\n"
        "        %s\n"
        "signal.signal(signal.SIGALRM, later)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        "said = os.getpid()"
    )
    for what in ("reply()", "frame(18, b'1')", "os.write(3, b'x' * 1_000_000)"):
        first = room.attack("unasked", later % what).body
        go = room.directory("unasked") / "go"
        go.touch()
        wait_until(partial(_is_gone, go), "the worker has seen it")
        wait_until(partial(_has_another_worker, room, "unasked", first), "another worker")


def _is_gone(path: Path) -> bool:
    return not path.exists()


def _has_another_worker(room: SessionRoom, name: str, pid: int) -> bool:
    return room.attack(name, "said = os.getpid()").body not in {pid, None}


def test_no_worker_is_ever_bound_again(tmp_path: Path) -> None:
    """One worker may be bound at a time: what poisons it goes with it, and the next session has another."""
    poison = "import sys; said = [os.getpid(), 'poison' in vars(sys)]; sys.poison = True"
    with session_room(tmp_path, LARS_SESSION_WORKERS="1") as room:
        pid, poisoned = room.attack("a", poison).body
        assert not poisoned
        assert room.attack("a", poison).body == [pid, True]  # a session shares fate with itself
        seen = {pid}
        for name in ("b", "c", "a", "b"):
            other, poisoned = room.attack(name, poison).body
            assert not poisoned
            assert other not in seen
            seen.add(other)


def test_a_fork_shares_no_file_with_its_origin(room: SessionRoom) -> None:
    """Its maker keeps a link to the copy that it made; the new session's data are another file."""
    room.attack(
        "origin",
        _OWN
        + """
made = worker["operate"]
def operate(database, name, options, file):
    done = made(database, name, options, file)
    if name == "fork": os.link("fork.db", "kept.db")
    return done
worker["operate"] = operate""",
    )
    room.administer(lambda ask: ask.fork(mine("origin"), mine("copy")))
    kept, data = room.directory("origin") / "kept.db", room.directory("copy") / "data.db"
    assert kept.read_bytes() == data.read_bytes()
    assert not kept.samefile(data)
    assert (kept.stat().st_nlink, data.stat().st_nlink) == (1, 1)


@pytest.mark.parametrize(
    "instead",
    ["os.symlink('@SECRET@', 'fork.db')", "os.mkfifo('fork.db')", "os.mkdir('fork.db')", "pass"],
    ids=["link", "fifo", "directory", "nothing"],
)
def test_a_fork_of_what_is_no_file(
    instead: str, bare_room: SessionRoom, secret: Path, request: pytest.FixtureRequest
) -> None:
    room = bare_room
    name = request.node.callspec.id
    program = f"""
def operate(database, name, options, file):
    {instead.replace("@SECRET@", str(secret))}
    return {{"file": "fork.db", "bytes": 1}}
worker["operate"] = operate"""
    room.attack(name, _OWN + program)
    with pytest.raises(OSError, match=r"fork\.db|directory"):
        room.administer(lambda ask: ask.fork(mine(name), mine(f"{name}-copy")))
    assert not exists(room.settings.data_root, mine(f"{name}-copy"))
    assert list(room.directory(f"{name}-copy").parent.glob("*.????????????????")) == []


_OBSTACLES = {
    "directories-3000-deep": "for _ in range(3000): os.mkdir('d'); os.chdir('d')",
    "directories-without-rights": "os.makedirs('a/b/c'); os.chmod('a/b', 0); os.chmod('a', 0)",
    "a-root-without-rights": "os.chmod('/', 0)",
    "a-link-to-elsewhere": "os.symlink('@KEEP@', 'link'); os.mkdir('d'); os.symlink('@KEEP@', 'd/link')",
    "a-fifo": "os.mkfifo('fifo')",
    "data-that-is-a-directory": "os.rename('data.db', 'x'); os.mkdir('data.db')",
    "data-that-is-a-fifo": "os.rename('data.db', 'x'); os.mkfifo('data.db')",
    "data-that-is-a-link": "os.rename('data.db', 'x'); os.symlink('@KEEP@/file', 'data.db')",
    "data-of-zeros": "open('data.db', 'r+b').write(bytes(8192))",
    "no-data": "os.rename('data.db', 'x')",
}


@pytest.mark.parametrize("obstacle", _OBSTACLES)
@pytest.mark.parametrize("worker", ["lives", "dead"])
def test_every_session_can_be_deleted(
    obstacle: str, worker: str, bare_room: SessionRoom, tmp_path: Path
) -> None:
    """All of it goes, nothing else, and the next request begins with none."""
    room = bare_room
    (tmp_path / "file").write_text("kept")
    name = f"{obstacle}-{worker}"
    assert room.attack(name, _OBSTACLES[obstacle].replace("@KEEP@", str(tmp_path))).status == 200
    if worker == "dead":
        assert room.attack(name, "os._exit(1)").error == "WorkerLost"
    room.administer(lambda ask: ask.delete(mine(name)))
    assert list(room.directory(name).parent.glob(f"{room.directory(name).name}*")) == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert room.plain(name) == Said(200, [], headers={})


@pytest.mark.parametrize(
    "answer",
    [
        '(None, worker["Reply"](200, last=False))',
        '(None, worker["Reply"](500, trouble=worker["Trouble"]("store_damaged", "", {})))',
        '(None, worker["Reply"](500, trouble=worker["Trouble"]("no such code", "", {})))',
    ],
    ids=["stays", "damaged", "unknown"],
)
def test_a_worker_cannot_outlive_its_session(
    answer: str, room: SessionRoom, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    before = room.attack(name, _OWN + f"worker['_operate'] = lambda *_: {answer}\nsaid = os.getpid()").body
    room.administer(lambda ask: ask.delete(mine(name)))
    assert room.attack(name, "said = os.getpid()").body != before
    assert (room.directory(name) / "data.db").is_file()


def test_a_busy_worker_is_asked_again(room: SessionRoom) -> None:
    """While somebody may be writing, a deletion is refused; by a fresh worker it is done."""
    busy = '(None, worker["Reply"](503, trouble=worker["Trouble"]("session_busy", "", {})))'
    room.attack("busy", _OWN + f"worker['_operate'] = lambda *_: {busy}")
    with pytest.raises(StoreRefused):
        room.administer(lambda ask: ask.delete(mine("busy")))
    room.administer(lambda ask: ask.delete(mine("busy")))
    with pytest.raises(NotFound):
        room.administer(lambda ask: ask.delete(mine("busy")))


def test_data_that_are_a_link_tell_nothing_of_the_host(bare_room: SessionRoom, secret: Path) -> None:
    """A session that holds a link is there whether or not the link leads anywhere."""
    room = bare_room
    for name, target in (("leads", secret), ("leads-nowhere", secret.with_name("none"))):
        room.attack(name, f"os.rename('data.db', 'x'); os.symlink('{target}', 'data.db')")
        assert room.attack(name, "os._exit(1)").error == "WorkerLost"
        assert exists(room.settings.data_root, mine(name))
        assert room.plain(name).status in {200, 503}
    assert secret.read_text() == "a secret"
    assert not secret.with_name("none").exists()


@pytest.fixture
def fronts(tmp_path: Path) -> Iterator[list[SessionRoom]]:
    """Two, over the same data."""
    shared = Bulletin()
    with session_room(tmp_path, bulletin=shared) as one, session_room(tmp_path, bulletin=shared) as other:
        yield [one, other]


_INSERT = "REPLY = make_response(201, session_store.collection('n').insert({{'by': {by}}})['by'])"
_ALL = "REPLY = make_response(200, [each['by'] for each in session_store.collection('n').search({})])"


def test_a_worker_that_saw_nothing_does_not_write_into_what_was_removed(fronts: list[SessionRoom]) -> None:
    one, other = fronts
    for turn in range(3):
        assert other.plain("s", _ALL, write=False).body == []
        assert one.plain("s", _INSERT.format(by=-1)).status == 201
        one.administer(lambda ask: ask.delete(mine("s")))
        assert other.plain("s", _INSERT.format(by=turn)).status == 201
        assert [front.plain("s", _ALL).body for front in fronts] == [[turn], [turn]]
        other.administer(lambda ask: ask.delete(mine("s")))


def test_what_is_acknowledged_after_a_deletion_stays(fronts: list[SessionRoom]) -> None:
    """Both fronts write while one deletes; then all is quiet, and what they say was kept is kept."""
    one, _ = fronts
    for turn in range(25):
        name = f"race-{turn}"
        for front in fronts:
            front.plain(name, _INSERT.format(by=-1))
        writing = [front.ask(name, _INSERT.format(by=-2)) for _ in range(4) for front in fronts]
        one.administer(lambda ask: ask.delete(mine(name)))  # noqa: B023 - it is over before the next turn
        assert {said.result(20).status for said in writing} == {201}
        for number in range(4):
            assert fronts[number % 2].plain(name, _INSERT.format(by=number)).body == number
        assert [front.plain(name, _ALL).body[-4:] for front in fronts] == [[0, 1, 2, 3]] * 2


def test_a_session_is_deleted_for_all_also_where_nothing_can_be_written(fronts: list[SessionRoom]) -> None:
    """As on a disk that is full, which a deletion is to make room on: the other front's worker, which has the
    file open, is not told by it."""
    one, other = fronts
    for turn in range(3):
        assert other.plain("s", _INSERT.format(by=-1)).status == 201
        assert other.plain("s", _ALL).body == [-1]
        log = one.directory("s") / "data.db-wal"
        log.unlink()
        log.mkdir()
        assert one.plain("s", _ALL).code == "storage_unavailable"
        one.administer(lambda ask: ask.delete(mine("s")))
        assert other.plain("s", _INSERT.format(by=turn)).status == 201
        assert [front.plain("s", _ALL).body for front in fronts] == [[turn], [turn]]
        other.administer(lambda ask: ask.delete(mine("s")))


def test_many_forks_at_once_are_all_whole(fronts: list[SessionRoom]) -> None:
    one, _ = fronts
    fill = """
store = session_store.collection('n')
for n in range(2000):
    store.insert({'by': n, 'text': 'x' * 500})
"""
    assert one.plain("full", fill + "REPLY = make_response(201, 'by')").status == 201
    forks = [front.fork("full", f"copy-{n}") for n, front in enumerate(fronts * 4)]
    assert {made.result(40)["bytes"] > 1_000_000 for made in forks} == {True}
    for n in range(8):
        assert one.plain(f"copy-{n}", _ALL).body == list(range(2000))
        assert one.plain(f"copy-{n}", _INSERT.format(by=2000)).status == 201
    assert one.plain("full", _ALL).body == list(range(2000))


def test_an_operation_on_a_deleted_session_ends(fronts: list[SessionRoom]) -> None:
    """The other front's worker still has the file that is gone."""
    one, other = fronts
    for front in fronts:
        front.plain("s", _INSERT.format(by=1))
    one.administer(lambda ask: ask.delete(mine("s")))
    one.plain("s", _INSERT.format(by=2))
    assert other.administer(lambda ask: ask.describe(mine("s")))["collections"]["n"]["records"] == 1


def test_options_change_at_once(fronts: list[SessionRoom]) -> None:
    one, _ = fronts
    one.together(lambda ask: ask.configure(mine("s"), SessionOptions("json-server")), 40)
    assert list(one.directory("s").parent.glob("*.options")) == [
        one.directory("s").with_name(one.directory("s").name + ".options")
    ]
