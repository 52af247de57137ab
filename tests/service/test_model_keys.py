"""Keys of language models on their way past the main process."""

from __future__ import annotations

import os

import orjson
import pytest

from service.handover import hand_over, take, without_model_keys, without_secrets
from service.model_keys import model_keys
from service.planner_spec import planner_spec
from service.settings import Settings, SettingsError, unknown_variables
from service.supervisor.planner import planner_environ

KEYS = {"OPENAI_API_KEY": " key-1 ", "ANTHROPIC_API_KEY": "none", "TOGETHER_API_KEY": ""}
OTHERS = ("OPENAI_ADMIN_KEY", "ANTHROPIC_AUTH_TOKEN", "AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK")


def test_the_keys_that_are_set_are_handed_over() -> None:
    """Without blanks, and not what stands for none."""
    assert take(hand_over({**KEYS, "STARGATE_API_KEY": "front's"}, "planner")) == {"OPENAI_API_KEY": "key-1"}
    assert take(hand_over({**KEYS, "STARGATE_API_KEY": "front's"})) == {"STARGATE_API_KEY": "front's"}
    traces = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x"}
    assert take(hand_over({**KEYS, **traces})) == traces
    assert without_secrets(traces) == {}


def test_what_main_process_children_and_planner_may_have() -> None:
    environ = {
        **dict.fromkeys((*KEYS, *OTHERS), "x"),
        "STARGATE_API_KEY": "x",
        "LARS_LLM_KEYS_FD": "3:",
        "OTEL_EXPORTER_OTLP_HEADERS": "x",
        "HOME": "/",
        "PATH": "/bin",
        "HTTPS_PROXY": "http://x",
        "OPENAI_ORG_ID": "x",
        "LARS_PORT": "1",
    }
    assert without_model_keys(environ).keys() == environ.keys() - {*KEYS, *OTHERS}
    assert without_secrets(environ).keys() == {"HOME", "PATH", "HTTPS_PROXY", "OPENAI_ORG_ID", "LARS_PORT"}
    assert planner_environ(environ).keys() == {"PATH", "OPENAI_ORG_ID", "OTEL_EXPORTER_OTLP_HEADERS"}


def test_those_of_the_environment_are_as_good() -> None:
    """For a command that starts a planner without being a service."""
    keys = model_keys(KEYS)
    assert keys.names == {"OPENAI_API_KEY"}
    assert not os.get_inheritable(keys.descriptor)
    assert take(keys.descriptor) == {"OPENAI_API_KEY": "key-1"}


def test_those_of_the_former_program_are_found_and_not_read() -> None:
    descriptor = hand_over(KEYS, "planner")
    os.set_inheritable(descriptor, True)
    keys = model_keys({"LARS_LLM_KEYS_FD": f"{descriptor}:OPENAI_API_KEY"})
    assert keys.descriptor == descriptor
    assert keys.names == {"OPENAI_API_KEY"}
    assert not os.get_inheritable(descriptor)
    assert take(descriptor) == {"OPENAI_API_KEY": "key-1"}
    assert unknown_variables({"LARS_LLM_KEYS_FD": "3:"}) == ()


@pytest.mark.parametrize("text", ["", "x", "999999:OPENAI_API_KEY", "-1:", "0:"])
def test_what_is_no_descriptor_of_keys_is_refused(text: str) -> None:
    """0 is open, and no memory."""
    with pytest.raises(SettingsError, match="is for lars serve alone; unset it"):
        model_keys({"LARS_LLM_KEYS_FD": text})


def test_a_planner_gets_keys_and_no_settings() -> None:
    environ = {"OPENAI_API_KEY": "key-1", "PATH": "/bin"}
    spec = planner_spec(Settings.from_env(environ), environ)
    assert spec is not None
    assert spec.environ == {"PATH": "/bin"}
    assert b"key-1" not in orjson.dumps(spec.config)
    assert take(spec.keys) == {"OPENAI_API_KEY": "key-1"}
