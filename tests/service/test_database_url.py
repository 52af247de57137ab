"""URLs of the control database: which are read, as what, and that none is repeated in an error."""

from __future__ import annotations

import pytest

from service.database_url import normal_url, sqlite_path
from service.settings import Settings, SettingsError
from service.settings.table import SETTINGS

SERVER = "postgresql+asyncpg://"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("sqlite+aiosqlite:////srv/a?b#c%20.db", "sqlite+aiosqlite:////srv/a?b#c%20.db"),
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
        ("postgresql+asyncpg://u:p@h:5433/d", f"{SERVER}u:p@h:5433/d"),
        ("postgresql://u:p%40%2F@h/d", f"{SERVER}u:p%40%2F@h/d"),
        ("postgres://h/d?sslmode=require", f"{SERVER}h/d?ssl=require"),
        ("postgres:///d?host=/run/postgresql", f"{SERVER}/d?host=%2Frun%2Fpostgresql"),
        ("postgres://u@[::1]:1/d", f"{SERVER}u@[::1]:1/d"),
        ("postgres:///d?host=a:1&ssl=allow&host=b:2", f"{SERVER}/d?host=a%3A1&host=b%3A2&ssl=allow"),
    ],
)
def test_what_is_read(text: str, url: str) -> None:
    """One form of each; a path of SQLite is taken as it is."""
    assert normal_url(text) == url
    assert normal_url(url) == url
    assert sqlite_path(url) == (url.partition(":///")[2] if "sqlite" in url else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mysql://u:hush@h/d",
        "control.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///a\0b",
        "postgresql+psycopg://u:hush@h/d",
        "postgresql://",
        "postgresql:///d",
        "postgresql://u:hu/sh@h/d",
        "postgresql://u:hu@sh@h/d",
        "postgresql://u:hu#sh@h/d",
        "postgresql://u:hush@h:port/d",
        "postgresql://u:hush@h:0/d",
        "postgresql://u:hush@[h/d",
        "postgresql://u:hush@h/d?connect_timeout=3",
        "postgresql://u:hush@h/d?sslmode=verify-full&sslrootcert=hush",
        "postgresql://u:hu sh\n@h/d",
    ],
)
def test_what_is_not(text: str) -> None:
    """Nothing of it is told, nor by the settings."""
    with pytest.raises(ValueError, match=r"^[^:]+$") as caught:
        normal_url(text)
    assert "hu" not in str(caught.value)
    if text:
        with pytest.raises(SettingsError) as told:
            Settings.from_env({"LARS_DATABASE_URL": text})
        assert str(told.value).startswith("LARS_DATABASE_URL=(hidden): expected sqlite+aiosqlite:///PATH or")


def test_the_default_is_in_the_data_root() -> None:
    """Whatever its name."""
    settings = Settings.from_env({"LARS_DATA_ROOT": "/srv/a?b %41"})
    assert sqlite_path(settings.database_url.reveal()) == "/srv/a?b %41/control.db"


def test_secrets_are_not_shown() -> None:
    """Not by the settings as a whole, and both rows are marked."""
    environ = {"LARS_DATABASE_URL": "postgres://u:hush@h/d", "LARS_AUDIT_KEY": "hush" * 8}
    assert "hush" not in repr(Settings.from_env(environ))
    marked = {setting.name for setting in SETTINGS if setting.secret}
    assert marked >= {"LARS_DATABASE_URL", "LARS_AUDIT_KEY"}
    with pytest.raises(SettingsError) as told:
        Settings.from_env({"LARS_AUDIT_KEY": "hush" * 7})
    assert "at least 32 characters" in str(told.value)
    assert "hush" not in str(told.value)
