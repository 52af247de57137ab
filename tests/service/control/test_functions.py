"""The registry of functions, on both databases."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from blockbuster import BlockBuster
from sqlalchemy import insert

from service.access.principal import Actor
from service.control.control import Control, open_control
from service.control.tables import FUNCTION_VERSIONS, FUNCTIONS, REVISION, SOURCES
from service.errors import Conflict, ControlUnavailable, NotFound, PreconditionFailed, ValidationFailed
from service.functions.registry import FunctionChanges
from service.functions.registry_work import Share
from service.functions.values import Canary, FunctionSpec, Split
from service.settings import Settings
from tests.service.control.functions import HASH, SIGNATURE, load, source, spec
from tests.service.control.made import BY, SPEC, rows, run_sql

OTHER_HASH = "0" * 64
MANY = 10_000


async def numbers(control: Control, name: str = "hello") -> list[int]:
    """Of the versions, as they are listed."""
    return [version.number for version in await control.functions.versions(HASH, name)]


async def told(control: Control) -> list[tuple[str, str, str, dict[str, object]]]:
    """Action, target, outcome and detail of every entry."""
    entries = await control.audit.last(99)
    return [(entry.action, entry.target, entry.outcome, json.loads(entry.detail)) for entry in entries]


async def test_what_is_loaded_is_found(control: Control) -> None:
    """Every member of it, by name, in the list, among the changes, with its version and its text."""
    text = "def größe():\r\n    return '\U0001f600'\n"
    wanted = FunctionSpec(OTHER_HASH, "größe", "m", "/own/path", "POST")
    loaded = await control.functions.load(wanted, source(text), SIGNATURE, BY)
    function = loaded.function
    assert (loaded.version, loaded.created) == (1, True)
    assert function.spec == wanted
    assert (function.version, function.digest, function.signature) == (1, source(text).digest, SIGNATURE)
    assert (function.canary, function.loaded, function.owner) == (None, True, "cli:tester")
    assert abs(function.created - time.time()) < 20
    assert await control.functions.get(OTHER_HASH, "größe") == function
    assert await control.functions.list() == (function,)
    assert await control.functions.changes_since(0) == FunctionChanges((function,), 1)
    (version,) = await control.functions.versions(OTHER_HASH, "größe")
    assert (version.number, version.digest, version.signature) == (1, function.digest, SIGNATURE)
    assert (version.created_by, version.created) == ("cli:tester", function.created)
    assert await control.functions.source(version.digest) == source(text)


async def test_the_same_again(control: Control) -> None:
    """Changes nothing; another text is the next version, and one that was before is another one again."""
    first = await load(control, "a")
    assert await load(control, "a", hash=HASH.upper(), path="/own/hello/") == replace(first, created=False)
    assert (await control.functions.changes_since(0)).revision == 1
    second = await load(control, "b")
    assert (second.version, second.created) == (2, True)
    assert second.function.created == first.function.created
    again = await load(control, "a")
    assert (again.version, again.created) == (3, True)
    assert await numbers(control) == [3, 2, 1]
    assert len(await rows(control, "SELECT digest FROM lars_sources")) == 2


async def test_another_path_for_the_same_text(control: Control) -> None:
    """Is a change, and no version."""
    first = await load(control, "a")
    await control.functions.stage(spec(), source("b"), SIGNATURE, BY, Share(5))
    moved = await load(control, "a", path="/moved", method="POST", module="n")
    assert (moved.version, moved.created) == (1, False)
    assert moved.function.spec == spec(path="/moved", method="POST", module="n")
    assert moved.function.canary is not None
    assert moved.function.revision > first.function.revision
    assert await control.functions.get(HASH, "hello") == moved.function
    await load(control, "x", "other", path="/own/hello")


async def test_a_path_is_one_functions(control: Control) -> None:
    """While it is loaded, whatever the method; the other is named, and nothing is left of the attempt."""
    await load(control, "a", path="/taken")
    await load(control, "a", "mine")
    for name in ("new", "mine"):
        with pytest.raises(Conflict, match=f"/taken is that of the function hello of {HASH}"):
            await load(control, "b", name, path="/taken", method="POST")
    with pytest.raises(NotFound):
        await control.functions.versions(HASH, "new")
    assert await rows(control, "SELECT digest FROM lars_sources") == [(source("a").digest,)]
    await control.functions.unload(HASH, "hello", BY)
    await load(control, "b", "new", path="/taken")
    with pytest.raises(Conflict, match="function new of"):
        await load(control, "a", path="/taken")
    assert (await load(control, "a", path="/free")).version == 1


async def test_the_database_keeps_paths_apart(control: Control) -> None:
    """Even from who writes to it by hand; those that are not loaded may share one."""
    for name in ("a", "b", "c"):
        await load(control, "x", name)
    for name in ("a", "b"):
        await control.functions.unload(HASH, name, BY)
    await run_sql(control, "UPDATE lars_functions SET path = '/same' WHERE name <> 'a'")
    await run_sql(control, "UPDATE lars_functions SET path = '/same' WHERE name = 'a'")
    with pytest.raises(ControlUnavailable):
        await run_sql(control, "UPDATE lars_functions SET loaded = true WHERE name = 'a'")


async def test_if_match(control: Control) -> None:
    """The digest of the current version, or any; nothing matches what is not loaded."""
    digest = (await load(control, "a")).function.digest
    functions = control.functions
    for wrong in (source("b").digest, "", digest.upper()):
        with pytest.raises(PreconditionFailed, match=f"version 1 with the digest {digest}"):
            await functions.load(spec(), source("b"), SIGNATURE, BY, wrong)
    assert (await functions.load(spec(), source("b"), SIGNATURE, BY, digest)).version == 2
    assert (await functions.load(spec(), source("c"), SIGNATURE, BY, "*")).version == 3
    await functions.unload(HASH, "hello", BY)
    for name in ("hello", "new"):
        with pytest.raises(PreconditionFailed, match="no such function is loaded"):
            await functions.load(spec(name), source("c"), SIGNATURE, BY, "*")
    assert [outcome for _, _, outcome, _ in await told(control)][1:4] == ["precondition_failed"] * 3


async def test_unloading(control: Control) -> None:
    """Who polls sees it go; its versions stay and go on when it is loaded again."""
    first = await load(control, "a")
    await load(control, "b")
    gone = await control.functions.unload(HASH.upper(), "hello", BY)
    assert (gone.loaded, gone.version) == (False, 2)
    assert await control.functions.changes_since(2) == FunctionChanges((gone,), 3)
    assert await control.functions.changes_since(0) == FunctionChanges((), 3)
    assert await control.functions.list() == ()
    asked = (
        control.functions.get(HASH, "hello"),
        control.functions.unload(HASH, "hello", BY),
        control.functions.rollback(HASH, "hello", BY),
        control.functions.set_canary(HASH, "hello", Split(1, 5), BY),
        control.functions.stage(spec(), source("c"), SIGNATURE, BY, Share(5)),
    )
    for work in asked:
        with pytest.raises(NotFound, match=r"hello of .* was unloaded"):
            await work
    assert await numbers(control) == [2, 1]
    again = await load(control, "b")
    assert (again.version, again.created) == (2, False)
    assert again.function.created == first.function.created
    await control.functions.unload(HASH, "hello", BY)
    assert (await load(control, "c")).version == 3


async def test_whose_it_is(control: Control) -> None:
    """Of the first who loaded it, until it is unloaded; each version says who brought it."""
    other = Actor("key:other", "127.0.0.1")
    await load(control, "a")
    for text in "bc":
        loaded = await control.functions.load(spec(), source(text), SIGNATURE, other)
        assert loaded.function.owner == "cli:tester"
    await control.functions.unload(HASH, "hello", BY)
    again = await control.functions.load(spec(), source("c"), SIGNATURE, other)
    assert again.function.owner == "key:other"
    brought = [version.created_by for version in await control.functions.versions(HASH, "hello")]
    assert brought == ["key:other", "key:other", "cli:tester"]


async def test_rolling_back(control: Control) -> None:
    """Moves to the version before, or to any, and on from there."""
    for text in "abc":
        await load(control, text)
    digests = {version.number: version.digest for version in await control.functions.versions(HASH, "hello")}
    for to, version in ((None, 2), (None, 1), (3, 3), (3, 3), (1, 1)):
        function = await control.functions.rollback(HASH, "hello", BY, to)
        assert (function.version, function.digest) == (version, digests[version])
        assert await control.functions.get(HASH, "hello") == function
    with pytest.raises(Conflict, match="at version 1, and there is none before"):
        await control.functions.rollback(HASH, "hello", BY)
    for wrong in (0, 4, -1, 1 << 80):
        with pytest.raises(NotFound, match=r"it has 1 to 3"):
            await control.functions.rollback(HASH, "hello", BY, wrong)
    assert (await load(control, "d")).version == 4
    assert (await control.functions.changes_since(0)).revision == 3 + 4 + 1  # one changed nothing


async def test_a_canary(control: Control) -> None:
    """Gets its share, of a version that there is; whatever moves the current version ends it."""
    for text in "ab":
        await load(control, text)
    functions = control.functions
    function = await functions.set_canary(HASH, "hello", Split(1, 25), BY)
    canary = Canary(1, 25, source("a").digest, SIGNATURE)
    assert (function.version, function.canary) == (2, canary)
    assert await functions.get(HASH, "hello") == function
    assert await functions.set_canary(HASH, "hello", Split(1, 25), BY) == function
    assert (await load(control, "b")).function == function  # it is what is served
    with pytest.raises(Conflict, match="version 2 is the current one"):
        await functions.set_canary(HASH, "hello", Split(2, 5), BY)
    for version in (0, 3, 1 << 80):
        with pytest.raises(NotFound, match="it has 1 to 2"):
            await functions.set_canary(HASH, "hello", Split(version, 5), BY)
    for weight in (0, 100, -1):
        with pytest.raises(ValidationFailed, match="weight: is out of range"):
            await functions.set_canary(HASH, "hello", Split(1, weight), BY)
    assert (await functions.set_canary(HASH, "hello", None, BY)).canary is None
    await functions.set_canary(HASH, "hello", Split(1, 25), BY)
    assert (await functions.rollback(HASH, "hello", BY, 2)).canary is None
    await functions.set_canary(HASH, "hello", Split(1, 25), BY)
    assert (await load(control, "c")).function.canary is None
    await functions.set_canary(HASH, "hello", Split(1, 25), BY)
    assert (await functions.unload(HASH, "hello", BY)).canary is None


async def test_a_new_version_as_a_canary(control: Control) -> None:
    """Never gets all calls before somebody says so."""
    await load(control, "a")
    staged = await control.functions.stage(spec(), source("b"), '{"b":1}', BY, Share(5))
    assert (staged.version, staged.created, staged.function.version) == (2, True, 1)
    assert staged.function.canary == Canary(2, 5, source("b").digest, '{"b":1}')
    more = await control.functions.stage(spec(), source("b"), "{}", BY, Share(50))
    assert (more.version, more.created) == (2, False)
    assert more.function.canary == Canary(2, 50, source("b").digest, '{"b":1}')
    for wrong in (spec(path="/other"), spec(method="PUT")):
        with pytest.raises(Conflict, match="is served at GET /own/hello"):
            await control.functions.stage(wrong, source("c"), SIGNATURE, BY, Share(5))
    with pytest.raises(Conflict, match="version 1 is current"):
        await control.functions.stage(spec(), source("a"), SIGNATURE, BY, Share(5))
    with pytest.raises(ValidationFailed):
        await control.functions.stage(spec(), source("c"), SIGNATURE, BY, Share(100))
    assert await numbers(control) == [2, 1]
    promoted = await control.functions.rollback(HASH, "hello", BY, 2)
    assert (promoted.version, promoted.signature, promoted.canary) == (2, '{"b":1}', None)
    assert await control.functions.get(HASH, "hello") == promoted


async def test_changes(control: Control) -> None:
    """What is above a revision, once, as it is now, in the order of the changes. Keys count, unseen."""
    one = (await load(control, "a", "one")).function
    await control.keys.add(SPEC, BY)
    two = (await load(control, "a", "two")).function
    assert await control.functions.changes_since(0) == FunctionChanges((one, two), 3)
    assert await control.functions.changes_since(1) == FunctionChanges((two,), 3)
    one = (await load(control, "b", "one")).function
    assert await control.functions.changes_since(1) == FunctionChanges((two, one), 4)
    assert await control.functions.changes_since(4) == FunctionChanges((), 4)
    assert (await control.keys.changes_since(2)).revision == 4
    assert await control.functions.changes_since(99) == FunctionChanges((two, one), 4)  # it was put back


async def test_pages(control: Control) -> None:
    """Of functions by hash and name, of versions from the newest on."""
    for contract in (HASH, OTHER_HASH):
        for name in ("b", "a", "c"):
            await load(control, "x", name, hash=contract, path=f"/{contract[:2]}/{name}")
    found = []
    after = None
    while page := await control.functions.list(after, 4):
        found += [(function.spec.hash, function.spec.name) for function in page]
        after = found[-1]
    assert found == [(contract, name) for contract in (OTHER_HASH, HASH) for name in "abc"]
    for text in "yz":
        await load(control, text, "a", path="/ab/a")
    pages = [await control.functions.versions(HASH, "a", below, 2) for below in (None, 2, 1, 1 << 80, -1)]
    assert [[version.number for version in page] for page in pages] == [[3, 2], [1], [], [3, 2], []]


@pytest.mark.parametrize("name", ["_x", "a.b", "", "x" * 101, "a\0"])
async def test_names_that_can_be_none(control: Control, name: str) -> None:
    """Nothing is found, made or recorded."""
    functions = control.functions
    for work in (
        functions.get(HASH, name),
        functions.versions(HASH, name),
        functions.unload(HASH, name, BY),
        functions.rollback(HASH, name, BY),
        functions.set_canary(HASH, name, None, BY),
        functions.get("x", "hello"),
    ):
        with pytest.raises(NotFound):
            await work
    with pytest.raises(ValidationFailed):
        await load(control, "a", name)
    assert await told(control) == []


async def test_a_source_that_is_not_there_or_not_itself(control: Control) -> None:
    """No text is given out under another's digest."""
    digest = (await load(control, "a")).function.digest
    for wrong in ("0" * 64, "", digest.upper(), "\0"):
        with pytest.raises(NotFound):
            await control.functions.source(wrong)
    wrong = source("b").digest
    await run_sql(control, f"INSERT INTO lars_sources VALUES ('{wrong}', 'evil', 4)")  # noqa: S608 - ours
    with pytest.raises(ControlUnavailable) as caught:
        await control.functions.source(wrong)
    assert "it was changed" in caught.value.reason


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lars_sources SET text = 'x'",
        "DELETE FROM lars_sources",
        "UPDATE lars_function_versions SET signature = 'x'",
        "DELETE FROM lars_function_versions",
        "UPDATE lars_functions SET version = 9",
    ],
)
async def test_versions_never_change(control: Control, statement: str) -> None:
    """The database refuses, whoever is connected; nor does a function point to a version that is none."""
    loaded = await load(control, "a")
    with pytest.raises(ControlUnavailable):
        await run_sql(control, statement)
    assert await control.functions.get(HASH, "hello") == loaded.function


