"""What the planner is told, from what settings say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox_runtime.planning import PlannerConfig, Price, Provider
from seccomp import compile_profile
from service.planner_spec import beyond_hosts, has_planner, planner_config, planner_spec
from service.settings import Settings


def config(*keys: str, **environ: str) -> PlannerConfig:
    """Of a service with these variables; ``keys`` are those that there are."""
    return planner_config(Settings.from_env({**environ, **dict.fromkeys(keys, "k")}), keys)


def test_without_a_provider_there_is_none() -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert planner_spec(Settings.from_env({}), {}) is None
    assert len(os.listdir("/proc/self/fd")) == before
    assert not has_planner(Settings.from_env({"OPENAI_API_KEY": "k", "LARS_DEFAULT_PROVIDER": "builtin"}))


def test_all_that_is_set_is_told() -> None:
    told = config(
        "OPENAI_API_KEY",
        LARS_LLM_MODEL="gpt-x",
        LARS_FALLBACK_PROVIDER="anthropic",
        LARS_LLM_TIMEOUT="7",
        LARS_LLM_MAX_OUTPUT_TOKENS="99",
        LARS_LLM_AT_ONCE="3",
        LARS_LLM_PRICES="gpt-x=1/2/0.5",
        LARS_LOG_LEVEL="debug",
        LARS_SANDBOX_FLOOR="private_root,landlock,seccomp",
    )
    hosts = ("api.openai.com", "api.anthropic.com", "api.together.ai", "api.together.xyz")
    assert told == PlannerConfig(
        providers=(
            Provider("openai", "gpt-x", key="OPENAI_API_KEY"),
            Provider("anthropic", key="ANTHROPIC_API_KEY"),
        ),
        hosts=tuple((host, 443) for host in hosts),
        ports=(443,),
        timeout=7.0,
        max_output=99,
        at_once=3,
        prices={"gpt-x": Price(1, 2, 0.5)},
        debug=True,
        filter=compile_profile("planner").hex(),
        floor=("landlock", "seccomp"),
    )


@pytest.mark.parametrize("keys", [(), ("OPENAI_API_KEY",)])
def test_a_compatible_server_is_asked_in_the_older_form(keys: tuple[str, ...]) -> None:
    told = config(
        *keys,
        LARS_LLM_BASE_URL="http://127.0.0.1:8080/v1",
        OPENAI_BASE_URL="https://elsewhere.example",
        LARS_SANDBOX_LLM_ALLOWED_HOSTS="127.0.0.1",
    )
    assert told.providers == (
        Provider("openai", "", "http://127.0.0.1:8080/v1", "chat", "OPENAI_API_KEY" if keys else ""),
    )
    assert told.hosts == (("127.0.0.1", 443), ("127.0.0.1", 8080))
    assert told.ports == (443, 8080)


def test_a_base_url_of_the_sdk_keeps_the_form() -> None:
    told = config(
        "TOGETHER_API_KEY", TOGETHER_BASE_URL="http://[::1]", LARS_SANDBOX_LLM_ALLOWED_HOSTS="[::1]"
    )
    assert told.providers == (Provider("together", "", "http://[::1]", key="TOGETHER_API_KEY"),)
    assert told.hosts == (("::1", 443), ("::1", 80))


def test_a_port_opens_nothing_but_itself() -> None:
    """A host with a port, a base URL on a host that is not allowed, and where traces go."""
    told = config(
        "OPENAI_API_KEY",
        OPENAI_BASE_URL="https://elsewhere.example:9443/v1",
        LARS_SANDBOX_LLM_ALLOWED_HOSTS="gate.example:8443",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://traces.example:4318",
    )
    assert told.hosts == (("gate.example", 8443),)
    assert told.ports == (4318, 8443)
    assert told.otlp == "http://traces.example:4318"


def test_the_same_model_is_not_asked_again() -> None:
    told = config("OPENAI_API_KEY", LARS_FALLBACK_PROVIDER="openai")
    assert len(told.providers) == 1
    told = config("OPENAI_API_KEY", LARS_FALLBACK_PROVIDER="openai", LARS_FALLBACK_MODEL="gpt-y")
    assert [each.model for each in told.providers] == ["", "gpt-y"]


def test_a_handler_takes_the_place_of_providers(tmp_path: Path) -> None:
    told = config(LLM_MOCK_HANDLER="tests.some.handler", LARS_DATA_ROOT=str(tmp_path))
    assert (told.mock, told.providers) == ("tests.some.handler", ())


@pytest.mark.parametrize(
    ("hosts", "refused"),
    [
        ("127.0.0.1", False),
        ("127.0.0.1:8080", False),
        ("127.0.0.1:80", True),
        ("localhost", True),
        ("api.openai.com", True),
    ],
)
def test_a_base_url_that_no_host_allows_is_told(hosts: str, refused: bool) -> None:
    """Before anybody has asked: it is a name that is allowed, not what it stands for."""
    url = "http://127.0.0.1:8080/v1"
    told = config(LARS_LLM_BASE_URL=url, LARS_SANDBOX_LLM_ALLOWED_HOSTS=hosts)
    sentence = f"{url} is not among LARS_SANDBOX_LLM_ALLOWED_HOSTS"
    assert beyond_hosts(told) == ([sentence] if refused else [])
