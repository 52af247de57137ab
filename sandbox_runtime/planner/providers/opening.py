"""Which of the configured models can be asked, and why the others cannot."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Final

from sandbox_runtime.planner.guard import Hosts, client_on
from sandbox_runtime.planner.model import Model
from sandbox_runtime.planner.providers.anthropic_api import AnthropicModel
from sandbox_runtime.planner.providers.mock import NAME, MockModel
from sandbox_runtime.planner.providers.openai_api import OpenAIModel
from sandbox_runtime.planner.providers.seat import Seat, base_url_of
from sandbox_runtime.planner.providers.together_api import TogetherModel
from sandbox_runtime.planning import PlannerConfig, Provider


@dataclass(frozen=True, slots=True)
class Opened:
    """``models`` in the order they are asked; ``why``: a sentence for each that is not among them;
    ``keys``: those that it was given."""

    models: tuple[Model, ...]
    why: Mapping[str, str]
    keys: tuple[str, ...] = ()


def trusted_certificates() -> ssl.SSLContext:
    """Those of the system; where it has none, those that come with the clients."""
    context = ssl.create_default_context()
    directory = ssl.get_default_verify_paths().capath  # None, whatever its type says, where there is none
    if not context.cert_store_stats()["x509_ca"] and not os.path.isdir(directory or ""):
        import certifi  # noqa: PLC0415 - only where the system has none

        context.load_verify_locations(certifi.where())
    return context


def open_models(config: PlannerConfig, keys: Mapping[str, str], tls: ssl.SSLContext) -> Opened:
    """The handler that stands in for all of them, or each provider that has a key and its package."""
    if config.mock:
        return _open_mock(config.mock)
    hosts = Hosts.of(config)
    models: list[Model] = []
    why: dict[str, str] = {}
    for provider in config.providers:
        key = keys.get(provider.key, "")
        if provider.key and not key:
            why[provider.name] = f"{provider.name} has no key: set {provider.key}"
            continue
        try:
            models.append(open_model(provider, key, hosts, tls))
        except ModuleNotFoundError:
            why[provider.name] = absent(provider.name, provider.name)
    return Opened(tuple(models), why, tuple(keys.values()))


def absent(package: str, extra: str) -> str:
    """What to do about a package that is not installed."""
    return (
        f"the package {package} is not installed: start with scripts/start_api.sh --with-llm, "
        f"or pip install 'lars[{extra}]' in the environment of LARS"
    )


def _open_mock(path: str) -> Opened:
    try:
        return Opened((MockModel(path),), {})
    except (ImportError, AttributeError, TypeError) as error:
        return Opened((), {NAME: f"LLM_MOCK_HANDLER={path} cannot be used: {type(error).__name__}: {error}"})


def open_model(provider: Provider, key: str, hosts: Hosts, tls: ssl.SSLContext) -> Model:
    """ModuleNotFoundError when its package is not installed."""
    http, make = _MAKERS[provider.name]()
    return make(Seat(provider, key, client_on(http, tls, hosts, base_url_of(provider))))


def _openai() -> tuple[ModuleType, Callable[[Seat], Model]]:
    import httpx2  # noqa: PLC0415 - comes with it
    import openai  # noqa: PLC0415 - half a second, and it may not be installed

    return httpx2, partial(OpenAIModel, openai)


def _anthropic() -> tuple[ModuleType, Callable[[Seat], Model]]:
    import anthropic  # noqa: PLC0415 - half a second, and it may not be installed
    import httpx2  # noqa: PLC0415 - comes with it

    return httpx2, partial(AnthropicModel, anthropic)


def _together() -> tuple[ModuleType, Callable[[Seat], Model]]:
    import httpx  # noqa: PLC0415 - comes with it
    import together  # noqa: PLC0415 - half a second, and it may not be installed

    return httpx, partial(TogetherModel, together)


_MAKERS: Final[Mapping[str, Callable[[], tuple[ModuleType, Callable[[Seat], Model]]]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "together": _together,
}
