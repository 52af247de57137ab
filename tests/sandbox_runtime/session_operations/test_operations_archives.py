"""Archives that were made to harm: each is refused, soon and without much memory, and changes nothing."""

from __future__ import annotations

import gzip
import io
import os
import resource
import tarfile
import time
import tracemalloc

import pytest

from sandbox_runtime.session_operations import operate
from sandbox_runtime.session_operations.tar import MAX_HEADERS
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import StoreError
from tests.sandbox_runtime.session_operations.archives import (
    header,
    import_,
    memory_file,
    opened,
    packed,
    state,
)

END = bytes(1024)


def _typed(kind: bytes, name: str = "a.json") -> bytes:
    def edit(member: tarfile.TarInfo) -> None:
        member.type = kind
        member.linkname = "/etc/passwd"

    return packed({name: b""}, edit)


def _pax(headers: dict[str, str], name: str = "a.json", content: bytes = b"[]") -> bytes:
    def edit(member: tarfile.TarInfo) -> None:
        member.pax_headers = headers

    return packed({name: content}, edit)


def _extended(kind: bytes, content: bytes) -> bytes:
    padded = content + bytes(-len(content) % 512)
    return header("x", len(content), kind) + padded + packed({"a.json": b"[]"})


def _global(headers: dict[str, str]) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        tar.addfile(tarfile.TarInfo("a.json"), io.BytesIO())
    return output.getvalue()


def _with_size(field: bytes) -> bytes:
    block = bytearray(header("a.json", 0))
    block[124:136] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + END


def _damaged() -> bytes:
    archive = bytearray(packed({"a.json": b"[]"}))
    archive[1] ^= 1
    return bytes(archive)


GOOD = packed({"a.json": b"[{}]"})

