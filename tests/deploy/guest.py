"""What only a booted systemd can show, as root inside one: scripts/systemd_test.sh runs it in the checkout.
Each check goes on from where the one before it has left the system, so the first that fails is the last."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.deploy.guest_tools import (
    IN_VM,
    PORT,
    ask,
    children,
    fronts,
    load,
    main_pid,
    run,
    say,
    show,
    wait_until,
)
from tests.planning.providers.replies import Says
from tests.planning.providers.server import FakeProvider

KEY = "stargate-key-of-this-test"
# Of a model's library, so that no process but the planner may have it: the supervisor becomes a new program.
MODEL_SECRET = "model-secret-of-this-test"
KEYED = {"Authorization": f"Bearer {KEY}"}
HASH = "abcdef1234567890abcdef1234567890abcdef12"
SETTINGS = Path("/etc/lars/lars.env")
CURRENT = Path("/opt/lars/current")
DROP_IN = Path("/run/systemd/system/lars.service.d/90-test.conf")
# A virtual machine without hardware is ten times slower than what the unit's times are for.
PATIENT = "[Service]\nTimeoutStartSec=600s\nTimeoutStopSec=120s\n"
CGROUP_CHECKS = Path("tests/deploy/cgroup_checks.py")
# What must be in force in a unit, whatever else is.
LAYERS = set(
    "user_namespace mount_namespace pid_namespace net_namespace ipc_namespace uts_namespace cgroup_namespace "
    "private_root scratch worker_user_namespace landlock seccomp rlimits no_new_privs capabilities "
    "not_dumpable own_session".split()
)


def deploy(*options: str, status: int = 0) -> str:
    """What scripts/deploy.sh says."""
    return run("scripts/deploy.sh", "--mode", "systemd", *options, status=status)


def system_is_up() -> None:
    """Nothing has failed before the first check."""
    assert run("systemctl", "is-system-running", "--wait").strip() == "running"


def deployment() -> None:
    """From nothing to a service that is ready."""
    DROP_IN.parent.mkdir(parents=True)
    DROP_IN.write_text(PATIENT)
    named = Path("/root/named.env")
    named.write_text(
        f"STARGATE_API_KEY={KEY}\nLARS_ZYGOTES=1\nLARS_POOL_SIZE=2\nOPENAI_CUSTOM_HEADERS={MODEL_SECRET}\n"
    )
    said = deploy("--port", str(PORT), "--env-file", str(named))
    assert f"LARS is ready at http://127.0.0.1:{PORT} " in said, said
    assert ask("GET", "/readyz")[0] == 200
    assert SETTINGS.stat().st_mode & 0o777 == 0o600
    assert SETTINGS.read_text() == f"{named.read_text()}LARS_PORT={PORT}\n"
    assert (show("lars.service", "Type"), show("lars.service", "ActiveState")) == ("notify", "active")
    assert show("lars.service", "StatusText"), "the service has told nothing of itself"
    assert [run("systemctl", "is-enabled", f"lars.{kind}").strip() for kind in ("service", "socket")] == [
        "enabled"
    ] * 2


def layers(port: int) -> set[str]:
    """Those in force in the service on this port."""
    return {row["layer"] for row in ask("GET", "/capabilities", port=port)[1]["layers"] if row["in_force"]}


def every_layer_of_the_jail() -> None:
    """None is lost in the unit: a service of the same user outside has no other."""
    inside = layers(PORT)
    run("systemctl", "stop", "lars.service")  # two at once are too much for a slow machine
    data = Path("/run/outside")
    data.mkdir()
    give_to_service(data)
    command = [
        *(
            "setpriv",
            "--reuid=lars",
            "--regid=lars",
            "--clear-groups",
            "env",
            "-C",
            "/",
            f"LARS_DATA_ROOT={data}",
        ),
        *(f"{CURRENT}/venv/bin/python", "-m", "service", "serve", "--port", str(PORT + 1)),
    ]
    log = Path("/run/outside.log")
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as outside:
        try:
            wait_until(lambda: outside.poll() is not None or answers(PORT + 1), "a service outside")
            assert outside.returncode is None, log.read_text()
            found = layers(PORT + 1)
        finally:
            outside.terminate()
    assert found >= LAYERS, LAYERS - found
    assert inside >= found, found - inside
    say(f"     in force in the unit alone: {sorted(inside - found)}")
    assert not IN_VM or "cgroup_limits" in inside


def give_to_service(path: Path) -> None:
    """To the service's user."""
    run("chown", "lars:lars", str(path))


