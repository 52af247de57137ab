"""``lars keys`` and ``lars audit``: what they print, where, and with which exit status."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from service.access.key_text import read_key
from service.access.scopes import USUAL, Scope, in_order
from service.control.control import open_control
from service.control.usage import Figures
from service.settings import Settings
from service.times import parse_moment
from tests.forked_commands import Commands, Done, forked_commands
from tests.postgresql import Server

ROOT = Path(__file__).resolve().parent.parent
KEYS_MD = (ROOT / "docs" / "keys.md").read_text("utf-8")
PATIENCE = 50
USER = pwd.getpwuid(os.getuid()).pw_name
MISSING = "0123456789"


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    """What runs commands."""
    with forked_commands() as running:
        yield running


class Lars:
    """The command with an environment of its own, which names a database that nobody has made yet."""

    def __init__(self, commands: Commands, root: Path) -> None:
        self._commands = commands
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LARS_")}
        self.environ = {**clean, "LARS_DATA_ROOT": str(root)}

    def __call__(self, *arguments: str, **more: str) -> Done:
        """One command to its end."""
        return self._commands.run(arguments, self.environ | more)

    def json(self, *arguments: str) -> Any:
        """What a command that succeeds prints with --json."""
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def lars(commands: Commands, tmp_path: Path) -> Lars:
    """On an empty host."""
    return Lars(commands, tmp_path / "data")


def test_the_life_of_a_key(lars: Lars, tmp_path: Path) -> None:
    """Made on an empty host, shown once, listed, given a new secret, revoked; recorded, with no secret."""
    made = lars("keys", "add", "--name", "CI runner", "--env", "prod", "--rate", "100/minute")
    assert made.returncode == 0, made.stderr
    key = read_key(made.stdout.removesuffix("\n"))
    assert key is not None
    assert f"lars: this is the key {key.id} (CI runner); it is not kept" in made.stderr
    (view,) = lars.json("keys", "list")
    assert view["scopes"] == in_order(USUAL)
    assert (view["id"], view["name"], view["env"], view["state"]) == (key.id, "CI runner", "prod", "active")
    assert (view["rates"], view["policy"], view["expires"]) == (["100/minute"], None, None)

    rotated = lars("keys", "rotate", made.stdout.strip())
    new = read_key(rotated.stdout.strip())
    assert new is not None
    assert new.id == key.id
    assert new.digest != key.digest
    (view,) = lars.json("keys", "list")
    assert view["state"] == "rotating"
    assert abs(parse_moment(view["previous_until"], 0) - time.time() - 86_400) < PATIENCE
    assert f"the old secret is taken until {view['previous_until']}" in rotated.stderr

    revoked = lars("keys", "revoke", f"sk_prod_{key.id}")
    assert (revoked.returncode, revoked.stdout) == (0, "")
    assert f"the key {key.id} (CI runner) is revoked" in revoked.stderr
    again = lars("keys", "rotate", key.id)
    assert (again.returncode, again.stdout) == (1, "")
    assert "is revoked and stays so" in again.stderr

    table = lars("keys", "list")
    assert re.search(rf"^{key.id}  CI runner  prod  revoked  ", table.stdout, re.MULTILINE)
    entries = lars.json("audit", "list")
    assert [(entry["action"], entry["outcome"]) for entry in entries] == [
        ("key.add", "ok"),
        ("key.rotate", "ok"),
        ("key.revoke", "ok"),
        ("key.rotate", "conflict"),
    ]
    assert {(entry["principal"], entry["source"]) for entry in entries} == {(f"cli:{USER}", "command line")}
    assert entries[0]["seal"] in made.stderr  # in the log, outside of the database
    files = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    for text in (made.stdout, rotated.stdout):
        secret = text.split("_")[3]
        assert secret not in made.stderr + rotated.stderr + revoked.stderr + table.stdout + json.dumps(
            entries
        )
        assert secret.encode() not in files


def test_every_option(lars: Lars) -> None:
    """What was asked for is what is kept; --json has it, with the key."""
    options = ["--description", "nightly", "--scope", "functions:*", "--scope", "execute", "--rate", "cpu=60"]
    more = ["--rate", "concurrent=2", "--policy", "restricted", "--expires", "2100-01-01"]
    made = lars.json("keys", "add", "--name", "n", "--env", "test", *options, *more)
    key = read_key(made.pop("key"))
    assert key is not None
    assert (key.env, key.id) == ("test", made["id"])
    wanted = {
        "name": "n",
        "description": "nightly",
        "env": "test",
        "scopes": ["execute", "functions:read", "functions:call", "functions:write"],
        "rates": ["concurrent=2", "cpu=60"],
        "policy": "restricted",
        "state": "active",
        "expires": "2100-01-01T00:00:00Z",
    }
    assert {name: made[name] for name in wanted} == wanted
    assert lars.json("keys", "list") == [made]


def test_usage(lars: Lars) -> None:
    """By the day and in total, of a key as the list has it."""
    made = lars.json("keys", "add", "--name", "n", "--env", "prod")

    async def use() -> None:
        async with open_control(Settings.from_env(lars.environ)) as control:
            name, figures = f"key:{made['id']}", Figures(3, 1, 250, 7, 1_798_761_600.0)
            await control.usage.add(
                {(name, date(2026, 12, 31)): Figures(1), (name, date(2027, 1, 1)): figures}
            )

    asyncio.run(use())
    total = {"requests": 4, "failures": 1, "cpu_ms": 250, "tokens": 7, "last_used": "2027-01-01T00:00:00Z"}
    usage = lars.json("keys", "usage", made["id"])
    assert [day["day"] for day in usage["days"]] == ["2026-12-31", "2027-01-01"]
    assert usage["total"] == lars.json("keys", "list")[0]["usage"] == total
    table = lars("keys", "usage", made["id"]).stdout.splitlines()
    assert [line.split()[:2] for line in table] == [
        ["day", "requests"],
        ["2026-12-31", "1"],
        ["2027-01-01", "3"],
        ["total", "4"],
    ]


def test_verify(lars: Lars) -> None:
    """The count and the head; a head that was noted; a log that was changed; another key."""
    lars.json("keys", "add", "--name", "n", "--env", "prod")
    first = lars("audit", "verify")
    found = re.fullmatch(r"1 entries, head ([0-9a-f]{64})\n", first.stdout)
    assert found is not None
    assert first.returncode == 0
    assert lars("audit", "verify", "--head", found[1].upper()).returncode == 0
    unknown = lars("audit", "verify", "--head", "0" * 64)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert f"none of the 1 entries has the seal {'0' * 64}" in unknown.stderr
    other = lars("audit", "verify", LARS_AUDIT_KEY="k" * 32)
    assert (other.returncode, other.stdout) == (1, "")
    assert "sealed with another key" in other.stderr
    assert "0 entries before it are sound" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "--name", "", "--env", "prod", "--expires", "2001-01-01"], "expires: is not in the future"),
        (["add", "--name", "n", "--env", "prod", "--scope", "everything"], "'everything' is not a scope"),
        (["add", "--name", "n", "--env", "prod", "--rate", "lots"], "'lots' is not a rate"),
        (["add", "--name", "n", "--env", "prod", "--expires", "soon"], "'soon' is not a time"),
        (["rotate", MISSING, "--overlap", "1"], "'1' is not a duration"),
        (["revoke", "sk_prod_hush"], "no key's id"),
    ],
)
def test_wrong_usage(lars: Lars, arguments: list[str], words: str) -> None:
    """Exit status 2 and the reason on stderr; what may be a key is not repeated."""
    done = lars("keys", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "hush" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_key(lars: Lars) -> None:
    """Exit status 1 and where to look."""
    done = lars("keys", "revoke", MISSING)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"lars: no key has the id {MISSING}; `lars keys list` has those there are\n" in done.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"LARS_DATA_ROOT": "/dev/null"}, "SQLite file /dev/null/control.db: Not a directory; check LARS_"),
        (
            {"LARS_DATABASE_URL": "postgres://u:hush@127.0.0.1:1/d"},
            "PostgreSQL at 127.0.0.1:1, database d: ",
        ),
    ],
)
def test_a_database_that_cannot_be_used(lars: Lars, more: dict[str, str], words: str) -> None:
    """One sentence, without the password, and exit status 1."""
    done = lars("keys", "list", **more)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"lars: {words}")
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr


def test_postgresql_and_an_environment_file(lars: Lars, tmp_path: Path, postgresql_server: Server) -> None:
    """The file names the database; the commands are the same."""
    file = tmp_path / "lars.env"
    url = postgresql_server.url(postgresql_server.make_database())
    file.write_text(f"LARS_DATABASE_URL={url}\nLARS_AUDIT_KEY={'k' * 32}\n", "utf-8")
    made = lars.json("keys", "add", "--name", "n", "--env", "prod", "--env-file", str(file))
    (view,) = lars.json("keys", "list", "--env-file", str(file))
    assert view["id"] == made["id"]
    assert not (tmp_path / "data").exists()


def test_no_command_loads_what_only_others_need() -> None:
    """SQLAlchemy takes longer to import than all else together; the process of ``lars serve`` needs neither
    the database, nor workers of its own, nor plans."""
    program = (
        "import sys, service.cli; "
        "slow = {'sqlalchemy', 'alembic', 'limits', 'service.pool.pool', 'service.rest.builtin'}; "
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_script_is_the_command(lars: Lars, tmp_path: Path) -> None:
    """scripts/manage_keys.py hands everything on, and says when LARS is not installed."""
    command = [sys.executable, str(ROOT / "scripts" / "manage_keys.py"), "list", "--json"]
    installed = {**lars.environ, "LARS_VENV": sys.prefix}
    done = subprocess.run(command, env=installed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    done = subprocess.run(
        command, env={**lars.environ, "LARS_VENV": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"there is no {tmp_path}/bin/lars" in done.stderr


def test_the_commands_that_are_shown(lars: Lars, tmp_path: Path) -> None:
    """Every block of docs/keys.md, in one shell, as a reader would type it."""
    blocks = re.findall(r"```bash\n(.*?)```", KEYS_MD, re.DOTALL)
    assert len(blocks) >= 4
    assert sum(block.count("lars ") for block in blocks) >= 8
    assert shutil.which("lars", path=str(Path(sys.executable).parent)) is not None
    path = f"{Path(sys.executable).parent}:{lars.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "".join(blocks)],
        cwd=tmp_path,
        env={**lars.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_scopes_that_are_documented() -> None:
    """docs/keys.md has a row for each, and says which are usual."""
    rows = re.findall(r"^\| `([a-z:]+)` \| (yes|no) \|", KEYS_MD, re.MULTILINE)
    assert [name for name, usual in rows if usual == "yes"] == in_order(USUAL)
    assert [name for name, _ in rows] == in_order(Scope)
