"""Which hosts are spoken to, and with whose credentials: with real servers that redirect."""

from __future__ import annotations

import importlib
from typing import Any

import orjson
import pytest

from sandbox_runtime.planner.guard import MAX_REDIRECTS, HostRefused, Hosts, Origin, client_on
from tests.planner.asking import GENERATE, KEY, NAMES, PROGRAM, asking, at, certificates, config_of
from tests.planning.providers.replies import Redirects, Says
from tests.planning.providers.server import FakeProvider


@pytest.mark.parametrize("name", NAMES)
async def test_redirect_to_another_host_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """It is up and would answer; it hears nothing. The control allows it. The refusal is logged."""
    with FakeProvider(Says(PROGRAM)) as other:
        with FakeProvider(Redirects(f"{other.origin}/v1/responses")) as fake:
            only = config_of(at(fake, name), hosts=(("127.0.0.1", fake.port),))
            async with asking(only) as engine:
                failure = (await engine.ask("generate", GENERATE)).failure
        assert failure is not None
        assert failure.code == "llm_host_refused"
        assert f"127.0.0.1:{other.port} is not in LARS_SANDBOX_LLM_ALLOWED_HOSTS" in failure.detail
        assert other.requests == []
    (line,) = [orjson.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert (line["event"], line["origin"]) == ("host_refused", f"http://127.0.0.1:{other.port}")


@pytest.mark.parametrize("name", NAMES)
async def test_credentials_stay_at_their_origin(name: str) -> None:
    """The other host is allowed and answers, and is told no key."""
    path = {"openai": "/v1/responses", "anthropic": "/v1/messages", "together": "/v1/chat/completions"}[name]
    with FakeProvider(Says(PROGRAM)) as other, FakeProvider(Redirects(f"{other.origin}{path}")) as fake:
        hosts = (("127.0.0.1", fake.port), ("127.0.0.1", other.port))
        async with asking(config_of(at(fake, name), hosts=hosts)) as engine:
            assert await engine.code() == ""
    assert fake.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(other.requests[0])


@pytest.mark.parametrize("module", ["httpx", "httpx2"])
async def test_guard_takes_off_what_the_client_leaves_on(module: str) -> None:
    """The clients take Authorization off themselves, and no other header."""
    http: Any = importlib.import_module(module)
    with FakeProvider(Says(PROGRAM)) as other, FakeProvider(Redirects(f"{other.origin}/v1/messages")) as fake:
        hosts = Hosts([("127.0.0.1", fake.port), ("127.0.0.1", other.port)], [fake.origin])
        async with client_on(http, certificates(), hosts, fake.origin) as client:
            await client.post(f"{fake.origin}/v1/messages", json={}, headers={"x-api-key": KEY})
    seen = [request.headers.get("x-api-key") for each in (fake, other) for request in each.requests]
    assert seen == [KEY, None]


async def test_redirects_are_counted() -> None:
    """In a circle."""
    with FakeProvider() as fake:
        fake.script(Redirects(f"{fake.origin}/v1/responses"))
        async with asking(config_of(at(fake, "openai"))) as engine:
            assert await engine.code() == "llm_malformed"
    assert fake.models_called == MAX_REDIRECTS + 1


async def test_host_is_refused_where_nothing_is_allowed() -> None:
    """The provider stays ready: the settings say which hosts, and may be changed."""
    with FakeProvider(Says(PROGRAM)) as fake:
        async with asking(config_of(at(fake, "openai"), hosts=())) as engine:
            assert await engine.code() == "llm_host_refused"
    assert fake.models_called == 0


ALLOWED = [("api.openai.com", 0), ("llm.example", 0), ("exact.example", 8443), ("127.0.0.1", 0)]
BASES = ["http://llm.example:8000/v1", "http://127.0.0.1:11434/v1"]


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.openai.com/v1", True),
        ("https://API.OPENAI.COM:443/v1", True),
        ("https://api.openai.com:8443/v1", False),
        ("http://api.openai.com/v1", False),
        ("http://api.openai.com:443/v1", False),
        ("https://api.openai.com.evil.example/", False),
        ("https://evil.example/?api.openai.com", False),
        ("https://api.openai.com@evil.example/", False),
        ("http://llm.example:8000/v1", True),
        ("https://llm.example:8000/v1", True),
        ("http://llm.example:8001/v1", False),
        ("https://llm.example/v1", True),
        ("https://exact.example:8443/", True),
        ("https://exact.example/", False),
        ("http://exact.example:8443/", False),
        ("http://127.0.0.1:11434/v1", True),
        ("http://127.0.0.1:80/", False),
        ("https://[::1]/", False),
    ],
)
def test_hosts(url: str, allowed: bool) -> None:
    """A port is exact; without one it is 443, or that of a base URL; only base URLs go without TLS."""
    hosts = Hosts(ALLOWED, BASES)
    if allowed:
        hosts.check(Origin.of(url))
    else:
        with pytest.raises(HostRefused):
            hosts.check(Origin.of(url))