def answers(port: int) -> bool:
    """Whether a service there is ready."""
    try:
        return ask("GET", "/readyz", port=port)[0] == 200
    except OSError:
        return False


def every_service() -> None:
    """Programs, with a callback of ctypes in one; sessions; functions that were uploaded."""
    code = "import ctypes\nf = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)\nresult = f(41)"
    status, body = ask("POST", "/execute", {"code": code}, admin())
    assert (status, body["result"]) == (200, 42), body
    assert ask("POST", "/members", {"name": "Alice"}, session())[0] == 201
    module = b"def hello(name: str = 'world') -> str: return f'Hello, {name}!'"
    assert ask("PUT", f"/uploads/{HASH}/greetings.py", module, KEYED)[0] in (200, 201, 204)
    wanted = {"visible_pixel_hash": HASH, "module_name": "greetings", "function_name": "hello"}
    assert ask("POST", "/load-function", wanted | {"endpoint_path": "/greet"}, KEYED)[0] in (200, 201)
    assert ask("GET", "/greet?name=Bob")[1] == "Hello, Bob!"


_admin: dict[str, str] = {}


def admin() -> dict[str, str]:
    """A key that `lars keys` has made as the operator would."""
    if not _admin:
        said = run("/usr/local/sbin/lars", "keys", "add", "--name", "a $HOME & more", "--env", "prod")
        (key,) = re.findall(r"^\S{20,}$", said, re.MULTILINE)
        _admin["X-API-Key"] = key
        assert "a $HOME & more" in run("/usr/local/sbin/lars", "keys", "list")
    return _admin


def session() -> dict[str, str]:
    """Of a session that is kept from check to check."""
    return {"X-Session-ID": "kept", **admin()}


