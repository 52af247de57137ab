"""How the text of one variable becomes a value, and the error that says which texts did not.

A ``Parser`` is a pure function with the words that complete "expected ..."; ``SettingsError`` carries every
problem found in one reading.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from sandbox_runtime.layers import Layer
from service.cgroup.amounts import Share
from service.database_url import PARAMETERS, POSTGRESQL, SQLITE, normal_url
from service.limits.rates import UNLIMITED, Rates, read_rates
from service.secret import Secret
from service.units import format_size, parse_size

_INTEGER = re.compile(r"[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.:_%-]{1,255}", re.ASCII)
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,255}", re.ASCII)
_TOKEN = re.compile(r"[!-~]{1,512}", re.ASCII)


_STORE = re.compile(r"(?:rediss?://[^\s/@]*@?[^\s/@]+|unix://[^\s@]*@?/)[^\s@]*", re.ASCII)
_SESSION_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)
NOTHING = "none"
_FLAGS = {"true": True, "false": False}
N = TypeVar("N", int, float)


class SettingsError(Exception):
    """The configuration cannot be used. ``problems``: one sentence each, naming the variable, its value, what
    was expected and the remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Parser:
    """``read`` turns stripped, non-empty text into a value or raises ValueError."""

    expects: str
    read: Callable[[str], object]


def integer(low: int, high: int) -> Parser:
    """A whole number in decimal digits."""

    def read(text: str) -> int:
        return _within(int(_matched(_INTEGER, text)), low, high)

    return Parser(f"a whole number from {low} to {high}", read)


def descriptor() -> Parser:
    """The number of an open file that is none of the standard streams, or ``none``."""
    number = integer(3, 1_048_575)

    def read(text: str) -> object:
        return None if text.lower() == NOTHING else number.read(text)

    return Parser(f"{number.expects}; or {NOTHING}", read)


def number(low: float, high: float) -> Parser:
    """A decimal number; no exponent, infinity or NaN."""

    def read(text: str) -> float:
        return _within(float(_matched(_NUMBER, text)), low, high)

    return Parser(f"a number from {low:g} to {high:g}", read)


def size(low: int, high: int) -> Parser:
    """Bytes, written as ``service.units.parse_size`` reads them."""

    def read(text: str) -> int:
        return _within(parse_size(text), low, high)

    return Parser(f"a size from {format_size(low)} to {format_size(high)}, in bytes or with k, m, g", read)


def choice(*words: str) -> Parser:
    """One of a few words, in any case."""

    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(text)
        return text.lower()

    return Parser(f"{', '.join(words[:-1])} or {words[-1]}", read)


def flag() -> Parser:
    """``true`` or ``false``, in any case."""

    def read(text: str) -> bool:
        if text.lower() not in _FLAGS:
            raise ValueError(text)
        return _FLAGS[text.lower()]

    return Parser("true or false", read)


def host() -> Parser:
    """A host name or an address to listen on; whether it exists shows when it is bound."""
    return Parser("a host name or an IP address", lambda text: _matched(_HOST, text))


def path() -> Parser:
    """A path; ``~`` and ``~user`` are expanded."""

    def read(text: str) -> Path:
        if "\0" in text:
            raise ValueError(text)
        try:
            return Path(text).expanduser()
        except RuntimeError as error:  # pathlib's word for "no home directory known"
            raise ValueError(text) from error

    return Parser("a path (if it starts with ~, one whose home directory is known)", read)


def token() -> Parser:
    """A secret that travels in a header, kept as a ``Secret``; None for ``none``."""

    def read(text: str) -> Secret | None:
        return None if text.lower() == NOTHING else Secret(_matched(_TOKEN, text))

    return Parser(f"1 to 512 visible ASCII characters without blanks; or {NOTHING}", read)


def names(known: Mapping[str, object]) -> Parser:
    """Keys of ``known`` separated by commas, or ``none``; read as the frozenset of their values."""

    def read(text: str) -> frozenset[object]:
        if text.lower() == NOTHING:
            return frozenset()
        chosen = [name.strip().lower() for name in text.split(",")]
        if not known.keys() >= set(chosen):
            raise ValueError(text)
        return frozenset(known[name] for name in chosen)

    return Parser(f"a comma-separated list of {', '.join(known)}; or {NOTHING}", read)


