"""Progress: neither a trickle nor a fast beginning keeps a connection."""

from __future__ import annotations

from service.http.pace import MIN_RATE, Pace


def test_each_stretch_must_bring_its_bytes() -> None:
    """Judged only when it is over; then the next begins."""
    pace = Pace(100.0, 0)
    assert not pace.too_slow(109.9, 0, 10)
    assert not pace.too_slow(110.0, 10 * MIN_RATE, 10)
    assert not pace.too_slow(119.9, 10 * MIN_RATE, 10)
    assert pace.too_slow(120.0, 20 * MIN_RATE - 1, 10)


def test_a_fast_beginning_earns_nothing() -> None:
    """Whatever came before, a stretch without a byte is the last."""
    pace = Pace(0.0, 0)
    assert not pace.too_slow(10.0, 10**9, 10)
    assert pace.too_slow(20.0, 10**9, 10)
