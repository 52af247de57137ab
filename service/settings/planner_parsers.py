"""How the variables of the planner become values; see ``parsers``."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from sandbox_runtime.planning import Price
from service.settings.parsers import NOTHING, Parser, choice, integer

_HOST = re.compile(
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
)
_MODEL = re.compile(r"[!-~]{1,200}")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_PRICE = re.compile(r"(?P<model>[!-~]{1,200})=(?P<rates>[0-9.]{1,12}/[0-9.]{1,12}/[0-9.]{1,12})")
HTTPS = 443


def or_none(parser: Parser) -> Parser:
    """The same, and None for ``none``."""
    return Parser(
        f"{parser.expects}; or {NOTHING}",
        lambda text: None if text.lower() == NOTHING else parser.read(text),
    )


def choice_or_none(*words: str) -> Parser:
    """One of a few words, or ``none``."""
    return or_none(choice(*words))


def integer_or_none(low: int, high: int) -> Parser:
    """A whole number, or ``none``."""
    return or_none(integer(low, high))


def url() -> Parser:
    """An http or https URL without credentials, query or fragment, or ``none``."""

    def read(text: str) -> str:
        parts = urlsplit(text)  # ValueError for a bad port, as port is read
        plain = not (parts.query or parts.fragment or parts.username or parts.password)
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain or parts.port == 0:
            raise ValueError(text)
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(text)
        return text.rstrip("/")

    return or_none(Parser("a URL such as https://llm.example.org/v1 without user, query or fragment", read))


def model() -> Parser:
    """A model's name as its provider spells it, or ``none``."""
    return or_none(
        Parser("1 to 200 visible ASCII characters without blanks", lambda text: _match(_MODEL, text)[0])
    )


def dotted_name() -> Parser:
    """``package.module.function``, or ``none``."""
    return or_none(Parser("a name such as package.module.function", lambda text: _match(_DOTTED, text)[0]))


def hosts() -> Parser:
    """Host names and addresses, each with a port or without (0), separated by commas, or ``none``."""

    def read(text: str) -> tuple[tuple[str, int], ...]:
        if text.lower() == NOTHING:
            return ()
        return tuple(_host(one.strip().lower()) for one in text.split(","))

    expects = "a comma-separated list of hosts such as api.openai.com, 127.0.0.1:8080 or [::1]:8080"
    return Parser(f"{expects}; or {NOTHING}", read)


def prices() -> Parser:
    """``MODEL=INPUT/OUTPUT/CACHED`` separated by commas, or ``none`` for the empty dict."""

    def read(text: str) -> dict[str, Price]:
        if text.lower() == NOTHING:
            return {}
        return dict(_price(one.strip()) for one in text.split(","))

    return Parser(f"a comma-separated list such as gpt-5.4-mini=0.75/4.5/0.075; or {NOTHING}", read)


def _host(text: str) -> tuple[str, int]:
    found = _match(_HOST, text)
    port = int(found["port"] or 0)
    if port > 65_535 or found["port"] == "0":
        raise ValueError(text)
    return found["host"].strip("[]"), port


def _price(text: str) -> tuple[str, Price]:
    found = _match(_PRICE, text)
    return found["model"], Price(*(float(rate) for rate in found["rates"].split("/")))


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return found
