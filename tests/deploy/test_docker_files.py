"""The Dockerfile, the compose file and the scripts around them, as far as that goes without an engine. With
one: scripts/docker_test.sh."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
INFRA = ROOT / "infra"
DOCKERFILE = (INFRA / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text("utf-8"))
BUILD = ROOT / "scripts" / "build_docker_image.sh"
BASH = "/bin/bash"
KEPT = "--format docker --layers ."  # where an image in the OCI format would have no health check
WORDS = "ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN STOPSIGNAL USER VOLUME WORKDIR"

Instruction = tuple[str, str]


def stages() -> list[list[Instruction]]:
    """The instructions of each stage; the first are those before any."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    found: list[list[Instruction]] = [[]]
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        assert word in WORDS.split(), line
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest.strip()))
    return found


def of(stage: list[Instruction], word: str) -> list[str]:
    """What each instruction of this name says."""
    return [rest for name, rest in stage if name == word]


def test_the_stages() -> None:
    """The base is an argument; the last stage starts from it, and has of the build the environment alone."""
    before, base, build, last = stages()
    assert of(before, "ARG") == ["BASE_IMAGE=docker.io/library/debian:trixie-slim"]
    assert [of(stage, "FROM") for stage in (base, build, last)] == [
        ["${BASE_IMAGE} AS base"],
        ["base AS build"],
        ["base"],
    ]
    assert of(last, "COPY") == ["--from=build /opt/lars /opt/lars"]
    assert not re.search(r"\b(gcc|build-essential|python3-dev|curl)\b", DOCKERFILE)


def test_every_package_is_pinned_by_hash() -> None:
    """But our own, which brings no dependency in."""
    installs = [
        part for text in of(stages()[2], "RUN") for part in re.split(r";|&&", text) if " pip install " in part
    ]
    assert len(installs) == 3
    assert sorted("--require-hashes" in part for part in installs) == [False, True, True]
    (own,) = (part for part in installs if "--require-hashes" not in part)
    assert "--no-deps --no-build-isolation ." in own


def test_it_runs_as_nobody_in_particular() -> None:
    """By a number that Kubernetes can judge; that user owns the volume and nothing else."""
    last = stages()[3]
    assert of(last, "USER") == ["10001:10001"]
    assert of(last, "VOLUME") == ["/var/lib/lars"]
    (made,) = of(last, "RUN")
    assert "--uid 10001" in made
    assert "--owner=10001 --group=10001 --mode=0700 /var/lib/lars" in made
    assert of(last, "STOPSIGNAL") == ["SIGTERM"]
    assert of(last, "EXPOSE") == ["8000"]
    (environment,) = of(last, "ENV")
    assert {"LARS_HOST=0.0.0.0", "LARS_PORT=8000", "LARS_DATA_ROOT=/var/lib/lars"} <= set(environment.split())
    assert (of(last, "ENTRYPOINT"), of(last, "CMD")) == (['["lars"]'], ['["serve"]'])


