"""What is exported and imported, or forked, is the same session."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox_runtime.session_operations import operate
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import SessionGone
from tests.sandbox_runtime.session_operations.archives import (
    export,
    fill,
    import_,
    opened,
    packed,
    state,
    unpacked,
)

# What UTF-8 can say, and SQLite.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
NAMES = st.one_of(
    TEXTS.filter(bool),
    st.sampled_from(("a.b~c", "a.meta", "..", ".", "/", "../x", ".schemas", "%2E", "a%", "\n", "é" * 128)),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
RECORDS = st.dictionaries(TEXTS.filter(lambda name: name != "id"), VALUES, max_size=4)
SESSIONS = st.dictionaries(NAMES, st.lists(RECORDS, max_size=4), max_size=4)


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(SESSIONS, st.data())
def test_an_export_imported_elsewhere_is_the_same_session(
    collections: dict[str, list[dict[str, object]]], data: st.DataObject
) -> None:
    with opened() as one, opened() as two:
        with one.transaction() as session:
            for name, records in collections.items():
                store = session.collection(name)
                store.raise_auto_id(data.draw(st.integers(1, 2**63 - 20)))
                made = store.insert_many(records)
                for record in made:
                    if data.draw(st.booleans()):
                        store.delete(record["id"])
        archive = export(one)
        import_(two, archive)
        assert state(two) == state(one)
        assert _with_types(state(two)) == _with_types(state(one))
        assert export(one) == archive


def _with_types(value: object) -> str:
    # In Python, the values 1, 1.0 and True are equal.
    return repr(sorted(value.items())) if isinstance(value, dict) else repr(value)


def test_ids_that_were_given_out_are_not_given_out_again() -> None:
    with opened({"c": [{"v": 1}, {"v": 2}, {"id": "x"}]}) as one, opened() as two:
        with one.transaction() as session:
            session.collection("c").delete(2)
        import_(two, export(one))
        with two.transaction() as session:
            assert session.collection("c").insert({}) == {"id": 3}


def test_the_files_are_the_seeds() -> None:
    with opened({"users": [{"name": "Alice"}, {"name": "Bob", "big": 2**70}]}) as database:
        with database.transaction() as session:
            session.collection("empty").raise_auto_id(7)
        assert unpacked(export(database)) == {
            ".schemas/empty.json": b'{"fields":[],"example":null,"types":{}}\n',
            ".schemas/empty.meta.json": b'{"auto_id":7}\n',
            ".schemas/users.json": (
                b'{"fields":["big","id","name"],'
                b'"example": {"id":2,"name":"Bob","big":1180591620717411303424},'
                b'"types":{"id":{"types":{"integer":2},"required":1.0},"name":{"types":{"string":2},'
                b'"required":1.0},"big":{"types":{"integer":1},"required":0.5}}}\n'
            ),
            ".schemas/users.meta.json": b'{"auto_id":3}\n',
            "empty.json": b"[]\n",
            "users.json": (
                b'[\n{"id":1,"name":"Alice"},\n {"id":2,"name":"Bob","big":1180591620717411303424}\n]\n'
            ),
        }


@pytest.mark.parametrize(
    "name", ["a.b~c", "..", "../../etc/passwd", ".schemas", "a.meta", "日" * 128, "\r\n"]
)
def test_no_name_leads_out_of_the_archive(name: str) -> None:
    with opened({name: [{"v": 1}]}) as one, opened() as two:
        archive = export(one)
        for member in unpacked(archive):
            assert member.isascii()
            assert member.isprintable()
            assert ".." not in member
            assert member.removeprefix(".schemas/").count("/") == 0
        import_(two, archive)
        assert state(two) == {name: ([{"id": 1, "v": 1}], 2)}


def test_a_session_that_was_ended_is_not_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = SessionDatabase(full_sync=False), SessionDatabase(full_sync=False)
    two.end()
    with pytest.raises(SessionGone):
        operate(one, "fork", {}, None)
    assert not (tmp_path / "fork.db").exists()
    one.close()
    two.close()


def test_an_empty_session_is_an_empty_archive() -> None:
    with opened() as one, opened() as two:
        assert export(one) == bytes(1024)
        assert import_(two, export(one)) == {"collections": {}, "records": 0}


def test_types_are_learned_from_what_is_imported() -> None:
    with opened({"c": [{"v": 1}, {"v": "x"}]}) as one, opened() as two:
        import_(two, export(one))
        described = operate(two, "describe", {}, None)
    assert isinstance(described["bytes"], int)
    assert described["bytes"] > 0
    assert described["collections"] == {
        "c": {
            "records": 2,
            "next_id": 3,
            "observed": 2,
            "complete": True,
            "fields": {
                "id": {"types": {"integer": 2}, "required": 1.0},
                "v": {"types": {"integer": 1, "string": 1}, "required": 1.0},
            },
            "example": {"id": 2, "v": "x"},
            "indexes": [],
        }
    }


def test_describe_names_the_indexes() -> None:
    with opened({"c": [{"v": number % 10, "w": {"x": number}} for number in range(1000)]}) as database:
        for field in ("w.x", "v"):
            for _ in range(3):
                with database.transaction(write=False) as session:
                    session.collection("c").search({field: "1"})
        described = operate(database, "describe", {}, None)["collections"]
    assert isinstance(described, dict)
    assert described["c"]["indexes"] == ["v", "w.x"]


def test_more_than_one_fetch_and_more_than_the_time_of_one_transaction() -> None:
    many: list[dict[str, object]] = [{"v": "x" * 1000} for _ in range(20_000)]
    with opened(seconds=20) as filled, opened(seconds=0.001) as other:
        fill(filled, {"c": many})
        archive = export(filled)
        assert import_(other, archive) == {"collections": {"c": 20_000}, "records": 20_000}
        assert len(archive) > 20_000_000
        assert export(other) == archive


def test_an_export_is_one_moment(tmp_path: Path) -> None:
    path = str(tmp_path / "data.db")
    reader, writer = SessionDatabase(path, full_sync=False), SessionDatabase(path, full_sync=False)
    fill(writer, {name: [{"v": "x" * 500_000} for _ in range(4)] for name in "ab"})
    output, source = os.pipe()[::-1]
    pieces = []
    try:
        child = os.fork()
        if child == 0:
            try:
                # The pipe is full long before the end, so the writer below comes in between.
                operate(SessionDatabase(path, full_sync=False), "export", {}, output)
            finally:
                os._exit(0)
        os.close(output)
        pieces.append(os.read(source, 65536))
        with writer.transaction() as session:
            session.drop("b")
            session.collection("a").insert({"v": "late"})
        while piece := os.read(source, 1 << 20):
            pieces.append(piece)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        os.close(source)
        reader.close()
        writer.close()
    files = unpacked(b"".join(pieces))
    assert sorted(files) == [
        ".schemas/a.json",
        ".schemas/a.meta.json",
        ".schemas/b.json",
        ".schemas/b.meta.json",
        "a.json",
        "b.json",
    ]
    assert b"late" not in files["a.json"]
    assert files["b.json"].count(b"\n") == 6


@pytest.mark.parametrize(
    ("kind", "long"),
    [(tarfile.USTAR_FORMAT, "x" * 93), (tarfile.GNU_FORMAT, "x" * 120), (tarfile.PAX_FORMAT, "é" * 120)],
)
def test_archives_of_other_programs_are_read(kind: int, long: str) -> None:
    files = {
        "./": b"",
        "./users.json": b'[{"id": 5, "name": "A"}]',
        "./.schemas/": b"",
        "./.schemas/users.meta.json": b'{\n "auto_id": 9\n}',
        "./.schemas/users.json": b'{"fields": ["id"], "example": {}, "updated_at": "2025-10-10"}',
        f"./.schemas/{long}.json": b"{}",
        f"{long}.json": b"[]",
        "./a.b.json": b"\xef\xbb\xbf [ ]",
    }

    def edit(member: tarfile.TarInfo) -> None:
        member.pax_headers = {"SCHILY.xattr.user.x": "y", "mtime": "1.5"}
        if member.name.endswith("/"):
            member.type = tarfile.DIRTYPE

    with opened() as database:
        assert import_(database, packed(files, edit, kind)) == {
            "collections": {"users": 1, long: 0, "a.b": 0},
            "records": 1,
        }
        assert state(database) == {
            "users": ([{"id": 5, "name": "A"}], 9),
            long: ([], 1),
            "a.b": ([], 1),
        }


def test_a_fork_goes_its_own_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fork.db").write_bytes(b"left over")
    (tmp_path / "fork.db-wal").write_bytes(b"left over")
    one = SessionDatabase("data.db", full_sync=False)
    fill(one, {"c": [{"v": 1}, {"v": 2}]})
    with one.transaction() as session:
        session.collection("c").delete(2)
    result = operate(one, "fork", {}, None)
    assert result == {"file": "fork.db", "bytes": (tmp_path / "fork.db").stat().st_size}
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("fork")) == ["fork.db"]
    two = SessionDatabase("fork.db", full_sync=False)
    assert state(two) == state(one) == {"c": ([{"id": 1, "v": 1}], 3)}
    with two.transaction() as session:
        assert session.collection("c").insert({}) == {"id": 3}
    assert state(one) == {"c": ([{"id": 1, "v": 1}], 3)}
    one.close()
    two.close()
