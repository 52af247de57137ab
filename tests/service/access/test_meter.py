"""What callers have used, until it is written down."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.access.meter import Meter
from service.control.usage import Figures

REQUESTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.booleans(), st.floats(0, 3), st.sampled_from(["", "take", "lose"])),
    max_size=40,
)


@given(REQUESTS)
def test_nothing_is_lost_or_counted_twice(requests: list[tuple[str, bool, float, str]]) -> None:
    """However often the figures are taken, and put back because they could not be written."""
    counted, written = Meter(), Figures()
    for name, failed, cpu, then in requests:
        counted.count(name, failed=failed, cpu=cpu)
        if then:
            taken = counted.take()
            if then == "lose":
                counted.put_back(taken)
            else:
                written = sum(taken.values(), written)
    written = sum(counted.take().values(), written)
    assert written.requests == len(requests)
    assert written.failures == sum(failed for _, failed, _, _ in requests)
    spent = {name: sum(round(cpu * 1e6) for of, _, cpu, _ in requests if of == name) for name in "ab"}
    kept = sum(spent.values()) // 1000
    assert kept - 1 <= written.cpu_ms <= kept  # what is left of a millisecond waits, for each name
    assert counted.take() == {}


def test_small_parts_of_a_millisecond_add_up() -> None:
    meter = Meter()
    total = 0
    for _ in range(100):
        meter.count("a", failed=False, cpu=0.0004)
        total += sum(figures.cpu_ms for figures in meter.take().values())
    assert total == 40


def test_figures_belong_to_the_day_on_which_they_came() -> None:
    """In UTC, also when they are taken on the next."""
    now = 86_399.5
    meter = Meter(lambda: now)
    meter.count("a", failed=False, cpu=1.0)
    now += 1
    meter.count("a", failed=True, cpu=2.0)
    taken = meter.take()
    first = date(1970, 1, 1)
    assert {day: figures.cpu_ms for (_, day), figures in taken.items()} == {
        first: 1000,
        first + timedelta(1): 2000,
    }
