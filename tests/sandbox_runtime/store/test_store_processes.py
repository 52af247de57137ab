"""Several processes on one file, and processes that die: what was acknowledged is there, once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import DuplicateId, SessionBusy
from sandbox_runtime.store.resource import ResourceStore

ROOT = Path(__file__).resolve().parents[3]


def started(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


WRITER = """
    import sys
    from sandbox_runtime.store.database import SessionDatabase
    database = SessionDatabase(sys.argv[1])
    while True:
        with database.transaction() as session:
            first = session.collection("a").insert({"by": sys.argv[2]})
            session.collection("b").insert({"aId": first["id"]})
            session.collection("log").update("total", {"n": session.collection("log").get("total")["n"] + 1})
        print(first["id"], flush=True)
"""


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = str(tmp_path / "data.db")
    database = SessionDatabase(path)
    with database.transaction() as session:
        session.collection("log").insert({"id": "total", "n": 0})
    database.close()
    acknowledged: list[int] = []
    for round_number in range(6):
        writers = [started(WRITER, path, f"{round_number}.{number}") for number in range(2)]
        acknowledged.extend(int(next_line(writer)) for writer in writers)
        acknowledged.extend(int(next_line(writers[0])) for _ in range(random.randrange(30)))
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            assert writer.stdout is not None
            # A last line may be cut off by death; a whole one was acknowledged.
            lines = writer.stdout.read().splitlines(keepends=True)
            acknowledged.extend(int(line) for line in lines if line.endswith("\n"))
            writer.wait()
            writer.stdout.close()
    database = SessionDatabase(path)
    with database.transaction(write=False) as session:
        there = [record["id"] for record in session.collection("a").list()[0]]
        pairs = [record["aId"] for record in session.collection("b").list()[0]]
        total = session.collection("log").get("total")
    database.close()
    assert len(set(acknowledged)) == len(acknowledged)
    assert set(acknowledged) <= set(there)
    assert there == sorted(set(there)) == pairs
    assert total == {"id": "total", "n": len(there)}
    assert len(there) - len(acknowledged) <= 12  # at most one per writer died between commit and print


COUNTER = """
    import sys
    from sandbox_runtime.store.database import SessionDatabase
    from sandbox_runtime.store.errors import PreconditionFailed
    database = SessionDatabase(sys.argv[1], full_sync=False, busy_seconds=30)
    done = 0
    while done < 100:
        with database.transaction(write=False) as session:
            record, etag = session.collection("c").get("1"), session.collection("c").etag("1")
        try:
            with database.transaction() as session:
                session.collection("c").update("1", {"n": record["n"] + 1}, if_match=etag)
            done += 1
        except PreconditionFailed:
            pass
    print(done)
"""


def test_no_update_is_lost_where_if_match_is_used(tmp_path: Path) -> None:
    path = str(tmp_path / "data.db")
    database = SessionDatabase(path, full_sync=False)
    with database.transaction() as session:
        session.collection("c").insert({"n": 0})
    counters = [started(COUNTER, path) for _ in range(4)]
    for counter in counters:
        assert counter.communicate(timeout=50)[0] == "100\n"
    with database.transaction(write=False) as session:
        assert session.collection("c").get(1) == {"id": 1, "n": 400}
    database.close()


def two(path: str) -> tuple[SessionDatabase, SessionDatabase]:
    return (
        SessionDatabase(path, full_sync=False, busy_seconds=0.05),
        SessionDatabase(path, full_sync=False, busy_seconds=0.05),
    )


def test_a_second_writer_waits_then_says_busy(tmp_path: Path) -> None:
    one, other = two(str(tmp_path / "data.db"))
    one.begin(write=True)
    with pytest.raises(SessionBusy) as refused:
        other.begin(write=True)
    assert refused.value.status == 503
    other.begin(write=False)  # a reader never waits
    other.commit()
    one.commit()
    other.begin(write=True)
    other.rollback()
    one.close()
    other.close()


def test_a_reader_sees_one_moment(tmp_path: Path) -> None:
    one, other = two(str(tmp_path / "data.db"))
    with one.transaction() as session:
        session.collection("c").insert({})
    reader: ResourceStore = other.session_store.collection("c")
    other.begin(write=False)
    with one.transaction() as session:
        session.collection("c").insert({})
    assert reader.list() == ([{"id": 1}], 1)
    assert reader.describe()["count"] == 1
    other.commit()
    other.begin(write=False)
    assert reader.list() == ([{"id": 1}, {"id": 2}], 2)
    other.commit()
    one.close()
    other.close()


def test_counters_follow_what_the_other_process_did(tmp_path: Path) -> None:
    one, other = two(str(tmp_path / "data.db"))
    for turn in range(6):
        with (one, other)[turn % 2].transaction() as session:
            assert session.collection("c").insert({"turn": turn})["id"] == turn + 1
    with one.transaction() as session:
        session.drop("c")
    with other.transaction() as session:
        assert not session.exists("c")
        assert session.collection("c").insert({})["id"] == 1
    with one.transaction() as session:
        assert session.collection("c").insert({})["id"] == 2
    one.close()
    other.close()


def test_what_was_rolled_back_never_was(tmp_path: Path) -> None:
    one, other = two(str(tmp_path / "data.db"))
    one.begin(write=True)
    one.session_store.collection("c").insert({"v": 1})
    one.rollback()
    with one.transaction() as session:
        assert not session.exists("c")
        assert session.collection("c").insert({"v": "text"}) == {"id": 1, "v": "text"}
        assert session.collection("c").describe()["fields"]["v"]["types"] == {"string": 1}
    with pytest.raises(DuplicateId), one.transaction() as session:
        session.collection("c").insert_many([{"id": 50}, {"id": 1}])
    with other.transaction() as session:
        assert session.collection("c").insert({})["id"] == 2
    one.close()
    other.close()


def test_a_copy_is_a_session_of_its_own(tmp_path: Path) -> None:
    one = SessionDatabase(str(tmp_path / "data.db"), full_sync=False)
    with one.transaction() as session:
        session.collection("c").insert({"v": 1})
    one.copy_to(str(tmp_path / "copy.db"))
    copy = SessionDatabase(str(tmp_path / "copy.db"), full_sync=False)
    with copy.transaction() as session:
        assert session.collection("c").insert({"v": 2}) == {"id": 2, "v": 2}
    with one.transaction(write=False) as session:
        assert session.collection("c").list() == ([{"id": 1, "v": 1}], 1)
    one.close()
    copy.close()


def test_a_file_that_two_processes_create_at_once(tmp_path: Path) -> None:
    program = """
        import sys
        from sandbox_runtime.store.database import SessionDatabase
        sys.stdin.read()
        database = SessionDatabase(sys.argv[1], full_sync=False, busy_seconds=20)
        with database.transaction() as session:
            print(session.collection("c").insert({})["id"])
    """
    path = str(tmp_path / "data.db")
    waiting = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), path],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in waiting:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    assert sorted(process.communicate(timeout=30)[0] for process in waiting) == [
        f"{n}\n" for n in range(1, 7)
    ]
