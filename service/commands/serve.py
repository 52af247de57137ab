"""``lars serve``: the supervisor, and what it prints when the service stands."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from structlog.typing import FilteringBoundLogger

from service.access.opening import check_opening
from service.access.prepare import Preparation, Prepared
from service.cgroup.quarters import Quarters
from service.cgroup.taking import quarters
from service.commands.options import Commands, Environ, finish
from service.control.bulletin import create_bulletin
from service.handover import hand_over, without_secrets
from service.limits.shared_table import create_shared
from service.listen import VARIABLES as SOCKET_VARIABLES
from service.listen import Address, curl_of, open_listener, reach_of, url_of
from service.planner_spec import beyond_hosts, planner_spec
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.kernel import forbid_core_dumps
from service.supervisor.notify import VARIABLES as MANAGER_VARIABLES
from service.supervisor.notify import Notifier
from service.supervisor.planner import PlannerSpec
from service.supervisor.supervisor import Plan, Supervisor
from service.supervisor.zygote import Hello
from service.telemetry.board import create_board, join

_log: FilteringBoundLogger = structlog.get_logger(__name__)


def add_parser(commands: Commands) -> None:
    """``lars serve``."""
    parser = commands.add_parser("serve", help="serve HTTP until SIGTERM or SIGINT")
    parser.add_argument("--host", help="address to listen on (LARS_HOST)")
    parser.add_argument("--port", help="port to listen on, 0 lets the kernel choose (LARS_PORT)")
    parser.add_argument("--fd", help="serve the listening socket with this descriptor (LARS_FD)")
    parser.add_argument("--workers", dest="fronts", help="front processes (LARS_FRONTS)")
    parser.add_argument("--check", action="store_true", help="say what is wrong with the settings, and end")
    finish(parser, call)


def call(settings: Settings, environ: Environ, options: argparse.Namespace) -> int:
    """As the command line says, which ``service.cli`` has made part of the settings."""
    return 0 if options.check else run(settings, environ)


def run(settings: Settings, environ: Mapping[str, str]) -> int:
    """Serve until told to stop; exit status 0."""
    # Before there is a child, which would stay in the group that is divided.
    with quarters(settings) as found:
        return _serve(settings, environ, found)


def _serve(settings: Settings, environ: Mapping[str, str], found: Quarters) -> int:
    listening = open_listener(Address(settings.host, settings.port, settings.fd), environ)
    listener, notifier = listening.socket, Notifier(environ)
    secrets = hand_over(environ)
    # Told, because without the keys nobody could tell any more what the default is.
    clean = _for_children(environ) | {"LARS_DEFAULT_PROVIDER": settings.default_provider}
    planner = planner_spec(settings, environ)
    forbid_core_dumps()
    figures = create_board(settings.fronts)
    join(figures, supervisor=True)
    opening = Opening(settings, listener, _bounds(found) + _model(planner))
    plan = Plan(
        listener=listener,
        zygote=sandbox_spec(settings, found),
        zygotes=settings.zygotes,
        fronts=settings.fronts,
        floor=settings.sandbox_floor,
        environ=clean,
        handed=(secrets, create_shared(settings.fronts), create_bulletin(), figures),
        drain=settings.drain_seconds,
        planner=planner,
        own=listening.own,
        notifier=notifier,
        errand=lambda: Preparing(Preparation(clean, secrets), opening.prepared),
        upgrade=lambda: Preparing(Preparation(clean, secrets), _keep),
    )
    Supervisor(plan, opening.announce).run()
    return 0


class Preparing:
    """The supervisor's errand: what the control database says is told to ``then``."""

    def __init__(self, child: Preparation, then: Callable[[Prepared], None]) -> None:
        self._child = child
        self._then = then
        self.pid = child.pid
        self.close = child.close

    def reaped(self, status: int) -> None:
        """ControlRefused, and what ``then`` raises."""
        self._then(self._child.reaped(status))


