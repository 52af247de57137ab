"""The audit log: what is written verifies, and whatever is done to it behind its back shows."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from service.access.principal import Actor
from service.control.audit import AuditLog
from service.control.audit_check import check
from service.control.control import Control
from service.control.seals import ORIGIN, Event
from service.errors import ControlUnavailable
from tests.service.control.made import BY, SPEC, rows, run_sql

COLUMNS = "time, principal, source, action, target, outcome, detail, seal"
COPY_4 = f"INSERT INTO lars_audit (seq, {COLUMNS}) SELECT 6, {COLUMNS} FROM lars_audit WHERE seq = 4"  # noqa: S608 - ours
SWAP = (
    "UPDATE lars_audit SET seq = 99 WHERE seq = 2",
    "UPDATE lars_audit SET seq = 2 WHERE seq = 3",
    "UPDATE lars_audit SET seq = 3 WHERE seq = 99",
)
PUT_IN = (
    "UPDATE lars_audit SET seq = 6 WHERE seq = 5",
    "UPDATE lars_audit SET seq = 5 WHERE seq = 4",
    f"INSERT INTO lars_audit (seq, {COLUMNS}) SELECT 4, {COLUMNS} FROM lars_audit WHERE seq = 3",  # noqa: S608
    "UPDATE lars_audit_head SET seq = 6",
)
CHANGED = "entry 3 does not bear its seal"


async def written(control: Control) -> None:
    """Five entries."""
    for number in range(5):
        await control.audit.append(Event(BY, "test", f"target {number}", {"number": number}))


async def unlocked(control: Control, *statements: str) -> None:
    """Somebody who may do anything with the database takes the triggers off, and changes something."""
    if control.database.path is not None:
        found = await rows(control, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
        removals = [f"DROP TRIGGER {name}" for (name,) in found]
    else:
        removals = [f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in ("lars_audit", "lars_audit_head")]
    await run_sql(control, *removals, *statements)


async def test_a_log_that_nobody_touched(control: Control) -> None:
    """Verifies: empty, and with entries; its head is the last seal."""
    verdict = await control.check_audit()
    assert (verdict.count, verdict.seal, verdict.fault) == (0, ORIGIN, None)
    await written(control)
    verdict = await control.check_audit()
    assert (verdict.count, verdict.fault) == (5, None)
    assert verdict.seal == (await control.audit.last(1))[0].seal


async def test_a_seal_is_what_the_documentation_says(control: Control) -> None:
    """HMAC-SHA256 of the seal before and the entry as JSON: anybody with the key can check it."""
    entry = await control.audit.append(Event(Actor("a", "b"), "c", "d", {"z": 1, "a": "é"}))
    content = {
        "seq": 1,
        "time": entry.time,
        "principal": "a",
        "source": "b",
        "action": "c",
        "target": "d",
        "outcome": "ok",
        "detail": '{"a":"é","z":1}',
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert entry.seal == hmac.new(control.audit_key, bytes(32) + text, hashlib.sha256).digest()
    assert await control.audit.last(1) == [entry]


async def test_an_entry_is_logged_with_its_seal(control: Control) -> None:
    """Which anchors it outside of the database."""
    with capture_logs() as logged:
        entry = await control.audit.append(Event(BY, "test", "target"))
    (line,) = (line for line in logged if line["event"] == "audit")
    assert (line["seq"], line["seal"], line["action"]) == (1, entry.seal.hex(), "test")


@pytest.mark.parametrize("target", ["a\0b", "\ud800", "a\nb", "é", "x" * 1000])
async def test_any_text_can_be_recorded(control: Control, target: str) -> None:
    """Both databases take it, and it verifies when read back."""
    entry = await control.audit.append(Event(BY, "test", target))
    assert entry.target.isprintable()
    assert len(entry.target) <= 303
    assert await control.audit.last(1) == [entry]
    assert (await control.check_audit()).fault is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lars_audit SET target = 'x'",
        "DELETE FROM lars_audit WHERE seq = 5",
        "DELETE FROM lars_audit_head",
    ],
)
async def test_the_database_refuses_changes(control: Control, statement: str) -> None:
    """Whoever is connected, until the triggers are taken off."""
    await written(control)
    with pytest.raises(ControlUnavailable) as caught:
        await run_sql(control, statement)
    assert "the audit log is append-only" in caught.value.reason
    assert (await control.check_audit()).fault is None
    await unlocked(control, statement)
    assert (await control.check_audit()).fault is not None


@pytest.mark.parametrize(
    ("statements", "sound", "fault"),
    [
        (("UPDATE lars_audit SET time = time + 1 WHERE seq = 3",), 2, CHANGED),
        (("UPDATE lars_audit SET principal = 'x' WHERE seq = 3",), 2, CHANGED),
        (("UPDATE lars_audit SET source = 'x' WHERE seq = 3",), 2, CHANGED),
        (("UPDATE lars_audit SET action = 'x' WHERE seq = 3",), 2, CHANGED),
        (("UPDATE lars_audit SET target = 'x' WHERE seq = 3",), 2, CHANGED),
        (("UPDATE lars_audit SET outcome = 'conflict' WHERE seq = 3",), 2, CHANGED),
        (("UPDATE lars_audit SET detail = '{}' WHERE seq = 3",), 2, CHANGED),
        (
            ("UPDATE lars_audit SET target = 'x' WHERE seq = 1",),
            0,
            "entry 1 does not bear its seal: it was changed",
        ),
        (
            ("DELETE FROM lars_audit WHERE seq = 3",),
            2,
            "entry 3 is missing: it was removed, and the next there is 4",
        ),
        (("DELETE FROM lars_audit WHERE seq = 1",), 0, "entry 1 is missing"),
        (
            (
                "DELETE FROM lars_audit WHERE seq = 3",
                "UPDATE lars_audit SET seq = 3 WHERE seq = 4",
                "UPDATE lars_audit SET seq = 4 WHERE seq = 5",
            ),
            2,
            CHANGED,
        ),
        (PUT_IN, 3, "entry 4 does not bear its seal"),
        ((COPY_4,), 5, "entry 6 does not bear its seal"),
        (SWAP, 1, "entry 2 does not bear its seal"),
        (
            ("DELETE FROM lars_audit WHERE seq > 3",),
            3,
            "entry 4 is missing: the head is entry 5, so the tail was cut",
        ),
        (
            (
                "DELETE FROM lars_audit WHERE seq > 3",
                "UPDATE lars_audit_head SET seq = 3, seal = (SELECT seal FROM lars_audit WHERE seq = 3)",
            ),
            3,
            "the head, which is after entry 3, was changed",
        ),
        (("UPDATE lars_audit_head SET seq = 4",), 5, "the head, which is after entry 5, was changed"),
        (("DELETE FROM lars_audit_head",), 0, "the head of the audit log is missing"),
        (("DELETE FROM lars_audit",), 0, "entry 1 is missing: the head is entry 5, so the tail was cut"),
    ],
)
async def test_whatever_was_done_shows(
    control: Control, statements: tuple[str, ...], sound: int, fault: str
) -> None:
    """The first entry that is wrong is named, and how many before it are sound."""
    await written(control)
    await unlocked(control, *statements)
    verdict = await control.check_audit()
    assert verdict.count == sound
    assert verdict.fault is not None
    assert verdict.fault.startswith(fault)


async def test_a_log_that_was_emptied(control: Control) -> None:
    """Shows even with a head as that of a new log: the keys' changes are not recorded."""
    await control.keys.add(SPEC, BY)
    zeros = "zeroblob(32)" if control.database.path is not None else "decode(repeat('00', 32), 'hex')"
    nothing = "zeroblob(0)" if control.database.path is not None else "''"
    head = f"UPDATE lars_audit_head SET seq = 0, seal = {zeros}, mac = {nothing}"  # noqa: S608 - ours
    await unlocked(control, "DELETE FROM lars_audit", head)
    fault = (await control.check_audit()).fault
    assert fault == "entry 1 is missing: keys or functions were changed 1 times, and none of it is recorded"


