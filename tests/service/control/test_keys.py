"""The store of keys, on both databases."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

import pytest
from blockbuster import BlockBuster

from service.access.key_text import read_key
from service.access.principal import KeySpec
from service.access.scopes import Scope
from service.control.control import Control
from service.control.key_rules import state_of
from service.control.keys import Changes
from service.control.usage import Figures
from service.errors import Conflict, NotFound, ValidationFailed
from service.limits.rates import read_rates
from tests.service.control.made import BY, MISSING_ID, SPEC, rows, run_sql

TABLES = ("lars_keys", "lars_audit", "lars_usage")


async def test_what_is_added_is_found(control: Control) -> None:
    """Every member of the specification comes back, and the text is a key whose digest is kept."""
    rates = read_rates(["100/minute", "concurrent=4", "cpu=3600", "tokens=5"])
    spec = KeySpec("é 名", "test", frozenset(Scope), "a\nb", rates, "restricted", time.time() + 60)
    key, new = await control.keys.add(spec, BY)
    text = read_key(new.text)
    assert text is not None
    assert (text.env, text.id, text.digest) == ("test", key.id, key.digest)
    assert key.spec == spec
    assert abs(key.created - time.time()) < 20
    assert await control.keys.get(key.id) == key
    assert await control.keys.list() == (key,)
    assert await control.keys.changes_since(0) == Changes((key,), 1)


async def test_no_secret_is_kept(control: Control) -> None:
    """Nothing in any table has the secret of a key, before or after it is rotated."""
    key, first = await control.keys.add(SPEC, BY)
    _, second = await control.keys.rotate(key.id, 60, BY)
    kept = repr([await rows(control, f"SELECT * FROM {table}") for table in TABLES])  # noqa: S608 - ours
    assert key.id in kept
    for new in (first, second):
        assert new.text.split("_")[3] not in kept


async def test_rotation(control: Control) -> None:
    """The old secret is taken during the overlap, of two at most one, and none without an overlap."""
    key, _ = await control.keys.add(SPEC, BY)
    first, new = await control.keys.rotate(key.id, 60, BY)
    assert (first.id, first.digest, first.previous) == (key.id, new.digest, key.digest)
    assert first.previous_until is not None
    assert first.rotated is not None
    assert first.previous_until == first.rotated + 60
    assert state_of(first, first.rotated) == "rotating"
    assert state_of(first, first.previous_until) == "active"
    second, _ = await control.keys.rotate(key.id, 5, BY)
    assert second.previous == first.digest
    last, _ = await control.keys.rotate(key.id, 0, BY)
    assert (last.previous, last.previous_until) == (None, None)
    assert await control.keys.get(key.id) == last
    assert last.spec == key.spec


async def test_revocation(control: Control) -> None:
    """It happens once, stays listed, and leaves a service that has keys."""
    assert not await control.keys.any_key()
    key, _ = await control.keys.add(SPEC, BY)
    revoked = await control.keys.revoke(key.id, BY)
    assert revoked.revoked is not None
    assert state_of(revoked, 0) == "revoked"
    assert await control.keys.revoke(key.id, BY) == revoked
    assert await control.keys.list() == (revoked,)
    assert await control.keys.any_key()
    assert (await control.keys.changes_since(0)).revision == revoked.revision == 2


async def test_changes(control: Control) -> None:
    """What is above a revision, once, as it is now, in the order of the changes."""
    one, _ = await control.keys.add(SPEC, BY)
    two, _ = await control.keys.add(SPEC, BY)
    one, _ = await control.keys.rotate(one.id, 0, BY)
    assert await control.keys.changes_since(0) == Changes((two, one), 3)
    assert await control.keys.changes_since(2) == Changes((one,), 3)
    assert await control.keys.changes_since(3) == Changes((), 3)


async def test_a_database_that_was_put_back(control: Control) -> None:
    """It says so by a lower revision, and gives every key."""
    key, _ = await control.keys.add(SPEC, BY)
    assert await control.keys.changes_since(7) == Changes((key,), 1)


async def test_pages(control: Control) -> None:
    """In the order in which the keys were made, whatever becomes of them, and each once."""
    made = [(await control.keys.add(SPEC, BY))[0].id for _ in range(5)]
    await control.keys.revoke(made[0], BY)
    first = await control.keys.list(limit=2)
    second = await control.keys.list(first[-1].id, 2)
    third = await control.keys.list(second[-1].id, 2)
    assert [key.id for key in (*first, *second, *third)] == made
    assert await control.keys.list(made[-1]) == ()
    assert await control.keys.list(MISSING_ID) == ()


@pytest.mark.parametrize("key_id", [MISSING_ID, "sk_prod_0123456789_secret", "", "\0", "é" * 10])
async def test_an_id_that_is_none(control: Control, key_id: str) -> None:
    """NotFound, and only what has the form of an id is repeated or recorded."""
    for asked in (
        control.keys.get(key_id),
        control.keys.revoke(key_id, BY),
        control.keys.rotate(key_id, 0, BY),
    ):
        with pytest.raises(NotFound) as caught:
            await asked
        assert (key_id in caught.value.detail) == (key_id in {MISSING_ID, ""})
    recorded = [(entry.action, entry.target, entry.outcome) for entry in await control.audit.last(9)]
    refused = [("key.revoke", key_id, "not_found"), ("key.rotate", key_id, "not_found")]
    assert recorded == (refused if key_id == MISSING_ID else [])


async def test_what_has_ended_is_not_rotated(control: Control) -> None:
    """Conflict, which is recorded; the key stays as it is and takes no revision."""
    revoked, _ = await control.keys.add(SPEC, BY)
    revoked = await control.keys.revoke(revoked.id, BY)
    expired, _ = await control.keys.add(replace(SPEC, expires=time.time() + 1000), BY)
    await run_sql(control, f"UPDATE lars_keys SET expires = 1 WHERE id = '{expired.id}'")  # noqa: S608 - ours
    for key, word in ((revoked, "revoked"), (expired, "expired")):
        with pytest.raises(Conflict, match=f"{key.id} is {word}"):
            await control.keys.rotate(key.id, 60, BY)
        assert (await control.keys.get(key.id)).digest == key.digest
    assert (await control.keys.changes_since(0)).revision == 3
    assert [entry.outcome for entry in await control.audit.last(2)] == ["conflict", "conflict"]


async def test_what_cannot_be(control: Control) -> None:
    """A bad specification or overlap is refused before anything is made or recorded."""
    with pytest.raises(ValidationFailed):
        await control.keys.add(replace(SPEC, name=""), BY)
    with pytest.raises(ValidationFailed):
        await control.keys.rotate(MISSING_ID, -1, BY)
    assert await control.keys.list() == ()
    assert await control.audit.last(1) == []


async def test_no_call_blocks_the_loop(control: Control, loop_guard: BlockBuster) -> None:
    """A front answers requests meanwhile."""
    key, _ = await control.keys.add(SPEC, BY)
    await control.keys.rotate(key.id, 60, BY)
    await control.keys.changes_since(0)
    await control.usage.add({("key:a", date(2027, 1, 1)): Figures(1)})
    assert (await control.check_audit()).count == 2


async def test_a_damaged_row_is_a_key_that_may_do_nothing(control: Control) -> None:
    """It neither becomes one without limits nor hides the others."""
    key, _ = await control.keys.add(SPEC, BY)
    other, _ = await control.keys.add(SPEC, BY)
    await run_sql(control, f"""UPDATE lars_keys SET rates = '["many"]' WHERE id = '{key.id}'""")  # noqa: S608
    damaged, whole = await control.keys.list()
    assert damaged.spec.scopes == frozenset()
    assert whole == other


async def test_each_change_is_recorded(control: Control) -> None:
    """Who, what, which, and no secret."""
    key, _ = await control.keys.add(replace(SPEC, rates=read_rates(["cpu=5"])), BY)
    await control.keys.rotate(key.id, 60, BY)
    await control.keys.revoke(key.id, BY)
    entries = await control.audit.last(9)
    assert [(entry.action, entry.target, entry.outcome) for entry in entries] == [
        ("key.add", key.id, "ok"),
        ("key.rotate", key.id, "ok"),
        ("key.revoke", key.id, "ok"),
    ]
    assert {(entry.principal, entry.source) for entry in entries} == {("cli:tester", "command line")}
    assert [entry.detail for entry in entries] == [
        (
            '{"env":"prod","expires":null,"name":"CI runner","policy":null,"rates":["cpu=5"],'
            '"scopes":["execute","rest"]}'
        ),
        '{"overlap":60}',
        "{}",
    ]
