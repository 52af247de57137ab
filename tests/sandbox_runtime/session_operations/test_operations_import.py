"""Imports: ids kept or given, all or nothing, and errors that say where."""

from __future__ import annotations

import json
import os

import pytest

from sandbox_runtime.session_operations import operate
from sandbox_runtime.session_operations.errors import CollectionExists
from sandbox_runtime.session_operations.imports import OBJECTS
from sandbox_runtime.store.errors import NoStorage, QuotaExceeded, StoreError
from tests.sandbox_runtime.session_operations.archives import (
    import_,
    memory_file,
    opened,
    packed,
    records,
    state,
)

DEEP = b'[{"v":' + b"[" * 100_000 + b"]" * 100_000 + b"}]"


def test_a_db_json_keeps_its_ids() -> None:
    content = {"posts": [{"id": 7, "t": "a"}, {"id": "x9", "t": "b"}, {"id": "12", "t": "c"}], "tags": []}
    with opened() as database:
        assert import_(database, json.dumps(content, indent=2).encode(), "json") == {
            "collections": {"posts": 3, "tags": 0},
            "records": 3,
        }
        assert state(database) == {"posts": (content["posts"], 13), "tags": ([], 1)}


def test_records_without_an_id_get_one_that_no_later_record_has() -> None:
    content = b'{"c": [{"v": 0}, {"id": 1}, {"id": null, "v": 2}, {"id": "5"}, {"id": "x"}, {"v": 3}]}'
    with opened() as database:
        import_(database, content, "json")
        assert records(database, "c") == [
            {"id": 6, "v": 0},
            {"id": 1},
            {"id": 7, "v": 2},
            {"id": "5"},
            {"id": "x"},
            {"id": 8, "v": 3},
        ]


def test_the_next_id_of_an_archive_comes_before_its_records() -> None:
    files = {"c.json": b'[{"v": 1}]', ".schemas/c.meta.json": b'{"auto_id": 40}'}
    with opened() as database:
        import_(database, packed(files))
        assert state(database) == {"c": ([{"id": 40, "v": 1}], 41)}


def test_a_next_id_below_the_ids_there_are_is_raised() -> None:
    files = {"c.json": b'[{"id": 5}]', ".schemas/c.meta.json": b'{"auto_id": 1}'}
    with opened() as database:
        import_(database, packed(files))
        assert state(database) == {"c": ([{"id": 5}], 6)}


def test_a_record_larger_than_what_is_read_at_once() -> None:
    long = "é😀" * 150_000
    content = json.dumps({"c": [{"v": 1}, {"v": long[:200_000]}, {"v": 2}]}, ensure_ascii=False).encode()
    with opened() as database:
        import_(database, content, "json")
        assert [record["v"] for record in records(database, "c")] == [1, long[:200_000], 2]


def test_text_cut_anywhere_by_reading_is_whole() -> None:
    # Every offset of a record of 37 bytes falls on the border of a chunk of 256 KiB at some time.
    content = {"c": [{"id": number, "v": 'é\u2028"\\', "w": [1.5, -2e-7]} for number in range(60_000)]}
    with opened() as database:
        import_(database, json.dumps(content, ensure_ascii=False).encode(), "json")
        assert records(database, "c") == content["c"]


def test_collections_with_records_are_not_overwritten() -> None:
    with opened({"a": [{"v": 1}], "b": [{"v": 2}]}) as database:
        with pytest.raises(StoreError) as caught:
            import_(database, b'{"new": [{}], "b": [{"v": 3}]}', "json")
        assert (caught.value.status, caught.value.code) == (409, "collection_exists")
        assert caught.value.extra == {"collection": "b", "records": 1}
        assert state(database) == {"a": ([{"id": 1, "v": 1}], 2), "b": ([{"id": 1, "v": 2}], 2)}


def test_replace_drops_the_collections_of_the_same_names_only() -> None:
    with opened({"a": [{"v": 1}], "b": [{"v": 2}, {"v": 3}]}) as database:
        import_(database, b'{"b": [{"v": "new"}]}', "json", replace=True)
        assert state(database) == {"a": ([{"id": 1, "v": 1}], 2), "b": ([{"id": 1, "v": "new"}], 2)}
        described = operate(database, "describe", {}, None)["collections"]
        assert isinstance(described, dict)
        assert described["b"]["fields"]["v"]["types"] == {"string": 1}


