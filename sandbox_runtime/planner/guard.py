"""The wrapper around every HTTP transport of the planner: which hosts, how much, and whose credentials.

It sees each request as it leaves, those that follow a redirect among them. It serves httpx and httpx2, which
have the same classes: ``http`` is the one of the two modules that the client is of.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from sandbox_runtime.planning import PlannerConfig

MAX_BODY: Final = 4 << 20  # bytes of an answer
MAX_REFUSAL: Final = 64 << 10  # bytes that are read of an answer of 300 and above
MAX_REDIRECTS: Final = 3
_PORTS: Final = {"http": 80, "https": 443}
_CREDENTIALS: Final = (
    "authorization",
    "x-api-key",
    "cookie",
    "openai-organization",
    "openai-project",
)
# What of an answer's head the clients may see. Not its charset, which may name a codec that unpacks or takes
# for ever; no cookies, which they would keep.
_HEARD: Final = ("location", "retry-after", "retry-after-ms", "x-should-retry", "request-id", "x-request-id")


class HostRefused(Exception):
    """A request to a host that is not among the allowed ones. Nothing was sent."""


class TooLong(Exception):
    """An answer of more than MAX_BODY bytes, or one that is compressed although that was not asked for."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host in lower case, and port of a URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """ValueError for a URL without a host, or with a port that is none."""
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError(f"{url!r} has no host")
        return cls(parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme, 0))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Hosts:
    """Those that may be connected to."""

    def __init__(self, allowed: Iterable[tuple[str, int]], bases: Iterable[str]) -> None:
        self._bases = frozenset(map(Origin.of, bases))
        self._allowed = frozenset(allowed)

    @classmethod
    def of(cls, config: PlannerConfig) -> Hosts:
        """Those of the settings."""
        return cls(config.hosts, [each.base_url for each in config.providers if each.base_url])

    def check(self, origin: Origin) -> None:
        """HostRefused unless the host is allowed on this port, and speaks TLS where it is not ours to choose:
        only a base URL or a loopback address may be without."""
        if not self._has(origin):
            raise HostRefused(f"{origin} is not in LARS_SANDBOX_LLM_ALLOWED_HOSTS")
        if origin.scheme != "https" and origin not in self._bases and not _is_loopback(origin.host):
            raise HostRefused(f"{origin} is not https, and no base URL says that it need not be")

    def _has(self, origin: Origin) -> bool:
        if (origin.host, origin.port) in self._allowed:
            return True
        ports = {443} | {base.port for base in self._bases if base.host == origin.host}
        return (origin.host, 0) in self._allowed and origin.port in ports


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """A transport. ``base``: where the client's credentials belong, and nowhere else."""

    def __init__(self, http: ModuleType, inner: Any, hosts: Hosts, base: Origin) -> None:
        self._http = http
        self._inner = inner
        self._hosts = hosts
        self._base = base

    async def __aenter__(self) -> Guard:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._inner.__aexit__(*exc_info)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def handle_async_request(self, request: Any) -> Any:
        """The answer, whole. HostRefused, TooLong, and what the transport raises."""
        origin = Origin.of(str(request.url))
        try:
            self._hosts.check(origin)
        except HostRefused as error:
            _tell(origin, str(error))
            raise
        if origin != self._base:
            for name in _CREDENTIALS:
                request.headers.pop(name, None)
        request.headers["accept-encoding"] = "identity"  # so that bytes received are bytes kept
        response = await self._inner.handle_async_request(request)
        try:
            body = await _read(response)
        finally:
            await response.aclose()
        return self._http.Response(response.status_code, headers=_heard(response.headers), content=body)


def _heard(headers: Any) -> list[tuple[str, str]]:
    known = [(name, headers[name]) for name in _HEARD if name in headers]
    return [("content-type", "application/json"), *known]


async def _read(response: Any) -> bytes:
    """Of a refusal its beginning; TooLong for an answer that is not whole."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise TooLong("the answer is compressed, which was not asked for")
    body = bytearray()
    async for chunk in response.stream:
        body += chunk
        if response.status_code >= 300 and len(body) >= MAX_REFUSAL:
            return bytes(body[:MAX_REFUSAL])
        if len(body) > MAX_BODY:
            raise TooLong(f"the answer has more than {MAX_BODY} bytes")
    return bytes(body)


def _tell(origin: Origin, reason: str) -> None:
    line = {"event": "host_refused", "level": "warning", "origin": str(origin), "reason": reason}
    os.write(2, orjson.dumps(line) + b"\n")


def client_on(http: ModuleType, tls: Any, hosts: Hosts, base_url: str) -> Any:
    """An AsyncClient of ``http`` behind a guard. No proxies and no .netrc: only the settings say where to."""
    limits = http.Limits(max_connections=None, max_keepalive_connections=20)
    transport = http.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits)
    return http.AsyncClient(
        transport=Guard(http, transport, hosts, Origin.of(base_url)),
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        trust_env=False,
        timeout=http.Timeout(None, connect=5.0),
    )
