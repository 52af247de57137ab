"""A provider on loopback that speaks the real wire forms of OpenAI (Responses and chat completions),
Anthropic (messages) and Together (chat completions), scripted by a test. It listens in this process, on a
thread for each connection, so it serves tests with an event loop and tests of other processes alike::

    with FakeProvider(Says('{"code": "print(1)", "assessment": "fine"}')) as provider:
        environ = {
            "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": provider.base_url("openai"),
            "LARS_SANDBOX_LLM_ALLOWED_HOSTS": provider.host,
        }
        ...
        assert [request.headers["authorization"] for request in provider.requests] == ["Bearer k"]

* ``FakeProvider(*replies)``: each of them once, in order; the last one for ever. ``script`` replaces them.
  Each is a reply, or a function from the request to one.
* ``Says(text)``: text, or a function of the request (``Received``), which sees ``received.prompt``. ``stop=``
  "length", "refusal" or "filter" for a reply that is cut off, refused or filtered.
* ``Fails(429, headers={"retry-after": "1"})``: an error in the form of the provider; ``QUOTA_USED``,
  ``SPEND_LIMIT`` and ``OVERLOADED`` are made. ``Raw(b"<html>")``: anything. ``Redirects(url)``,
  ``Trickles()``, ``Drops()``.
* ``tls=True``: with the certificate in ``CERTIFICATE``, of localhost and 127.0.0.1. Only who has
  SSL_CERT_FILE set to it trusts it.
* ``without={RESPONSES}``: routes that it does not have, as an OpenAI-compatible server; they are 404.
* ``requests``: all that came, with headers and body, in order. ``models_called`` counts them.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.planning.providers import forms
from tests.planning.providers.replies import Drops, Fails, Raw, Received, Redirects, Reply, Says, Trickles

Scripted = Reply | Callable[[Received], Reply]
CERTIFICATE = Path(__file__).with_name("localhost.pem")  # and its key; until 2126
_NO_ROUTE = Raw(b'{"detail":"Not Found"}', 404, {"content-type": "application/json"})


class FakeProvider:
    """Listens from the start of the with statement to its end."""

    def __init__(self, *replies: Scripted, without: frozenset[str] = frozenset(), tls: bool = False) -> None:
        self.requests: list[Received] = []
        self._without = without
        self._scheme = "https" if tls else "http"
        self._lock = threading.Lock()
        self._replies: list[Scripted] = list(replies) or [Says("{}")]
        self._ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            # The handshake is the connection's own thread's: one that hangs holds up no other.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Of 127.0.0.1."""
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        """As LARS_SANDBOX_LLM_ALLOWED_HOSTS has it."""
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self._scheme}://{self.host}"

    def base_url(self, provider: str) -> str:
        """What the SDK of openai, anthropic or together is to be given."""
        return f"{self.origin}/v1" if provider == "openai" else self.origin

    @property
    def models_called(self) -> int:
        """How many requests came for a model."""
        return len(self.requests)

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._server.connections

    def script(self, *replies: Scripted) -> None:
        """From now on, these."""
        with self._lock:
            self._replies = list(replies)

    def reply_to(self, received: Received) -> Reply:
        """Note the request and take its reply."""
        with self._lock:
            self.requests.append(received)
            if received.path in self._without or received.path not in forms.PATHS:
                return _NO_ROUTE
            reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return reply(received) if callable(reply) else reply

    def wait_ended(self, seconds: float) -> bool:
        """Whether the with statement is over, at the latest in so many seconds."""
        return self._ended.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], provider: FakeProvider) -> None:
        super().__init__(address, _Handler)
        self.provider = provider
        self._open: set[Any] = set()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """Those that a client keeps alive would be waited for."""
        for connection in list(self._open):
            try:
                connection.shutdown(2)
            except OSError:
                continue  # it has ended by itself

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received("POST", self.path, headers, _object(body), time.monotonic())
        self._send(received, self.server.provider.reply_to(received))

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received("GET", self.path, headers, {}, time.monotonic())
        self._send(received, self.server.provider.reply_to(received))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        """Nothing: tests look at ``requests``."""

    def _send(self, received: Received, reply: Reply) -> None:
        match reply:
            case Says():
                self._json(200, forms.answer(received, reply), {"request-id": "req_test"})
            case Fails():
                self._json(reply.status, forms.error(received, reply), reply.headers)
            case Raw():
                self._whole(reply.status, reply.body, reply.headers)
            case Redirects():
                self._whole(307, b"", {"location": reply.to})
            case Trickles():
                self._trickle(reply.every)
            case Drops():
                self.close_connection = True

    def _json(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self._whole(status, json.dumps(body).encode(), {"content-type": "application/json", **headers})

    def _whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._head(status, [*headers.items(), ("content-length", str(len(body)))])
        self.wfile.write(body)

    def _head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def _trickle(self, every: float) -> None:
        self._head(200, [("content-type", "application/json"), ("content-length", "1000000")])
        while not self.server.provider.wait_ended(every):
            try:
                self.wfile.write(b" ")
            except OSError:
                break
        self.close_connection = True


def _object(body: bytes) -> dict[str, Any]:
    value = json.loads(body or b"{}")
    return value if isinstance(value, dict) else {"": value}
