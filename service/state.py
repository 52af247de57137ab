"""What every endpoint of one front shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from starlette.requests import Request

from sandbox_runtime.layers import LayerState
from service.pool.pool import Pool
from service.settings import Settings


@dataclass(slots=True)
class Sandbox:
    """What the zygotes said of themselves: layers in force, modules a program finds already imported."""

    layers: tuple[LayerState, ...] = ()
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Settings, pool and sandbox of this front."""

    settings: Settings
    pool: Pool
    sandbox: Sandbox = field(default_factory=Sandbox)


def state_of(request: Request) -> ServiceState:
    """The front's state, which ``create_app`` has put on the application."""
    return cast(ServiceState, request.app.state.service)