async def test_each_change_is_recorded(control: Control) -> None:
    """Who, what, which version came of it; also what was refused."""
    await load(control, "a")
    await control.functions.stage(spec(), source("b"), SIGNATURE, BY, Share(5))
    await control.functions.rollback(HASH, "hello", BY, 2)
    await control.functions.rollback(HASH, "hello", BY)
    await control.functions.set_canary(HASH, "hello", Split(2, 9), BY)
    await control.functions.set_canary(HASH, "hello", None, BY)
    await control.functions.unload(HASH, "hello", BY)
    with pytest.raises(NotFound):
        await control.functions.unload(HASH, "hello", BY)
    about = {"module": "m", "path": "/own/hello", "method": "GET"}
    a, b = ({"digest": source(text).digest} for text in "ab")
    assert await told(control) == [
        (action, f"{HASH}/hello", outcome, detail)
        for action, outcome, detail in (
            ("function.load", "ok", {**about, **a, "version": 1, "created": True}),
            ("function.canary", "ok", {**about, **b, "weight": 5, "version": 2, "created": True}),
            ("function.rollback", "ok", {"to": 2, "version": 2, **b}),
            ("function.rollback", "ok", {"to": None, "version": 1, **a}),
            ("function.canary", "ok", {"canary": 2, "weight": 9, "version": 1, **a}),
            ("function.canary", "ok", {"canary": None, "version": 1, **a}),
            ("function.unload", "ok", {"version": 1, **a}),
            ("function.unload", "not_found", {}),
        )
    ]
    assert (await control.check_audit()).fault is None