class Opening:
    """Whether the service is open to its machine, which the control database says; and what an operator reads
    when it stands."""

    def __init__(self, settings: Settings, listener: socket.socket, notes: str) -> None:
        self._settings = settings
        self._reach = reach_of(listener)
        self._url, self._curl = url_of(listener), curl_of(listener)
        self._notes = notes
        self._announcement: Announcement | None = None

    def prepared(self, prepared: Prepared) -> None:
        """Before a front may serve. OpeningRefused."""
        is_open = check_opening(self._reach, has_keys=_has_keys(self._settings, prepared))
        notes = self._notes + _no_sessions(self._settings.data_root) + _no_keys(prepared)
        self._announcement = Announcement(self._url, self._curl, is_open, notes)

    def announce(self, hello: Hello) -> None:
        """A front has run a program, so it was allowed to serve."""
        if self._announcement is not None:
            self._announcement.make(hello)


@dataclass(frozen=True, slots=True)
class Announcement:
    """What an operator reads when the service stands. ``curl``: how it is asked, as options and URL.
    ``notes``: lines on the language model, and on what there is not."""

    url: str
    curl: str
    is_open: bool
    notes: str

    def make(self, hello: Hello) -> None:
        """Print it, and log that the service is open where it is."""
        layers = ", ".join(state.layer for state in hello.layers if state.in_force)
        absent = [state for state in hello.layers if not state.in_force]
        missing = "".join(f"\n  without {s.layer}: {s.reason}; {s.remedy}".rstrip("; ") for s in absent)
        key = "" if self.is_open else " -H 'X-API-Key: KEY'"
        _say(
            f"LARS is ready at {self.url}\n"
            f"  isolation in force: {layers}{missing}{self.notes}{_OPEN if self.is_open else ''}\n"
            f"  try it: curl {self.curl}/execute{key} -H 'Content-Type: application/json' "
            """-d '{"code": "print(6 * 7)"}'\n"""
        )
        if self.is_open:
            _log.warning("open_without_keys", reach="this machine", remedy="make a key with lars keys add")


def _say(text: str) -> None:
    """To whoever reads stdout. The service stands without: its disk may be full, or the reader gone."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _log.warning("announcement_not_written", reason=str(error))
        with open(os.devnull, "wb") as nowhere:  # what is left in the buffer would be tried again at the end
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _keep(_: Prepared) -> None:
    """What the service stands on was found when it was started."""


def _for_children(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what is secret, and without what the service manager says to this process."""
    ours = SOCKET_VARIABLES | MANAGER_VARIABLES
    kept = {name: value for name, value in without_secrets(environ).items() if name not in ours}
    return {**_MALLOC, **kept}


# mallopt(3): what large bodies and answers have taken goes back when they are gone. glibc's own thresholds
# rise with what was freed last, and a front that was once sent many of them stays four times as large.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_TRIM_THRESHOLD_": str(16 << 20)}
_OPEN = (
    "\n  OPEN: there is no key, so any program of this machine may use the service; "
    "'lars keys add --name NAME --env prod' makes one and closes it"
)


def _bounds(found: Quarters) -> str:
    """A line on what all programs together may use, "" where nothing bounds it."""
    return f"\n  {found.words()}" if found.tree is not None else ""


def _model(planner: PlannerSpec | None) -> str:
    """A line on which language model is asked, "" where none is. Whether it can be, the log says."""
    if planner is None:
        return ""
    if planner.config.mock:
        return f"\n  language model: {planner.config.mock} in its place (LLM_MOCK_HANDLER)"
    named = (
        f"{each.model or 'the usual one'} of {each.base_url or each.name}"
        for each in planner.config.providers
    )
    refused = "".join(f"\n  it will not be asked: {why}" for why in beyond_hosts(planner.config))
    return f"\n  language model: {', else '.join(named)}{refused}"


def _has_keys(settings: Settings, prepared: Prepared) -> bool:
    return prepared.keys or settings.auth_token is not None or settings.stargate_api_key is not None


def _no_keys(prepared: Prepared) -> str:
    return "" if prepared.absent is None else f"\n  no keys can be made: {prepared.absent}"


def _no_sessions(root: Path) -> str:
    """A line on why there are none, "" where there are. Programs run without a data root."""
    nearest = next(path for path in (root, *root.absolute().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return ""
    return f"\n  no sessions: LARS_DATA_ROOT={root} cannot be written: {nearest} is no directory of ours"
