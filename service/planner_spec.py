"""From settings to what the planner is told when it starts; see ``sandbox_runtime.planning``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from sandbox_runtime.layers import Layer
from sandbox_runtime.planning import PlannerConfig, Provider
from seccomp import compile_profile
from service.model_keys import model_keys
from service.settings import Settings
from service.settings.planner_parsers import HTTPS
from service.supervisor.planner import PlannerSpec, planner_environ

_PORTS: Final = {"https": HTTPS, "http": 80}
# The layers that a process with network can have; LARS_SANDBOX_FLOOR names them and those of jailed workers.
_OWN: Final = frozenset(
    (
        Layer.LANDLOCK,
        Layer.SECCOMP,
        Layer.NO_NEW_PRIVS,
        Layer.CAPABILITIES,
        Layer.RLIMITS,
        Layer.NOT_DUMPABLE,
    )
)


def has_planner(settings: Settings) -> bool:
    """Whether the service has one at all."""
    return settings.default_provider != "builtin" or settings.llm_mock_handler is not None


def planner_spec(settings: Settings, environ: Mapping[str, str]) -> PlannerSpec | None:
    """What the planner is started with; None where there is none. Raises as ``planner_config``, and
    SettingsError as ``model_keys``."""
    keys = model_keys(environ)
    if not has_planner(settings):
        os.close(keys.descriptor)
        return None
    return PlannerSpec(planner_config(settings, keys.names), keys.descriptor, planner_environ(environ))


def beyond_hosts(config: PlannerConfig) -> list[str]:
    """A sentence for each base URL that the planner will not connect to."""
    return [
        f"{each.base_url} is not among LARS_SANDBOX_LLM_ALLOWED_HOSTS"
        for each in config.providers
        if each.base_url and _address(each.base_url) not in config.hosts
    ]


def planner_config(settings: Settings, keys: Collection[str]) -> PlannerConfig:
    """``keys``: the names of the variables of keys that there are. Compiles its seccomp profile: ProfileError
    or CompilerUnavailableError when that cannot be done."""
    providers = tuple(_providers(settings, keys))
    urls = [each.base_url for each in providers if each.base_url]
    return PlannerConfig(
        providers=providers,
        hosts=tuple(_hosts(settings, urls)),
        ports=tuple(sorted(_ports(settings, urls))),
        timeout=settings.llm_timeout,
        max_output=settings.llm_max_output_tokens,
        at_once=settings.llm_at_once,
        prices=settings.llm_prices,
        otlp=settings.otel_exporter_otlp_endpoint or "",
        mock=settings.llm_mock_handler or "",
        debug=settings.log_level == "debug",
        filter=compile_profile("planner").hex(),
        floor=tuple(layer.value for layer in settings.sandbox_floor if layer in _OWN),
    )


def _providers(settings: Settings, keys: Collection[str]) -> Iterator[Provider]:
    first = settings.default_provider
    if first != "builtin":
        yield _provider(settings, first, settings.llm_model, keys)
    second = settings.fallback_provider
    if second is not None and (second, settings.fallback_model) != (first, settings.llm_model):
        yield _provider(settings, second, settings.fallback_model, keys)


def _provider(settings: Settings, name: str, model: str | None, keys: Collection[str]) -> Provider:
    key = f"{name.upper()}_API_KEY"
    if name == "openai" and settings.llm_base_url is not None:
        # Most such servers need none, and know nothing of the newer form.
        own = key if key in keys else ""
        return Provider(name, model or "", settings.llm_base_url, "chat", own)
    base_url: str | None = getattr(settings, f"{name}_base_url")
    return Provider(name, model or "", base_url or "", key=key)


def _hosts(settings: Settings, urls: list[str]) -> Iterator[tuple[str, int]]:
    """As they are allowed. One without a port stands for 443 and for what base URLs on it say, no more."""
    named = [_address(url) for url in urls]
    for host, port in settings.sandbox_llm_allowed_hosts:
        if port:
            yield host, port
        else:
            yield from dict.fromkeys(((host, HTTPS), *(each for each in named if each[0] == host)))


def _ports(settings: Settings, urls: list[str]) -> set[int]:
    """What the kernel lets through: those of the hosts, and of where traces go."""
    ports = {port for _, port in _hosts(settings, urls)}
    if settings.otel_exporter_otlp_endpoint is not None:
        ports.add(_address(settings.otel_exporter_otlp_endpoint)[1])
    return ports


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or _PORTS[parts.scheme]
