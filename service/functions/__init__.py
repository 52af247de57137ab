"""Functions that callers bring: their files, their versions, and how they are called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.embedding.dynamic_app import DynamicApp
    from service.settings import Settings

__all__ = ["create_dynamic_app"]


def create_dynamic_app(settings: Settings | None = None) -> DynamicApp:
    """An ASGI application for another one to mount, which serves functions. ``settings``: those of the
    environment where none are given. SettingsError lists every bad value.

    Nothing is started before its first request, or ``running()``."""
    from service.embedding.dynamic_app import DynamicApp  # noqa: PLC0415 - imports what imports this package
    from service.settings import Settings  # noqa: PLC0415

    return DynamicApp(settings or Settings.from_env(os.environ))