def secret(least: int = 0) -> Parser:
    """Any text of at least ``least`` characters, kept as a ``Secret``; the empty one stands for none."""

    def read(text: str) -> Secret:
        if 0 < len(text) < least:
            raise ValueError("too short")
        return Secret(text)

    return Parser(f"a text of at least {least} characters" if least else "a text", read)


def database_url() -> Parser:
    """A URL as ``service.database_url`` reads it, kept as a ``Secret``: it may hold a password."""
    expects = (
        f"{SQLITE}PATH or {POSTGRESQL}USER:PASSWORD@HOST/DATABASE, special characters as %XX, with no "
        f"parameters but {', '.join(PARAMETERS)}"
    )
    return Parser(expects, lambda text: Secret(normal_url(text)))


def layers(known: Sequence[Layer]) -> Parser:
    """Names of ``known`` layers separated by commas, or ``none`` for the empty tuple."""
    by_name = {layer.value: layer for layer in known}

    def read(text: str) -> tuple[Layer, ...]:
        if text.lower() == NOTHING:
            return ()
        names = [name.strip().lower() for name in text.split(",")]
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise ValueError(text)
        return tuple(dict.fromkeys(by_name[name] for name in names))

    return Parser(f"a comma-separated list of {', '.join(by_name)}; or {NOTHING}", read)


def origins() -> Parser:
    """Origins (RFC 6454) separated by commas, ``*`` for all of them, or ``none`` for the empty tuple."""

    def read(text: str) -> tuple[str, ...]:
        if text.lower() == NOTHING:
            return ()
        return ("*",) if text == "*" else tuple(_matched(_ORIGIN, one.strip()) for one in text.split(","))

    return Parser(
        f"a comma-separated list of origins such as https://example.org; * for all; or {NOTHING}", read
    )


def networks() -> Parser:
    """Addresses and networks (``10.0.0.0/8``) separated by commas, or ``none`` for the empty tuple."""

    def read(text: str) -> tuple[str, ...]:
        if text.lower() == NOTHING:
            return ()
        return tuple(str(ipaddress.ip_network(one.strip())) for one in text.split(","))

    return Parser(f"a comma-separated list of addresses and networks such as 10.0.0.0/8; or {NOTHING}", read)


def rates() -> Parser:
    """Limits as ``service.limits.rates`` reads them, separated by commas, or ``none``."""

    def read(text: str) -> Rates:
        return UNLIMITED if text.lower() == NOTHING else read_rates(text.split(","))

    form = "a comma-separated list such as 100/minute, concurrent=4, cpu=3600, tokens=50000"
    return Parser(f"{form}; or {NOTHING}", read)


def rate_store() -> Parser:
    """``memory``, or the URL of a Redis, which may hold a password."""

    def read(text: str) -> Secret | Literal["memory"]:
        return "memory" if text.lower() == "memory" else Secret(_matched(_STORE, text))

    return Parser("memory, or the URL of a Redis: redis://HOST, rediss://HOST or unix:///PATH", read)


def amount(number: Parser) -> Parser:
    """What ``number`` reads, a ``Share`` written as ``75%``, or ``none``."""

    def read(text: str) -> object:
        if text.lower() == NOTHING:
            return None
        if text.endswith("%"):
            return Share(_within(float(_matched(_NUMBER, text[:-1].rstrip())), 1, 100))
        return number.read(text)

    return Parser(f"{number.expects}; 1% to 100% of what there is; or {NOTHING}", read)


def cgroup() -> Parser:
    """``auto``, ``off``, or the directory of a group."""

    def read(text: str) -> Literal["auto", "off"] | Path:
        if text.lower() == "auto":
            return "auto"
        if text.lower() == "off":
            return "off"
        if not text.startswith("/") or "\0" in text:
            raise ValueError(text)
        return Path(text)

    return Parser("auto, off, or the absolute path of a cgroup, such as /sys/fs/cgroup/lars", read)


def session_id() -> Parser:
    """A session's id, or ``none``."""

    def read(text: str) -> str | None:
        return None if text.lower() == NOTHING else _matched(_SESSION_ID, text)

    return Parser(f"1 to 128 of A-Z a-z 0-9 . _ ~ -; or {NOTHING}", read)


def _matched(pattern: re.Pattern[str], text: str) -> str:
    if pattern.fullmatch(text) is None:
        raise ValueError(text)
    return text


def _within(value: N, low: N, high: N) -> N:
    if not low <= value <= high:
        raise ValueError(value)
    return value
