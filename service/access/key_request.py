"""The bodies of POST /_/keys and POST /_/keys/{key}/rotate: a JSON object in, values out. Pure.

Every field is a row of a table; every wrong field is reported at once, and an unknown one is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from service.access.key_text import ENVIRONMENTS
from service.access.principal import KeySpec
from service.access.scopes import USUAL, read_scopes
from service.http.members import read_members, require, text
from service.limits.rates import UNLIMITED, read_rates
from service.times import parse_duration, parse_moment

Parse = Callable[[Any, float], Any]
POLICIES = ("program", "restricted")
USUAL_OVERLAP = 86_400  # seconds


def parse_key(body: Mapping[str, Any], now: float) -> KeySpec:
    """The key that ``body`` asks for; ``now`` in seconds since the epoch. ValidationFailed. What no key may
    be, the store refuses."""
    values = read_members(body, _SPEC, now)
    require(values, ("name", "env"))
    return KeySpec(
        name=values["name"],
        env=values["env"],
        scopes=USUAL if values.get("scopes") is None else values["scopes"],
        description=values.get("description") or "",
        rates=values.get("rates") or UNLIMITED,
        policy=values.get("policy"),
        expires=values.get("expires"),
    )


def parse_rotation(body: Mapping[str, Any], now: float) -> float:
    """Seconds for which the old secret is still taken. ValidationFailed."""
    overlap = read_members(body, {"overlap": _overlap}, now).get("overlap")
    return USUAL_OVERLAP if overlap is None else float(overlap)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or len(value) > 100:
        raise ValueError("send an array of at most 100 strings")
    return value


def _one_of(words: tuple[str, ...]) -> Parse:
    def parse(value: Any, _: float) -> str:
        if value not in words:
            raise ValueError(f"send one of {', '.join(words)}")
        return str(value)

    return parse


def _overlap(value: Any, _: float) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("send seconds, or a duration such as 24h")
    return value


_SPEC: Mapping[str, Parse] = {
    "name": text,
    "description": text,
    "env": _one_of(ENVIRONMENTS),
    "scopes": lambda value, _: read_scopes(_texts(value)),
    "rates": lambda value, _: read_rates(_texts(value)),
    "policy": _one_of(POLICIES),
    "expires": lambda value, now: parse_moment(text(value, now), now),
}
