"""Which part of a list a request asks for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from service.errors import BadRequest


def read_page(
    query: Mapping[str, str], usual: int, most: int, others: Collection[str] = ()
) -> tuple[int, str | None]:
    """``limit``, from 1 to ``most``, and ``after``: where the page before has ended. ``others``: parameters
    that are read elsewhere. BadRequest."""
    unknown = query.keys() - {"limit", "after", *others}
    number = query.get("limit", str(usual))
    if unknown:
        known = ", ".join(("limit", "after", *others))
        raise BadRequest(f"the parameter {min(unknown)[:40]!r} is unknown; send only {known}")
    if not (number.isascii() and number.isdecimal() and len(number) < 6 and 0 < int(number) <= most):
        raise BadRequest(f"limit is {number[:40]!r}, expected 1 to {most}")
    return int(number), query.get("after")
