"""``lars serve``: the supervisor, and what it prints when the service stands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from structlog.typing import FilteringBoundLogger

from service.access.opening import check_opening
from service.access.prepare import Prepared, prepare_in_child
from service.cgroup.quarters import Quarters
from service.cgroup.taking import quarters
from service.commands.options import Commands, Environ, finish
from service.control.bulletin import create_bulletin
from service.handover import hand_over, without_secrets
from service.limits.shared_table import create_shared
from service.listen import listen, url_of
from service.planner_spec import beyond_hosts, planner_spec
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.kernel import forbid_core_dumps
from service.supervisor.planner import PlannerSpec
from service.supervisor.supervisor import Plan, Supervisor
from service.supervisor.zygote import Hello

_log: FilteringBoundLogger = structlog.get_logger(__name__)


def add_parser(commands: Commands) -> None:
    """``lars serve``."""
    parser = commands.add_parser("serve", help="serve HTTP until SIGTERM or SIGINT")
    parser.add_argument("--host", help="address to listen on (LARS_HOST)")
    parser.add_argument("--port", help="port to listen on, 0 lets the kernel choose (LARS_PORT)")
    parser.add_argument("--workers", dest="fronts", help="front processes (LARS_FRONTS)")
    finish(parser, call)


def call(settings: Settings, environ: Environ, _options: argparse.Namespace) -> int:
    """As the command line says, which ``service.cli`` has made part of the settings."""
    return run(settings, environ)


def run(settings: Settings, environ: Mapping[str, str]) -> int:
    """Serve until told to stop; exit status 0."""
    # Before there is a child, which would stay in the group that is divided.
    with quarters(settings) as found:
        return _serve(settings, environ, found)


def _serve(settings: Settings, environ: Mapping[str, str], found: Quarters) -> int:
    listener = listen(settings.host, settings.port)
    secrets = hand_over(environ)
    # Told, because without the keys nobody could tell any more what the default is.
    clean = without_secrets(environ) | {"LARS_DEFAULT_PROVIDER": settings.default_provider}
    planner = planner_spec(settings, environ)
    prepared = prepare_in_child(clean, secrets)
    is_open = check_opening(listener.getsockname()[0], has_keys=_has_keys(settings, prepared))
    forbid_core_dumps()
    plan = Plan(
        listener=listener,
        zygote=sandbox_spec(settings, found),
        zygotes=settings.zygotes,
        fronts=settings.fronts,
        floor=settings.sandbox_floor,
        environ=clean,
        handed=(secrets, create_shared(settings.fronts), create_bulletin()),
        shutdown=settings.shutdown_seconds,
        planner=planner,
    )
    notes = _bounds(found) + _model(planner) + _no_sessions(settings.data_root) + _no_keys(prepared)
    announcement = Announcement(url_of(listener), is_open, notes)
    Supervisor(plan, announcement.make).run()
    return 0


@dataclass(frozen=True, slots=True)
class Announcement:
    """What an operator reads when the service stands. ``notes``: lines on the language model, and on what
    there is not."""

    url: str
    is_open: bool
    notes: str

    def make(self, hello: Hello) -> None:
        """Print it, and log that the service is open where it is."""
        layers = ", ".join(state.layer for state in hello.layers if state.in_force)
        absent = [state for state in hello.layers if not state.in_force]
        missing = "".join(f"\n  without {s.layer}: {s.reason}; {s.remedy}".rstrip("; ") for s in absent)
        key = "" if self.is_open else " -H 'X-API-Key: KEY'"
        sys.stdout.write(
            f"LARS is ready at {self.url}\n"
            f"  isolation in force: {layers}{missing}{self.notes}{_OPEN if self.is_open else ''}\n"
            f"  try it: curl -s {self.url}/execute{key} -H 'Content-Type: application/json' "
            """-d '{"code": "print(6 * 7)"}'\n"""
        )
        sys.stdout.flush()
        if self.is_open:
            _log.warning("open_without_keys", reach="this machine", remedy="make a key with lars keys add")


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
