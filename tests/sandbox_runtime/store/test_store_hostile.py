"""Queries and data meant to break in, to never end, or to fill the disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import BadQuery, Damaged, QuotaExceeded, StoreError, TooSlow
from sandbox_runtime.store.resource import ResourceStore

INJECTIONS = (
    "' OR 1=1 --",
    '" OR ""="',
    "'); DROP TABLE r1; --",
    "$.secret",
    "a') UNION SELECT name FROM sqlite_master --",
    "x'01'",
    "?1",
    ":a",
    "\\' OR 1=1",
    "%",
    "_",
    "\x1a",
    "\u2018 OR 1=1",
    "a\\",
    "]",
)
OPERATORS = "eq ne gt gte lt lte in contains icontains startswith endswith like".split()


@pytest.fixture
def database() -> Iterator[SessionDatabase]:
    opened = SessionDatabase(":memory:", full_sync=False, seconds=2)
    opened.begin(write=True)
    opened.session_store.collection("secrets").insert({"secret": "hidden"})
    yield opened
    opened.rollback()
    opened.close()


@pytest.fixture
def store(database: SessionDatabase) -> ResourceStore:
    made = database.session_store.collection("things")
    made.insert_many([{"v": "plain"}, {"v": 1}])
    return made


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_sql_as_a_value_is_only_a_text(store: ResourceStore, text: str, operator: str) -> None:
    store.insert({"v": text})
    found = store.search({f"v__{operator}": text})
    values = [record["v"] for record in found]
    if operator in {"ne", "gt", "lt"}:
        assert text not in values
    elif operator in {"gte", "lte"}:
        assert text in values
    elif operator == "like":
        # Here alone %, _ and the backslash mean something.
        assert (text in values) == ("\\'" not in text)
        assert set(values) <= {text, "plain"}
    else:
        assert values == [text]


@pytest.mark.parametrize("text", INJECTIONS)
def test_sql_as_a_name_is_only_a_name(database: SessionDatabase, store: ResourceStore, text: str) -> None:
    name = text.replace("\\", "\\\\").replace(".", "\\.")
    store.insert({text: "here"})
    assert [record["id"] for record in store.search({name: "here"})] == [3]
    assert store.count({f"{name}__isnull": "true"}) == 2
    assert store.list(sort=name.replace(",", "\\,"))[1] == 3
    assert store.find({}, fields="v," + name)[1] == 3
    assert store.get(text) is None
    assert not store.delete(text)
    assert store.find({}, q=text)[1] in {0, 1, 2}
    other = database.session_store.collection(text)
    assert other.insert({"id": text, "v": 1}) == other.get(text)
    assert other.embed(other.list()[0], text)
    assert other.expand(other.list()[0], text)
    assert database.session_store.collection("secrets").list() == ([{"id": 1, "secret": "hidden"}], 1)


@pytest.mark.parametrize(
    "arguments",
    [
        {"filters": {f"f{i}": "1" for i in range(10_000)}},
        {"filters": {"a": ["1"] * 10_000}},
        {"filters": {"a__in": ",".join("1" for _ in range(2_000))}},
        {"filters": {f"f{i}__in": "1," * 100 for i in range(60)}},
        {"filters": {"n" * (1 << 20): "1"}},
        {"filters": {".".join("a" * 17): "1"}},
        {"filters": {"." * 100_000: "1"}},
        {"filters": {"a": "x" * (1 << 20)}},
        {"filters": {"a__like": "%a" * 1000}},
        {"filters": {}, "q": "x" * 5000},
        {"filters": {}, "q": ["x"] * 300},
        {"filters": {}, "sort": "a," * 5000},
        {"filters": {}, "sort": ["a"] * 50},
        {"filters": {}, "fields": ",".join(f"f{i}" for i in range(100))},
        {"filters": {}, "links": [("a", 1)] * 50},
        {"filters": {}, "limit": "9" * 5000},
    ],
)
def test_too_much_of_anything_is_refused_at_once(store: ResourceStore, arguments: dict[str, Any]) -> None:
    began = time.monotonic()
    with pytest.raises(BadQuery) as refused:
        store.find(**arguments)
    assert time.monotonic() - began < 1
    assert len(refused.value.detail) < 500


def test_as_much_as_is_allowed_is_answered(store: ResourceStore) -> None:
    filters = {f"f{i}__startswith": [f"v{j}" for j in range(4)] for i in range(64)}
    assert store.search(filters) == []
    assert store.search({".".join("a" * 16): "1"}) == []
    assert store.search({"v__contains": ["x" * 4096] * 256}) == []
    assert store.count({"v__ne": [str(i) for i in range(2, 258)]}) == 2


@pytest.mark.parametrize(
    "filters",
    [
        {"t__like": "%a%a%a%a%a%a%a%a%a%a%a%a%b"},
        {"t__like": "%" + "a_" * 20 + "b"},
        {"t__contains": "a" * 4095 + "b"},
        {"t__icontains": "a" * 4095 + "b"},
    ],
)
def test_patterns_that_blow_up_elsewhere_are_quick(store: ResourceStore, filters: dict[str, Any]) -> None:
    store.insert({"t": "a" * 500_000})
    began = time.monotonic()
    assert store.search(filters) == []
    assert time.monotonic() - began < 2


def test_a_query_without_end_is_ended(database: SessionDatabase) -> None:
    store = database.session_store.collection("many")
    for _ in range(5):
        store.insert_many([{"t": "a" * 200, "n": n} for n in range(10_000)])
    database.commit()
    database.begin(write=False)
    database.connection.allow(0.05)
    began = time.monotonic()
    with pytest.raises(TooSlow, match=r"0\.05 s"):
        store.search({"t__like": [f"%a_{'b' * n}" for n in range(200)]})
    assert time.monotonic() - began < 2
    database.rollback()


def test_more_than_memory_should_hold_is_refused(database: SessionDatabase) -> None:
    store = database.session_store.collection("big")
    store.insert_many([{"t": "x" * 900_000} for _ in range(20)])
    with pytest.raises(BadQuery, match="ask for a page"):
        store.list()
    assert len(store.list(limit=10)[0]) == 10
    assert store.delete_where({}) == 20


def transactions_until_full(database: SessionDatabase) -> int:
    """How many were committed; each adds 20 records and counts itself."""
    kept = 0
    try:
        while True:
            with database.transaction() as session:
                session.collection("filled").insert_many([{"t": "x" * 1000}] * 20)
                session.collection("kept").update(1, {"v": kept + 2})
            kept += 1
    except QuotaExceeded:
        return kept


def test_the_quota_ends_a_transaction_and_leaves_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    quota = 1 << 20
    database = SessionDatabase(str(path), quota=quota, full_sync=False)
    with database.transaction() as session:
        session.collection("kept").insert({"v": 1})
    kept = transactions_until_full(database)
    assert 10 < kept < 60
    assert path.stat().st_size <= quota
    with database.transaction(write=False) as session:
        assert session.collection("kept").get(1) == {"id": 1, "v": kept + 1}
        assert session.collection("filled").list(limit=0) == ([], 20 * kept)
        assert database.used_bytes() <= quota
    with database.transaction() as session:
        assert session.collection("filled").delete_where({}) == 20 * kept
    with database.transaction() as session:
        assert session.collection("filled").insert({"t": "x" * 1000})["id"] == 20 * kept + 1
    database.close()
    wal = path.with_name("data.db-wal")
    assert not wal.exists() or wal.stat().st_size <= 2 * quota


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    path.write_bytes(os.urandom(8192))
    with pytest.raises(Damaged) as refused:
        SessionDatabase(str(path))
    assert refused.value.status == 500


def test_a_file_of_a_later_format_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "data.db")
    database = SessionDatabase(path)
    database.connection.run("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(Damaged, match="format 99"):
        SessionDatabase(path)


def test_a_directory_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        SessionDatabase(str(tmp_path / "no" / "data.db"))
