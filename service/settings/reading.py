"""Reads a table of settings from an environment: every problem found, none hidden behind another. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.settings.row import PREFIX, Computed, Facts, Reading, Setting

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two names of one setting are set to different texts."""

    used: str
    ignored: str

    def __str__(self) -> str:
        return f"{self.used} and {self.ignored} differ: {self.used} is used; unset {self.ignored}"


def read_table(
    table: Iterable[Setting], environ: Mapping[str, str], cpus: int
) -> tuple[dict[str, Reading], dict[str, str]]:
    """A reading per row, and a sentence per row whose value is bad. A bad row reads as its default, so that
    the rows that depend on it can still be judged."""
    readings: dict[str, Reading] = {}
    problems: dict[str, str] = {}
    for setting in table:
        source = _source(setting, environ)
        default = _default(setting, Facts(cpus, readings))
        text = default if source is None else environ[source].strip()
        reading = _reading(setting, text, source)
        if reading is None:
            problems[setting.name] = _bad_value(setting, source, text)
            reading = _reading(setting, default, None)
        if reading is not None:
            readings[setting.name] = reading
    return readings, problems


def out_of_order(
    pairs: Iterable[tuple[str, str]], readings: Mapping[str, Reading], bad: Container[str]
) -> list[str]:
    """A sentence for each pair whose first value is above its second; ``bad`` rows are left out."""
    sound = [(low, high) for low, high in pairs if low not in bad and high not in bad]
    return [
        f"{_named(low, readings[low])} is above {_named(high, readings[high])}; lower {low} or raise {high}"
        for low, high in sound
        if readings[low].value > readings[high].value
    ]


def conflicting(table: Iterable[Setting], environ: Mapping[str, str]) -> tuple[Conflict, ...]:
    """Settings given under two names with different texts, in the order of the table."""
    found: list[Conflict] = []
    for setting in table:
        names = [name for name in (setting.name, *setting.aliases) if _is_set(name, environ)]
        differ = [name for name in names[1:] if environ[name].strip() != environ[names[0]].strip()]
        found += [Conflict(names[0], name) for name in differ]
    return tuple(found)


def unknown(names: Sequence[str], environ: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """Variables with our prefix that are not among ``names``, each with the nearest name or None; sorted."""
    strangers = sorted(name for name in environ if name.startswith(PREFIX) and name not in names)
    return tuple((name, _nearest(name, names)) for name in strangers)


def _nearest(name: str, names: Sequence[str]) -> str | None:
    # Without the prefix: it is common to all, and would make everything look near.
    bare = {known.removeprefix(PREFIX): known for known in names}
    close = difflib.get_close_matches(name.removeprefix(PREFIX).upper(), bare, n=1)
    return bare[close[0]] if close else None


def _is_set(name: str, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(name, "").strip())


def _source(setting: Setting, environ: Mapping[str, str]) -> str | None:
    return next((name for name in (setting.name, *setting.aliases) if _is_set(name, environ)), None)


def _reading(setting: Setting, text: str, source: str | None) -> Reading | None:
    try:
        return Reading(text, setting.parse.read(text), source)
    except ValueError:
        return None


def _default(setting: Setting, facts: Facts) -> str:
    return setting.default.text(facts) if isinstance(setting.default, Computed) else setting.default


def _bad_value(setting: Setting, source: str | None, text: str) -> str:
    shown = "(hidden)" if setting.secret else repr(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")
    expected = f"expected {setting.parse.expects}"
    if source is None:
        return f"{setting.name} has no usable default here ({shown}): {expected}; set {setting.name}"
    if source != setting.name:
        return f"{source}={shown}: {expected}; correct it, or set {setting.name}, which wins over {source}"
    return f"{source}={shown}: {expected}; correct it, or unset it for the default ({setting.default_words})"


def _named(name: str, reading: Reading) -> str:
    return f"{reading.source}={reading.text}" if reading.source else f"{name}={reading.text} (the default)"