HOSTILE = {
    "hard link": (_typed(tarfile.LNKTYPE), "is a hard link"),
    "symbolic link": (_typed(tarfile.SYMTYPE), "is a symbolic link"),
    "link as a directory": (_typed(tarfile.SYMTYPE, ".schemas"), "is a symbolic link"),
    "character device": (_typed(tarfile.CHRTYPE), "is a device"),
    "block device": (_typed(tarfile.BLKTYPE), "is a device"),
    "fifo": (_typed(tarfile.FIFOTYPE), "is a FIFO"),
    "sparse": (_typed(tarfile.GNUTYPE_SPARSE), "is a sparse file"),
    "contiguous": (_typed(tarfile.CONTTYPE), "of the type '7'"),
    "unknown type": (_typed(b"Z"), "of the type 'Z'"),
    "type that is no letter": (_typed(b"\xff"), "of the type 'ÿ'"),
    "long link": (_extended(b"K", b"x\0"), "of the type 'K'"),
    "sparse by pax": (_pax({"GNU.sparse.major": "1"}), "sparse file"),
    "up": (packed({"../a.json": b"[]"}), "none of <collection>.json"),
    "up inside": (packed({".schemas/../a.json": b"[]"}), "none of <collection>.json"),
    "up alone": (packed({"..": b"[]"}), "none of <collection>.json"),
    "absolute": (packed({"/etc/a.json": b"[]"}), "none of <collection>.json"),
    "up by pax": (_pax({"path": "../../a.json"}), "none of <collection>.json"),
    "hidden": (packed({"._a.json": b"[]"}), "none of <collection>.json"),
    "deeper": (packed({"x/a.json": b"[]"}), "none of <collection>.json"),
    "backslash": (packed({"..\\a.json": b"[]"}), "none of <collection>.json"),
    "another ending": (packed({"data.db": b"[]"}), "none of <collection>.json"),
    "the database": (packed({"data.db-wal": b"[]"}), "none of <collection>.json"),
    "line break": (packed({"a\n.json": b"[]"}), "none of <collection>.json"),
    "no name": (packed({"": b"[]"}), "none of <collection>.json"),
    "other directory": (packed({"x/": b""}), "the directory 'x/' is none"),
    "bad escape": (packed({"a%zz.json": b"[]"}), "escapes are not %XX"),
    "escape of no UTF-8": (packed({"%FF.json": b"[]"}), "escapes are not %XX"),
    "escaped zero": (packed({"%00.json": b"[]"}), "without U+0000"),
    "long name": (packed({"x" * 129 + ".json": b"[]"}), "1 to 128 characters"),
    "huge name": (_pax({"path": "x" * 5000}), "more than 4096 bytes"),
    "name of no UTF-8": (header("a", 0).replace(b"a", b"\xff", 1) + END, "no header of a tar"),
    "twice": (packed([("a.json", b"[]"), ("a.json", b"[]")]), "there twice"),
    "twice, spelled twice": (packed([("a.json", b"[]"), ("./%61.json", b"[]")]), "there twice"),
    "schema alone": (packed({".schemas/a.json": b"{}"}), "has no 'a.json' beside it"),
    "meta alone": (packed({".schemas/a.meta.json": b"{}"}), "has no 'a.json' beside it"),
    "larger than the archive": (header("a.json", 1 << 30) + END, "1073741824 bytes by its header"),
    "larger by pax": (_pax({"size": str(10**14)}), "100000000000000 bytes by its header"),
    "negative by pax": (_pax({"size": "-512"}), "has the size '-512'"),
    "absurd by pax": (_pax({"size": "9" * 5000}), "has the size '9999"),
    "base 256": (_with_size(b"\x80" + bytes(10) + b"\x02"), "no octal size"),
    "negative size": (_with_size(b"-0000000512\0"), "no octal size"),
    "no number": (_with_size(b"0x000000200\0"), "no octal size"),
    "pax bomb": (header("x", 1 << 30, b"x") + END, "1073741824 bytes, the limit is 65536"),
    "long name bomb": (header("x", 1 << 30, b"L") + END, "1073741824 bytes, the limit is 65536"),
    "pax zero length": (_extended(b"x", b"0 path=b\n"), "malformed"),
    "pax length too long": (_extended(b"x", b"99 path=b\n"), "malformed"),
    "pax length too short": (_extended(b"x", b"3 path=b\n"), "malformed"),
    "pax without a sign": (_extended(b"x", b"8 pathb\n"), "malformed"),
    "two names": (_extended(b"L", b"b.json\0")[:1024] + _pax({"path": "c" * 101}), "says again"),
    "global name": (_global({"path": "b.json"}), "every member"),
    "directory with content": (header(".schemas/", 512, b"5") + bytes(512) + END, "has 512 bytes of content"),
    "gzip": (gzip.compress(GOOD), "compressed (gzip)"),
    "bzip2": (b"BZh91AY", "compressed (bzip2)"),
    "xz": (b"\xfd7zXZ\0\0\0", "compressed (xz)"),
    "zstd": (b"\x28\xb5\x2f\xfd0000", "compressed (zstd)"),
    "zip": (b"PK\x03\x04" + bytes(600), "compressed (zip)"),
    "empty": (b"", "send all of it"),
    "half a header": (GOOD[:300], "send all of it"),
    "no content": (GOOD[:512], "4 bytes by its header"),
    "no padding": (GOOD[:600], "send all of it"),
    "no end": (GOOD[:1024], "send all of it"),
    "extended header at the end": (
        header("x", 9, b"x") + b"9 path=b\n".ljust(512, b"\0") + END,
        "ends after",
    ),
    "two archives": (GOOD + GOOD, "follows the archive's end"),
    "long tail": (GOOD + bytes(2 << 20), "follow the archive's end"),
    "json": (b'{"a": []}'.ljust(600), "no header of a tar"),
    "noise": (bytes(range(1, 256)) * 3, "no header of a tar"),
    "bad checksum": (_damaged(), "no header of a tar"),
    "meta of another kind": (packed({"a.json": b"[]", ".schemas/a.meta.json": b"[]"}), "not a JSON object"),
    "meta of no JSON": (packed({"a.json": b"[]", ".schemas/a.meta.json": b"{"}), "is not JSON"),
    "deep meta": (packed({"a.json": b"[]", ".schemas/a.meta.json": b"[" * 90_000}), "is not JSON"),
    "huge meta": (
        packed({"a.json": b"[]", ".schemas/a.meta.json": b" " * (2 << 20)}),
        "the limit is 1048576",
    ),
    "schema of another kind": (packed({"a.json": b"[]", ".schemas/a.json": b"1"}), "not a JSON object"),
    "no auto_id": (packed({"a.json": b"[]", ".schemas/a.meta.json": b"{}"}), "the auto_id None"),
}
for _value in ("0", "-1", "true", "1.0", '"3"', "9223372036854775808", "1e3", "null", "[]"):
    _meta = b'{"auto_id": %b}' % _value.encode()
    HOSTILE[f"auto_id {_value}"] = (packed({"a.json": b"[]", ".schemas/a.meta.json": _meta}), "the auto_id ")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(name: str) -> None:
    archive, part = HOSTILE[name]
    with opened({"kept": [{"v": 1}]}) as database:
        with pytest.raises(StoreError) as caught:
            import_(database, archive, replace=True)
        assert part in caught.value.detail
        assert caught.value.status == 422
        assert len(caught.value.detail) < 300
        assert state(database) == {"kept": ([{"id": 1, "v": 1}], 2)}