def test_an_empty_collection_keeps_its_next_id() -> None:
    with opened({"c": [{}, {}]}) as database:
        with database.transaction() as session:
            session.collection("c").delete_where({})
        import_(database, b'{"c": [{"v": 1}]}', "json")
        assert state(database) == {"c": ([{"id": 3, "v": 1}], 4)}


def test_an_object_is_a_resource_of_its_own() -> None:
    """In a db.json; an archive has it as what it is kept as."""
    content = b'{"profile": {"name": "x", "id": 5}, "posts": [{}]}'
    with opened() as database:
        assert import_(database, content, "json")["collections"] == {"profile": 1, "posts": 1}
        kept = [{"id": "profile", "value": {"name": "x", "id": 5}}]
        assert records(database, OBJECTS) == kept
        with pytest.raises(CollectionExists, match="collection 'profile': the session has such an object"):
            import_(database, b'{"profile": {}}', "json")
        import_(database, b'{"profile": {}}', "json", replace=True)
        assert records(database, OBJECTS) == [{"id": "profile", "value": {}}]
        described = operate(database, "describe", {}, None)["collections"]
        assert isinstance(described, dict)
        assert list(described) == ["posts"]
        with pytest.raises(StoreError, match="it is one object, not an array"):
            import_(database, packed({"profile.json": b"{}"}))


@pytest.mark.parametrize("kind", ["json", "tar"])
@pytest.mark.parametrize(
    ("array", "status", "code", "index", "part"),
    [
        (b'[{"v": NaN}]', 422, "bad_json", 0, "NaN is not JSON"),
        (b'[{}, {"v": -Infinity}]', 422, "bad_json", 1, "-Infinity is not JSON"),
        (b'[{}, {"v": 1e999}]', 422, "bad_record", 1, "not JSON"),
        (b'[{"v": "\\ud800"}]', 422, "bad_record", 0, "surrogates not allowed"),
        (b'[{"v": "\xed\xa0\x80"}]', 422, "bad_json", None, "not UTF-8"),
        (b'[{"v": "\\u0000"}]', 422, "bad_record", 0, "U+0000"),
        (b'[{"v": ' + b"9" * 5000 + b"}]", 422, "bad_json", 0, "too many digits"),
        (DEEP, 422, "bad_json", 0, "nested too deeply"),
        (b'[{"v":' + b"[" * 101 + b"]" * 101 + b"}]", 422, "bad_record", 0, "nested deeper than 100"),
        (b"[{}, 1]", 422, "bad_json", 1, "there is '1' where its { belongs"),
        (b"[null]", 422, "bad_json", 0, "there is 'n' where its { belongs"),
        (b"[[{}]]", 422, "bad_json", 0, "there is '[' where its { belongs"),
        (b'["x"]', 422, "bad_json", 0, "where its { belongs"),
        (b"[{},]", 422, "bad_json", 1, "there is ']' where its { belongs"),
        (b"[{} {}]", 422, "bad_json", 1, "where ',' or ']' belongs"),
        (b"[{'a': 1}]", 422, "bad_json", 0, "property name"),
        (b'[{"id": 1}, {"id": 1}]', 409, "duplicate_id", 1, "has a record with the id 1"),
        (b'[{"id": 1}, {}, {"id": "1"}]', 409, "duplicate_id", 2, "has a record with the id '1'"),
        (b'[{"id": true}]', 422, "bad_record", 0, "the id True"),
        (b'[{"id": ""}]', 422, "bad_record", 0, "the id ''"),
        (b'[{"id": 1.0}]', 422, "bad_record", 0, "the id 1.0"),
        (b'[{"id": 9223372036854775807}]', 422, "bad_record", 0, "beyond 9223372036854775806"),
        (b'[{"id": 9223372036854775806}, {}]', 422, "bad_record", 1, "used up"),
        (b'[{"v": "' + b"x" * (1 << 20) + b'"}]', 422, "bad_record", 0, "the limit is 1048576"),
        (b'[{"v": "' + b"x" * (9 << 20) + b'"}]', 422, "bad_json", 0, "more than 2097152 characters"),
        (b'[{"v": 1}', 422, "bad_json", 1, None),
        (b'[{"v": ', 422, "bad_json", 0, None),
        (b"null", 422, "bad_json", None, "it is a single value, not an array"),
        (b'"x"', 422, "bad_json", None, "it is a text, not an array"),
    ],
)
def test_what_is_no_array_of_records(  # noqa: PLR0913, PLR0917 - a table
    kind: str, array: bytes, status: int, code: str, index: int | None, part: str | None
) -> None:
    content = b'{"good":[{}],"bad":%b}' % array
    if kind == "tar":
        content = packed({"good.json": b"[{}]", "bad.json": array})
    with opened() as database:
        with pytest.raises(StoreError) as caught:
            import_(database, content, kind)
        assert state(database) == {}
    error = caught.value
    assert (error.status, error.code) == (status, code)
    if error.detail != "it is not UTF-8":  # json: met while reading on, wherever that was
        assert "collection 'bad'" in error.detail
        assert error.extra["collection"] == "bad"
        assert error.extra.get("index") == index
    assert part is None or part in error.detail
    assert len(error.detail) < 300