def test_what_is_copied_exists_and_is_in_the_build_context() -> None:
    """.dockerignore leaves everything out that it does not name."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [source for text in of(stages()[2], "COPY") for source in text.split()[:-1]]
    assert sorted(copied) == sorted(kept)
    assert all((ROOT / source).exists() for source in copied)
    secrets = (".env", ".git/config", "data/control.db", "infra/lars.env")
    assert not [path for path in secrets if any(fnmatch(path, f"{name}*") for name in kept)]


@pytest.mark.parametrize(
    ("answer", "healthy"), [("200 OK", True), ("401 Unauthorized", True), ("503 Busy", False)]
)
def test_the_health_check(answer: str, healthy: bool) -> None:
    """Its program, asked of a server that answers so. Where nobody answers it fails too."""
    program = json.loads(of(stages()[3], "HEALTHCHECK")[0].partition("CMD ")[2])
    assert program[:3] == ["python", "-I", "-c"]
    server = (
        "import os, socket\ns = socket.create_server(('127.0.0.1', 0))\nos.environ['LARS_PORT'] = "
        "str(s.getsockname()[1])\npid = os.fork()\nif pid == 0:\n    c = s.accept()[0]\n    c.recv(4096)\n"
        f"    c.sendall(b'HTTP/1.1 {answer}\\r\\ncontent-length: 0\\r\\n\\r\\n')\n    os._exit(0)\n"
    )
    outcomes = [
        subprocess.run([sys.executable, "-I", "-c", text], capture_output=True, check=False).returncode == 0
        for text in (server + program[3], "import os\nos.environ['LARS_PORT'] = '1'\n" + program[3])
    ]
    assert outcomes == [healthy, False]


def deploying(command: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """A command in a shell that has infra/deploy/docker.sh and what that needs of scripts/deploy.sh."""
    prelude = 'die() { echo "deploy.sh: $1" >&2; exit 1; }; say() { echo "deploy.sh: $1"; }'
    script = f'set -euo pipefail; {prelude}; root={ROOT}; . "{INFRA}/deploy/docker.sh"; {command}'
    return subprocess.run(
        [BASH, "-c", script], env={"PATH": path}, capture_output=True, text=True, check=False
    )


def deploy_options(env_file: str = "", before: str = "") -> list[str]:
    """What infra/deploy/docker.sh runs a container with."""
    values = f'eval "$(sed -n "/^value_in() {{/,/^}}/p" "{ROOT}/scripts/deploy.sh")"'
    done = deploying(
        f"{before} {values}; root=/R; docker_set_options '{env_file}'; "
        'printf "%s\\n" "${docker_options[@]}"'
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_compose_and_deploy_say_the_same() -> None:
    """And both what docs/docker.md promises."""
    service = COMPOSE["services"]["lars"]
    said = [
        *(["--read-only"] if service["read_only"] else []),
        *(word for mount in service["tmpfs"] for word in ("--tmpfs", mount)),
        *(word for name in service["cap_drop"] for word in ("--cap-drop", name)),
        *(word for option in service["security_opt"] for word in ("--security-opt", option)),
        *("--memory", service["mem_limit"], "--pids-limit", str(service["pids_limit"])),
        *("--stop-timeout", service["stop_grace_period"].removesuffix("s"), "--restart", service["restart"]),
        *(word for volume in service["volumes"] for word in ("--volume", f"lars-{volume}")),
    ]
    plain = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in said]
    plain = [word.replace("seccomp=", "seccomp=/R/infra/") for word in plain]
    assert plain == deploy_options()
    assert "privileged" not in service
    assert "cap_add" not in service
    assert (INFRA / "docker-seccomp.json").is_file()


@pytest.mark.parametrize(
    ("line", "seconds"), [("", 30), ("LARS_DRAIN_SECONDS=5", 30), ("LARS_DRAIN_SECONDS=90.5", 110)]
)
def test_a_container_has_time_to_drain(tmp_path: Path, line: str, seconds: int) -> None:
    settings = tmp_path / "settings.env"
    settings.write_text(f"{line}\n")
    options = deploy_options(str(settings))
    assert options[options.index("--stop-timeout") + 1] == str(seconds)


def test_who_cannot_see_profiles_may_name_one() -> None:
    assert "apparmor=some-profile" in deploy_options(before="APPARMOR=some-profile;")


def test_compose_builds_the_same_image() -> None:
    """With the Dockerfile of this checkout, published to this machine alone."""
    service = COMPOSE["services"]["lars"]
    assert (
        INFRA / service["build"]["context"] / service["build"]["dockerfile"]
    ).resolve() == INFRA / "Dockerfile"
    assert service["ports"] == ["${PUBLISH:-127.0.0.1:8000}:8000"]
    assert set(COMPOSE["volumes"]) == {"data"}


def build(
    directory: Path, *arguments: str, engines: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """The build script, where these engines are installed; each writes down what it is asked."""
    tools = directory / "bin"
    tools.mkdir(exist_ok=True)
    for name in ("dirname", "cat"):
        if not (tools / name).exists():
            (tools / name).symlink_to(f"/usr/bin/{name}")
    for name in engines:
        silent = name.startswith("silent-")
        program = tools / name.removeprefix("silent-")
        program.write_text(f'#!{BASH}\necho "${{0##*/}} $*" >>"{directory}/calls"\nexit {int(silent)}\n')
        program.chmod(0o755)
    return subprocess.run(
        [BASH, BUILD, *arguments], env={"PATH": str(tools)}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--with-lm"], "unknown option --with-lm."),
        (["lars"], "unknown option lars."),
        (["--tag"], "--tag needs a value."),
        (["--tag", ""], "--tag needs a value."),
        (["--base="], "--base needs a value."),
        (["--engine", "rkt"], "--engine is rkt, not docker, podman or buildah."),
    ],
)
def test_build_refuses(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """One sentence, then the usage."""
    done = build(tmp_path, *arguments, engines=("docker", "podman"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"build_docker_image.sh: {sentence}\n\nusage: scripts/build_docker_image.sh"
    )
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize(
    ("engines", "arguments", "sentence"),
    [
        ((), [], "none of docker, podman and buildah works here"),
        (("silent-docker",), [], "none of docker, podman and buildah works here"),
        (("podman",), ["--engine", "buildah"], "buildah is not on PATH"),
        (("silent-docker", "podman"), ["--engine=docker"], "docker does not reach its daemon"),
    ],
)
def test_build_needs_an_engine(
    tmp_path: Path, engines: tuple[str, ...], arguments: list[str], sentence: str
) -> None:
    """A docker whose daemon does not answer is none."""
    done = build(tmp_path, *arguments, engines=engines)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"build_docker_image.sh: {sentence}")


@pytest.mark.parametrize(
    ("engines", "arguments", "call"),
    [
        (("docker", "podman"), [], "docker build --tag lars --file infra/Dockerfile ."),
        (
            ("silent-docker", "podman", "buildah"),
            ["--with-llm", "--tag", "x:1"],
            "podman build --tag x:1 --file infra/Dockerfile --build-arg WITH_LLM=true " + KEPT,
        ),
        (
            ("buildah",),
            ["--base=b", "--", "--no-cache", "--pull"],
            "buildah build --tag lars --file infra/Dockerfile --build-arg BASE_IMAGE=b --no-cache --pull "
            + KEPT,
        ),
        (
            ("docker", "podman"),
            ["--engine", "podman"],
            "podman build --tag lars --file infra/Dockerfile " + KEPT,
        ),
    ],
)
def test_build_asks_the_engine(
    tmp_path: Path, engines: tuple[str, ...], arguments: list[str], call: str
) -> None:
    """The first that works, or the one that is named; the image keeps its health check."""
    done = build(tmp_path, *arguments, engines=engines)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text().splitlines()[-1] == call
    for argument in re.findall(r"--build-arg (\w+)=", call):
        assert re.search(rf"^ARG {argument}=", DOCKERFILE, re.MULTILINE)


def test_deploy_without_an_engine(tmp_path: Path) -> None:
    """One sentence; nothing is built."""
    done = deploying('deploy_docker 8000 ""', str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("deploy.sh: neither docker nor podman works here: ")


def test_deploy_without_its_file() -> None:
    """Said before an engine is asked."""
    done = deploying("deploy_docker 8000 /nowhere/lars.env")
    assert done.returncode == 1
    assert done.stderr == "deploy.sh: the file /nowhere/lars.env cannot be read: name another --env-file.\n"


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("OPENAI_API_KEY=sk-1", True),
        (" export ANTHROPIC_API_KEY = 'sk' # mine", True),
        ('LARS_LLM_BASE_URL="http://127.0.0.1:11434/v1"', True),
        ("OPENAI_API_KEY=", False),
        ("OPENAI_API_KEY=none # nobody", False),
        ('TOGETHER_API_KEY=""', False),
        ("#OPENAI_API_KEY=sk-1", False),
        ("LARS_AUTH_TOKEN=OPENAI_API_KEY=1", False),
    ],
)
def test_who_asks_language_models(tmp_path: Path, line: str, asks: bool) -> None:
    """Their clients are then built in."""
    (tmp_path / "lars.env").write_text(f"LARS_RATE=none\n{line}\n")
    assert deploying(f"docker_asks_models {tmp_path}/lars.env").returncode == int(not asks)
