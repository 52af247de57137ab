"""The URL of the control database: which are accepted, and the one form they are kept in. Pure.

    sqlite+aiosqlite:///PATH, sqlite:///PATH               PATH as it is, a fourth slash makes it absolute
    postgresql+asyncpg://USER:PASSWORD@HOST:PORT/DATABASE  also postgresql:// and postgres://

libpq's ``sslmode`` (PostgreSQL, "Parameter Key Words") is asyncpg's ``ssl``, of the same words.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

SQLITE: Final = "sqlite+aiosqlite:///"
POSTGRESQL: Final = "postgresql+asyncpg://"
_SQLITE_NAMES = (SQLITE, "sqlite:///")
PARAMETERS: Final = (
    *("host", "port", "user", "password", "passfile", "ssl", "sslmode", "direct_tls", "target_session_attrs"),
    *("krbsrvname", "gsslib", "service", "servicefile", "prepared_statement_cache_size"),
)
"""Of a server's URL, behind the question mark: what asyncpg's connect and SQLAlchemy take as text."""
_WITHOUT_EFFECT = ("timeout", "command_timeout")  # ours hold; they were taken always
_POSTGRESQL_NAMES = (POSTGRESQL, "postgresql://", "postgres://")


def normal_url(text: str) -> str:
    """``text`` as ``sqlite+aiosqlite:///`` or ``postgresql+asyncpg://``. ValueError for what is neither,
    without the text, which may hold a password."""
    for name in _SQLITE_NAMES:
        if text.startswith(name):
            return SQLITE + _file(text.removeprefix(name))
    for name in _POSTGRESQL_NAMES:
        if text.startswith(name):
            return _server(POSTGRESQL + text.removeprefix(name))
    raise ValueError("no URL of SQLite or PostgreSQL")


def sqlite_path(url: str) -> str | None:
    """The file of a normal URL; None when it is a server's."""
    return url.removeprefix(SQLITE) if url.startswith(SQLITE) else None


def _file(path: str) -> str:
    # Of a database in memory each process would have another.
    if not path or "\0" in path or path == ":memory:":
        raise ValueError("no path of a file")
    return path


def _server(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the port is no number") from None
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = {name: value for name, value in pairs if name != "host"}
    hosts = [(name, value) for name, value in pairs if name == "host"]  # each is tried, if there are several
    if parts.netloc.count("@") > 1 or parts.fragment or port == 0 or not url.isprintable():
        raise ValueError("a special character is not percent-encoded")
    if not parts.hostname and not hosts:
        raise ValueError("no host")
    if not query.keys() <= {*PARAMETERS, *_WITHOUT_EFFECT}:
        raise ValueError("a parameter that is none of those that can be used")
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    address = url.partition("?")[0]
    return f"{address}?{urlencode([*hosts, *query.items()])}" if pairs else address
