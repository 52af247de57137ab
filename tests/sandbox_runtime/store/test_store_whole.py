"""A whole collection in pieces, and transactions with a time of their own."""

from __future__ import annotations

import time

import pytest

from sandbox_runtime.store.catalog import Collection
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import TooSlow
from sandbox_runtime.store.whole import PAGE_CHARS, pages, text_bytes


def _filled(database: SessionDatabase, records: list[dict[str, object]]) -> Collection:
    database.session_store.collection("c").insert_many(records)
    return database.catalog.create("c")


def test_pages_are_all_bodies_in_order_and_of_bounded_size() -> None:
    database = SessionDatabase(":memory:", full_sync=False)
    database.begin(write=True)
    collection = _filled(database, [{"id": str(-number), "v": "é" * 40_000} for number in range(60)])
    database.session_store.collection("c").delete_where({"id__in": "-3,-59"})
    found = list(pages(database.connection, collection))
    assert [len(page) for page in found] == [27, 27, 4]
    assert sum(map(len, found[0])) >= PAGE_CHARS
    bodies = [body for page in found for body in page]
    assert [body[7:].partition('"')[0] for body in bodies] == [
        str(-number) for number in range(60) if number not in {3, 59}
    ]
    assert text_bytes(database.connection, collection) == (58, sum(len(body.encode()) for body in bodies))
    database.close()


def test_no_records_are_no_pages() -> None:
    database = SessionDatabase(":memory:", full_sync=False)
    database.begin(write=True)
    collection = database.catalog.create("c")
    assert list(pages(database.connection, collection)) == []
    assert text_bytes(database.connection, collection) == (0, 0)
    database.close()


def test_a_transaction_has_its_own_time_and_a_page_has_all_of_it() -> None:
    database = SessionDatabase(":memory:", full_sync=False, seconds=60)
    with database.transaction() as session:
        session.collection("c").insert_many([{"v": 1} for _ in range(20_000)])
    database.begin(write=False, seconds=0.5)
    collection = database.catalog.create("c")
    end = time.monotonic() + 0.5
    while time.monotonic() <= end:
        pass
    with pytest.raises(TooSlow, match=r"the 0\.5 s that one transaction may take"):
        database.connection.require_time()
    assert sum(map(len, pages(database.connection, collection))) == 20_000
    database.connection.renew()
    database.connection.require_time()
    database.rollback()
    database.begin(write=False)
    database.connection.require_time()
    database.close()


def test_the_paths_of_a_collections_indexes() -> None:
    database = SessionDatabase(":memory:", full_sync=False)
    with database.transaction() as session:
        for name in ("c", "d"):
            session.collection(name).insert_many([{"v": number % 7, "a.b": number} for number in range(1000)])
    for name, field in (("c", "v"), ("c", "a\\.b"), ("d", "v")):
        for _ in range(3):
            with database.transaction(write=False) as session:
                session.collection(name).search({field: "1"})
    with database.transaction(write=False):
        collections = {name: database.catalog.create(name) for name in ("c", "d")}
        found = {name: database.indexes.paths(collection) for name, collection in collections.items()}
    assert found == {"c": ["a\\.b", "v"], "d": ["v"]}
    database.close()