@pytest.mark.parametrize(
    ("content", "status", "part"),
    [
        (b"", 422, "not one JSON object"),
        (b"[]", 422, "not one JSON object"),
        (b'"x"', 422, "not one JSON object"),
        (b"{", 422, "'\"' belongs"),
        (b"{}{}", 422, "after the end"),
        (b'{"a": []', 422, "',' or '}' belongs"),
        (b'{"a" []}', 422, "':' belongs"),
        (b'{"a": [],}', 422, "'\"' belongs"),
        (b"{1: []}", 422, "'\"' belongs"),
        (b'{"a": [], "a": []}', 422, "there twice"),
        (b'{"": []}', 400, "1 to 128 characters"),
        (b'{"\\ud800": []}', 400, "not Unicode"),
        (b'{"a\\u0000": []}', 400, "without U+0000"),
        (b'{"' + b"x" * 129 + b'": []}', 400, "1 to 128 characters"),
        (b'{"' + b"x" * (5 << 20), 422, "more than 2097152 characters"),
        (b" " * (2 << 20), 422, "not one JSON object"),
        (b"\xff\xfe{\0}\0", 422, "not UTF-8"),
        (b"\x1f\x8b\x08\0", 422, "compressed (gzip)"),
        (b'{"a": [' + b"{}," * 5, 422, "there is the end where its { belongs"),
    ],
)
def test_what_is_no_object_of_arrays(content: bytes, status: int, part: str) -> None:
    with opened() as database:
        with pytest.raises(StoreError) as caught:
            import_(database, content, "json")
        assert caught.value.status == status
        assert part in caught.value.detail
        assert state(database) == {}


def test_more_collections_than_a_session_may_have() -> None:
    content = json.dumps({f"c{number}": [] for number in range(257)}).encode()
    with opened() as database:
        with pytest.raises(QuotaExceeded, match=r"collection 'c256': .*the limit is 256"):
            import_(database, content, "json")
        assert state(database) == {}


def test_more_than_the_quota() -> None:
    content = json.dumps({"c": [{"v": "x" * 1000} for _ in range(2000)]}).encode()
    with opened({"kept": [{"v": 1}]}, quota=1 << 20) as database:
        with pytest.raises(QuotaExceeded, match="collection 'c', record"):
            import_(database, content, "json")
        assert state(database) == {"kept": ([{"id": 1, "v": 1}], 2)}


def test_options_and_files_that_are_none() -> None:
    with opened() as database, memory_file() as file:
        for name, options, given, part in (
            ("explode", {}, file, "no operation 'explode'"),
            ("import", {"format": "zip"}, file, "use one of json, tar"),
            ("import", {"format": ["tar"]}, file, "use one of json, tar"),
            ("import", {"replace": "yes"}, file, "use true or false"),
            ("import", {"replaec": True}, file, "no option 'replaec'"),
            ("export", {"format": "tar"}, file, "no option 'format'"),
            ("import", {}, None, "none came with it"),
            ("export", {}, None, "none came with it"),
        ):
            with pytest.raises(StoreError) as caught:
                operate(database, name, dict(options), given)
            assert caught.value.status == 400
            assert part in caught.value.detail
        reading, writing = os.pipe()
        with pytest.raises(StoreError, match="not a regular file"):
            operate(database, "import", {}, reading)
        os.close(reading)
        with pytest.raises(StoreError, match="could not be written: Broken pipe"):
            operate(database, "export", {}, writing)
        os.close(writing)
        full = os.open("/dev/full", os.O_WRONLY)
        with pytest.raises(NoStorage, match="No space left on device"):
            operate(database, "export", {}, full)
        os.close(full)
        assert state(database) == {}
