"""The locks: everything pinned with hashes, true to pyproject.toml, tied to no machine and no index."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-llm.lock", "requirements-dev.lock", "requirements-load.lock")
PROVIDERS = ("openai", "anthropic", "together", "otel")
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9.-]+)==(?P<version>[0-9][0-9a-z.]*)(?: ; (?P<marker>.+?))?(?P<hashes> \\)$"
)
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?P<more> \\)?$")


def project() -> dict[str, list[str]]:
    """The requirement lists of pyproject.toml, without what names other lists of it."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = table["project"]["optional-dependencies"]
    assert extras["llm"] == [f"lars[{','.join(sorted(PROVIDERS))}]"]
    return {
        "runtime": table["project"]["dependencies"],
        "llm": [text for name in PROVIDERS for text in extras[name]],
        "dev": [text for text in extras["dev"] if text != "lars[llm]"],
        "load": extras["load"],
        "build": table["build-system"]["requires"],
    }


def pins(lock: str) -> dict[str, str]:
    """Name, with its marker where there is one, to version. Fails on any line that is not a comment, a pin
    that continues, or a hash."""
    found: dict[str, str] = {}
    hashed = True
    for line in (ROOT / lock).read_text().splitlines():
        if line.startswith("#"):
            continue
        if entry := ENTRY.match(line):
            assert hashed, f"{lock}: the entry before {line!r} has no hash"
            name = f"{entry['name']} ; {entry['marker']}" if entry["marker"] else entry["name"]
            assert name not in found, f"{lock}: {name} is pinned twice"
            found[name] = entry["version"]
            hashed = False
        else:
            assert HASH.match(line), f"{lock}: {line!r} is neither a pin nor a sha256"
            hashed = True
    assert hashed, f"{lock}: the last entry has no hash"
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_or_its_hash(lock: str) -> None:
    """No option, URL, path or unpinned name can be among them: the grammar has no place for one."""
    assert len(pins(lock)) >= len(project()["runtime"])


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        (LOCKS[0], ("runtime", "build")),
        (LOCKS[1], ("runtime", "build", "llm")),
        (LOCKS[2], ("runtime", "build", "llm", "dev")),
        (LOCKS[3], ("runtime", "build", "load")),
    ],
)
def test_pins_satisfy_the_project(lock: str, groups: tuple[str, ...]) -> None:
    """An edit of pyproject.toml without scripts/lock.sh shows here."""
    locked = pins(lock)
    for requirement in (Requirement(text) for group in groups for text in project()[group]):
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), (
            f"{lock} has {version}, pyproject.toml wants {requirement}"
        )


def test_each_lock_contains_the_one_before() -> None:
    """What is tested is what is run."""
    assert pins(LOCKS[0]).items() <= pins(LOCKS[1]).items() <= pins(LOCKS[2]).items()
    assert pins(LOCKS[0]).items() <= pins(LOCKS[3]).items()


def test_dev_tools_are_not_in_the_runtime_lock() -> None:
    """The service installs nothing that only tests need; limits needs packaging too, and together httpx."""
    tools = {canonicalize_name(Requirement(text).name) for text in project()["dev"]} - {"packaging"}
    assert tools.isdisjoint(pins(LOCKS[0]))
    assert (tools - {"httpx"}).isdisjoint(pins(LOCKS[1]))


@pytest.mark.parametrize("group", ["runtime", "llm", "dev", "load"])
def test_dependencies_are_explained(group: str) -> None:
    """docs/dependencies.md has one row for each direct dependency, in alphabetical order, and no other."""
    text = (ROOT / "docs" / "dependencies.md").read_text()
    section = text.split("\n## ")[{"runtime": 1, "llm": 2, "dev": 3, "load": 4}[group]]
    rows = re.findall(r"^\| ([a-z0-9-]+) \| .{20,} \|$", section, re.MULTILINE)
    assert rows == sorted(canonicalize_name(Requirement(text).name) for text in project()[group])


def test_installed_packages_agree() -> None:
    """No installed package lacks, or contradicts, what another one requires."""
    command = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "check"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stdout) == (0, "No broken requirements found.\n")
