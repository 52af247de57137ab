"""Usage by the day, on both databases."""

from __future__ import annotations

import asyncio
from datetime import date

from service.control.control import Control
from service.control.usage import NOTHING, Figures, Usage

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


async def test_figures_add_up(control: Control) -> None:
    """By principal and day; the last use is the latest, in whichever order it came."""
    await control.usage.add({("key:a", TUESDAY): Figures(1, 1, 250, 7, 20.5), ("key:b", MONDAY): Figures(5)})
    await control.usage.add({("key:a", MONDAY): Figures(2, 0, 1, 0, 5.0), ("key:a", TUESDAY): Figures(1)})
    await control.usage.add({("key:a", TUESDAY): Figures(0, 0, 0, 1 << 40, 10.0), ("key:b", MONDAY): NOTHING})
    await control.usage.add({})
    usage = await control.usage.of("key:a")
    assert usage.days == (
        (MONDAY, Figures(2, 0, 1, 0, 5.0)),
        (TUESDAY, Figures(2, 1, 250, 7 + (1 << 40), 20.5)),
    )
    assert usage.total == Figures(4, 1, 251, 7 + (1 << 40), 20.5)
    assert await control.usage.totals(["key:a", "key:b", "key:none"]) == {
        "key:a": usage.total,
        "key:b": Figures(5),
    }


async def test_who_has_used_nothing(control: Control) -> None:
    """Has no days, and a total of nothing."""
    assert await control.usage.of("key:none") == Usage(())
    assert (await control.usage.of("key:none")).total == NOTHING
    assert await control.usage.totals([]) == {}


async def test_many_names_at_once(control: Control) -> None:
    """More than one statement takes parameters for."""
    await control.usage.add({(f"key:{number}", MONDAY): Figures(number) for number in range(1100)})
    totals = await control.usage.totals([f"key:{number}" for number in range(1200)])
    assert totals == {f"key:{number}": Figures(number) for number in range(1100)}


async def test_adding_at_once_loses_nothing(control: Control) -> None:
    """Two writers of the same rows, each in another order."""
    names = [f"key:{number}" for number in range(20)]
    forwards = {(name, MONDAY): Figures(1, 0, 2) for name in names}
    backwards = dict(reversed(forwards.items()))
    await asyncio.gather(*(control.usage.add(rows) for rows in (forwards, backwards) * 5))
    assert await control.usage.totals(names) == dict.fromkeys(names, Figures(10, 0, 20))
