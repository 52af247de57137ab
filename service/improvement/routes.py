"""Where improvements are loaded, told of, taken back and called."""

from __future__ import annotations

from service.access.scopes import Scope
from service.http.routing import OwnedRoute
from service.improvement import endpoints
from service.improvement.recording_endpoints import recording
from service.improvement.runs import endpoints as runs

ROUTES = (
    OwnedRoute("/self-improve/load", endpoints.load_improvement, ("POST",), Scope.FUNCTIONS_WRITE),
    OwnedRoute("/self-improve/status", endpoints.show_status, ("GET",), Scope.FUNCTIONS_READ),
    OwnedRoute(
        "/self-improve/unload/{contract}/{name}",
        endpoints.unload_improvement,
        ("DELETE",),
        Scope.FUNCTIONS_WRITE,
    ),
    OwnedRoute(
        "/self-improve/rollback/{contract}/{name}",
        endpoints.roll_back_improvement,
        ("POST",),
        Scope.FUNCTIONS_WRITE,
    ),
    OwnedRoute("/self-improve/auto-enhance", runs.auto_enhance, ("POST",), Scope.FUNCTIONS_WRITE),
    OwnedRoute("/self-improve/runs", runs.list_runs, ("GET",), Scope.FUNCTIONS_WRITE),
    OwnedRoute("/self-improve/runs/{run}", runs.show_run, ("GET",), Scope.FUNCTIONS_WRITE),
    OwnedRoute("/self-improve/runs/{run}/events", runs.follow_run, ("GET",), Scope.FUNCTIONS_WRITE),
    OwnedRoute("/self-improve/runs/{run}/approve", runs.approve_run, ("POST",), Scope.FUNCTIONS_WRITE),
    OwnedRoute(
        "/self-improve/recording/{contract}/{name}",
        recording,
        ("GET", "PUT", "DELETE"),
        Scope.FUNCTIONS_WRITE,  # to look as well: it tells of what callers have sent
    ),
    # Those that are loaded are found before, as every function's own path is (``service.functions.routes``).
    OwnedRoute("/improved/{type}/{name}", endpoints.not_improved, ("GET", "POST"), Scope.FUNCTIONS_CALL),
)