def confinement() -> None:
    """By effect, in the supervisor and in fronts: systemd passes over what it cannot do."""
    for pid in (main_pid(), *fronts()):
        status = dict(re.findall(r"^(\w+):\t(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
        assert status["Uid"].split() == [run("id", "-u", "lars").strip()] * 4
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert MODEL_SECRET.encode() not in environment
        assert pid == main_pid() or KEY.encode() not in environment
    mounts = {
        line.split()[4]: line.split()[5].split(",")
        for line in Path(f"/proc/{main_pid()}/mountinfo").read_text().splitlines()
    }
    assert "ro" in mounts["/"]
    assert {"rw", "noexec", "nosuid"} <= set(mounts["/var/lib/lars"])
    assert os.listdir(f"/proc/{main_pid()}/root/root") == []
    assert "MemTotal" not in os.listdir(f"/proc/{main_pid()}/root/proc")
    said = run("journalctl", "--no-pager")
    assert KEY not in said
    assert MODEL_SECRET not in said


def second_run() -> None:
    """Nothing is changed by it, not even a process."""
    before = (main_pid(), fronts())
    assert "up to date" in deploy()
    assert (main_pid(), fronts()) == before


def socket_activation() -> None:
    """While the service is down its address is not, and who connects has it started."""
    run("systemctl", "stop", "lars.service")
    assert main_pid() == 0
    assert ask("GET", "/members/1", None, session())[1]["name"] == "Alice"
    assert main_pid() != 0


def reload() -> None:
    """New fronts, the same supervisor, no request lost."""
    pid, before = main_pid(), fronts()
    with load(admin()):
        run("systemctl", "reload", "lars.service")
        wait_until(lambda: bool(fronts()) and not fronts() & before, "new fronts")
    assert main_pid() == pid


def restart() -> None:
    """Another supervisor; who was being answered is, and who comes meanwhile waits."""
    pid = main_pid()
    with load(admin()):
        run("systemctl", "restart", "lars.service")
    assert main_pid() not in (0, pid)


def watchdog() -> None:
    """A supervisor that hangs is killed and started again, and knows what it knew."""
    DROP_IN.write_text(f"{PATIENT}WatchdogSec=10s\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "lars.service")
    pid, family = main_pid(), children(main_pid())
    os.kill(pid, 19)  # SIGSTOP
    wait_until(lambda: main_pid() not in (0, pid), "another supervisor")
    assert ask("GET", "/members/1", None, session())[1]["name"] == "Alice"
    assert "Watchdog timeout" in run("journalctl", "--no-pager", "--unit=lars.service")
    assert [one for one in family if Path(f"/proc/{one}").exists()] == []
    DROP_IN.write_text(PATIENT)
    run("systemctl", "daemon-reload")


def dead_processes_are_replaced() -> None:
    """A supervisor that is killed takes its family with it, and systemd starts another."""
    pid, family = main_pid(), children(main_pid())
    os.kill(pid, 9)
    wait_until(lambda: main_pid() not in (0, pid), "another supervisor")
    wait_until(lambda: answers(PORT), "readiness")
    assert [one for one in family if Path(f"/proc/{one}").exists()] == []


def change(path: str, old: str, new: str) -> None:
    """Of the checkout."""
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def upgrade() -> None:
    """Under load: another version, no request lost, the former kept."""
    former = CURRENT.resolve()
    change("service/__init__.py", '__version__ = "', '__version__ = "9.')
    with load(admin()):
        deploy()
    assert CURRENT.resolve().name.startswith("9.")
    assert Path("/opt/lars/previous").resolve() == former
    assert ask("GET", "/members/1", None, session())[1]["name"] == "Alice"
    assert ask("GET", "/greet?name=Bob")[1] == "Hello, Bob!"


def upgrade_that_fails() -> None:
    """The journal is told, and the version of before runs again."""
    good = CURRENT.resolve()
    change("service/commands/serve.py", "def run(", 'raise RuntimeError("broken on purpose")\n\n\ndef run(')
    said = deploy(status=1)
    assert "broken on purpose" in said, said
    assert f"and {good} runs again" in said, said
    assert CURRENT.resolve() == good
    assert ask("GET", "/readyz")[0] == 200
    change("service/commands/serve.py", 'raise RuntimeError("broken on purpose")\n\n\n', "")


def rollback() -> None:
    """There and back again."""
    new, old = CURRENT.resolve(), Path("/opt/lars/previous").resolve()
    with load(admin()):
        deploy("--rollback")
    assert (CURRENT.resolve(), Path("/opt/lars/previous").resolve()) == (old, new)
    deploy("--rollback")
    assert CURRENT.resolve() == new


def settings_are_checked() -> None:
    """Before anything is touched."""
    before = (SETTINGS.read_text(), main_pid())
    bad = Path("/root/bad.env")
    bad.write_text("LARS_FRONTS=many\n")
    assert "LARS_FRONTS" in deploy("--env-file", str(bad), status=1)
    with socket.create_server(("127.0.0.1", PORT + 2)):
        said = deploy("--port", str(PORT + 2), status=1)
        assert f"port {PORT + 2}: Address already in use" in said, said
    assert (SETTINGS.read_text(), main_pid()) == before


def settings_that_do_not_work_are_taken_back() -> None:
    """They parse, and the service does not start with them. Neither file ends its last line."""
    before = SETTINGS.read_text()
    bad = Path("/root/unreachable.env")
    bad.write_text(f"{before}LARS_DATABASE_URL=postgresql://127.0.0.1:1/nothing")
    said = deploy("--env-file", str(bad), "--port", str(PORT), status=1)
    assert "runs again with the settings of before" in said, said
    assert SETTINGS.read_text() == before
    failed = Path(f"{SETTINGS}.failed").read_text()
    assert failed.splitlines() == bad.read_text().splitlines()
    assert ask("GET", "/readyz")[0] == 200
    other = Path("/root/open.env")
    other.write_text("LARS_HOST=203.0.113.9")  # TEST-NET-3, RFC 5737: nobody has it
    said = deploy("--env-file", str(other), "--port", str(PORT), status=1)
    assert "nobody can listen on 203.0.113.9" in said, said
    assert SETTINGS.read_text() == before
    assert answers(PORT)


def network_where_it_is_asked_for() -> None:
    """A setting that has a host asked gives the unit the network of the machine; another port moves it."""
    with SETTINGS.open("a") as file:
        file.write("LARS_FALLBACK_PROVIDER=together\n")
    deploy("--port", str(PORT + 3))
    assert os.readlink(f"/proc/{main_pid()}/ns/net") == os.readlink("/proc/1/ns/net")
    assert answers(PORT + 3)
    with socket.create_server(("127.0.0.1", PORT)):
        """The former address is free."""


def a_model_is_asked() -> None:
    """A setting that names one has its clients installed; the planner reaches it out of the unit."""
    with FakeProvider(Says('{"code": "print(6 * 7)", "assessment": "fine"}')) as provider:
        with SETTINGS.open("a") as file:
            file.write(
                f"LARS_LLM_BASE_URL={provider.base_url('openai')}\nLARS_LLM_MODEL=one-of-my-own\n"
                f"LARS_SANDBOX_LLM_ALLOWED_HOSTS={provider.host}\n"
            )
        deploy()
        wanted = {"query": "six times seven"}
        status, body = ask("POST", "/generate-and-execute", wanted, admin(), PORT + 3)
        assert (status, body["stdout"]) == (200, "42\n"), body
        assert provider.requests[0].body["model"] == "one-of-my-own"


def limits_by_cgroup() -> None:
    """What the group of a unit does, where there are controllers."""
    if not IN_VM:
        say("     not here: the kernel of this machine may have no controllers to give")
        return
    run("systemctl", "stop", "lars.service")
    say(run("python3", str(CGROUP_CHECKS), f"{CURRENT}/venv/bin/python"))


def uninstallation() -> None:
    """Settings and data stay, until they are purged; each of both twice."""
    for _ in range(2):
        deploy("--uninstall")
        assert not answers(PORT + 3)
        assert not Path("/opt/lars").exists()
        assert "could not be found" in run("systemctl", "status", "lars.service", status=4)
        assert SETTINGS.exists()
        assert list(Path("/var/lib/lars").iterdir())
    for _ in range(2):
        deploy("--uninstall", "--purge")
        assert not any(Path(path).exists() for path in ("/etc/lars", "/var/lib/lars", "/usr/local/sbin/lars"))
    run("id", "lars", status=1)
    assert list(Path("/etc/systemd/system").rglob("*lars*")) == []


CHECKS: tuple[Callable[[], None], ...] = (
    system_is_up,
    deployment,
    every_layer_of_the_jail,
    every_service,
    confinement,
    second_run,
    socket_activation,
    reload,
    restart,
    watchdog,
    dead_processes_are_replaced,
    limits_by_cgroup,
    upgrade,
    upgrade_that_fails,
    rollback,
    settings_are_checked,
    settings_that_do_not_work_are_taken_back,
    network_where_it_is_asked_for,
    a_model_is_asked,
    uninstallation,
)


def journal() -> str:
    """What systemd and the service have said, without the lines of requests."""
    lines = run("journalctl", "--no-pager", "--unit=lars.service", "--output=short-precise").splitlines()
    return "\n".join([line for line in lines if '"event":"request"' not in line][-60:])


def main(names: list[str]) -> int:
    """One line for each check, of those that are named or of all; exit status 1 after one that has failed."""
    for check in [check for check in CHECKS if not names or check.__name__ in names]:
        began = time.monotonic()
        try:
            check()
        except (AssertionError, OSError, ValueError, LookupError, TypeError):
            say(journal())
            say(f"{traceback.format_exc()}FAIL {check.__name__}")
            return 1
        say(f"pass {check.__name__} ({time.monotonic() - began:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