async def test_no_call_blocks_the_loop(control: Control, loop_guard: BlockBuster) -> None:
    """A front answers requests meanwhile."""
    digest = (await load(control, "a")).function.digest
    await control.functions.source(digest)
    await control.functions.changes_since(0)
    await control.functions.unload(HASH, "hello", BY)


async def test_after_a_restart(control: Control, made: dict[str, str]) -> None:
    """Another process has what this one had."""
    await load(control, "a")
    await control.functions.stage(spec(), source("b"), SIGNATURE, BY, Share(5))
    await load(control, "c", "gone")
    await control.functions.unload(HASH, "gone", BY)
    async with open_control(Settings.from_env(made)) as other:
        assert await other.functions.changes_since(0) == await control.functions.changes_since(0)
        assert await other.functions.source(source("b").digest) == source("b")
        assert (await load(other, "d", "gone")).version == 2


async def many(control: Control) -> None:
    """MANY functions, each with a text and a signature of its own; behind the registry's back, for speed."""
    texts = [source(f"def f(): return {number}\n") for number in range(MANY)]
    names = [{"hash": f"{number % 100:040x}", "name": f"f{number}"} for number in range(MANY)]
    signature = json.dumps({"parameters": [{"name": "n", "schema": {"type": "integer"}}] * 3})
    version = {"version": 1, "signature": signature, "created": 1.0, "created_by": "x"}
    function = {"module": "m", "method": "GET", "version": 1, "loaded": True, "created": 1.0, "updated": 1.0}
    async with control.database.writing() as connection:
        rows = [{"digest": one.digest, "text": one.text, "size": len(one.text)} for one in texts]
        await connection.execute(insert(SOURCES), rows)
        given = [{**name, **version, "digest": one.digest} for name, one in zip(names, texts, strict=True)]
        await connection.execute(insert(FUNCTION_VERSIONS), given)
        more = [
            {**name, **function, "path": f"/p/{name['name']}", "revision": number + 1, "owner": "x"}
            for number, name in enumerate(names)
        ]
        await connection.execute(insert(FUNCTIONS), more)
        await connection.execute(REVISION.update().values(number=MANY))


async def test_ten_thousand_functions(control: Control) -> None:
    """Are read as a whole, and one of them that changes is found without the others."""
    await many(control)
    changes = await control.functions.changes_since(0)
    assert (len(changes.functions), changes.revision) == (MANY, MANY)
    contract, name = changes.functions[4321].spec.hash, changes.functions[4321].spec.name
    gone = await control.functions.unload(contract, name, BY)
    assert await control.functions.changes_since(MANY) == FunctionChanges((gone,), MANY + 1)
