"""Names of a query string that may come more than once."""

from __future__ import annotations

Query = dict[str, str | list[str]]


def add_value(found: Query, name: str, value: str) -> None:
    """One more value of this name: a text, or a list of texts when the name is repeated."""
    earlier = found.get(name)
    if earlier is None:
        found[name] = value
    elif isinstance(earlier, list):
        earlier.append(value)
    else:
        found[name] = [earlier, value]