async def test_a_log_that_was_put_back(control: Control) -> None:
    """As a whole, to what it once was: it verifies, but not against the head that was noted since."""
    await written(control)
    (old,) = await rows(control, "SELECT seq, seal, mac FROM lars_audit_head")
    noted_before, noted_since = old[1], (await control.audit.append(Event(BY, "test", "late"))).seal
    await unlocked(control, "DELETE FROM lars_audit WHERE seq = 6")
    async with control.database.writing() as connection:
        values = {"seq": old[0], "seal": old[1], "mac": old[2]}
        await connection.execute(
            text("UPDATE lars_audit_head SET seq = :seq, seal = :seal, mac = :mac"), values
        )
    assert (await control.check_audit()).fault is None
    assert (await control.check_audit(noted_before)).noted
    assert not (await control.check_audit(noted_since)).noted


async def test_another_key(control: Control) -> None:
    """Neither verifies the log nor may add to it."""
    await written(control)
    other = AuditLog(control.database, b"another")
    verdict = await check(control.database, b"another")
    assert verdict.count == 0
    assert verdict.fault is not None
    assert "sealed with another key" in verdict.fault
    with pytest.raises(ControlUnavailable) as caught:
        await other.append(Event(BY, "test", "target"))
    assert "LARS_AUDIT_KEY" in caught.value.reason
    assert (await control.check_audit()).count == 5


async def test_a_change_that_fails_is_not_recorded(control: Control) -> None:
    """What is recorded has happened, and what has happened is recorded."""

    async def work(_: object) -> None:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await control.audit.recorded(Event(BY, "test", "target"), work)
    assert await control.audit.last(1) == []


async def test_a_log_of_several_pages(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is read page by page; each boundary is a link as any other."""
    monkeypatch.setattr("service.control.audit_check.PAGE", 2)
    await written(control)
    assert (await control.check_audit()).count == 5
    await unlocked(control, "DELETE FROM lars_audit WHERE seq = 3")
    assert (await control.check_audit()).count == 2