def test_the_good_archive_is_taken() -> None:
    with opened() as database:
        import_(database, GOOD)
        assert state(database) == {"a": ([{"id": 1}], 2)}


def _refusal(database: SessionDatabase, archive: bytes) -> StoreError | None:
    try:
        import_(database, archive)
    except StoreError as error:
        return error
    return None


def test_cut_at_any_byte_an_archive_is_refused_or_whole() -> None:
    first_block_of_the_end = 512 * 3
    for length in range(0, len(GOOD), 7):
        with opened() as database:
            refusal = _refusal(database, GOOD[:length])
            whole = length >= first_block_of_the_end
            assert (refusal is None) == whole
            assert refusal is None or refusal.status == 422
            assert state(database) == ({"a": ([{"id": 1}], 2)} if whole else {})


@pytest.mark.parametrize("seed", range(8))
def test_any_damage_is_an_error_of_ours_or_does_not_matter(seed: int) -> None:
    good = packed({"a.json": b'[{"v": 1}, {"id": "x"}]', ".schemas/a.meta.json": b'{"auto_id": 9}'})
    refused = 0
    for position in range(seed, 512 * 5, 8):
        archive = bytearray(good)
        archive[position] ^= 1 << (seed + position // 8) % 8
        with opened() as database:
            refusal = _refusal(database, bytes(archive))
            if refusal is not None:
                refused += 1
                assert 400 <= refusal.status < 500
                assert state(database) == {}
    # Both headers have checksums, and of the rest the zeros between do not matter.
    assert refused >= 2 * 512 // 8


def test_a_million_members_cost_no_more_than_the_first_thousands() -> None:
    block = header("./", 0, b"5")
    with opened() as database, memory_file() as file:
        for _ in range(100):
            os.write(file, block * 10_000)
        began = time.process_time()
        with pytest.raises(StoreError, match=f"more than {MAX_HEADERS} headers"):
            operate(database, "import", {}, file)
        assert time.process_time() - began < 2


def test_a_million_empty_records_that_lack_an_array() -> None:
    with opened() as database, pytest.raises(StoreError, match=r"record 0: there is '\[' where"):
        import_(database, b'{"a":[' + b"[" * 3_000_000, "json")


def test_a_large_import_is_never_in_memory_as_a_whole() -> None:
    line = b'{"v": "' + b"x" * 900 + b'"},\n'
    with memory_file(b'{"a": [' + line * 30_000 + b"{}]}") as file, opened() as database:
        tracemalloc.start()
        try:
            operate(database, "import", {"format": "json"}, file)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
            with memory_file() as output:
                tracemalloc.reset_peak()
                result = operate(database, "export", {}, output)
                assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
    assert result["records"] == 30_001
    assert isinstance(result["bytes"], int)
    assert result["bytes"] > 27_000_000


def test_nothing_is_opened_and_nothing_written_beside_the_database(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with opened() as database, memory_file(packed({"a.json": b"[{}]", "b.json": b"[]"})) as file:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        # No descriptor can be made, so nothing can be opened.
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            operate(database, "import", {}, file)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert state(database) == {"a": ([{"id": 1}], 2), "b": ([], 1)}
    assert os.listdir(".") == []
