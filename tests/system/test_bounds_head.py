"""What a front reads of a request's head and framing, byte for byte: sizes, counts, and nothing ambiguous."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service_process import Service, running_service
from tests.system.raw import alone, head, peer

LIMIT = 4096
FIELDS = 20
POST = "POST /execute HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One with small limits."""
    settings = {
        "LARS_MAX_HEADER_BYTES": str(LIMIT),
        "LARS_MAX_HEADERS": str(FIELDS),
        "FORWARDED_ALLOW_IPS": "*",  # uvicorn's own, which is not read
    }
    with running_service(tmp_path_factory.mktemp("service"), settings) as service:
        yield service


def of_size(size: int) -> bytes:
    """A head whose request target and header fields, with four bytes for the punctuation of each, have
    ``size`` bytes."""
    bare = len("/health") + len("HostConnectionXlocalhostclose") + 3 * 4
    return head("/health", "Connection: close", "X: " + "a" * (size - bare))


def test_a_head_up_to_the_limit(service: Service) -> None:
    """One byte more is refused; in one piece or in many."""
    assert alone(service.url, of_size(LIMIT)).status == 200
    refused = alone(service.url, of_size(LIMIT + 1))
    assert (refused.status, refused.code) == (431, "headers_too_large")
    assert (refused.json["field"], refused.json["limit"]) == (
        "bytes of request line and header fields",
        LIMIT,
    )
    assert "LARS_MAX_HEADER_BYTES" in refused.json["detail"]


@pytest.mark.parametrize(
    ("begin", "more", "expected"),
    [
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ", b"a", (431, "headers_too_large")),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\n", b"a", (431, "headers_too_large")),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX:", b" ", (431, "headers_too_large")),
        (b"GET /", b"a", (414, "uri_too_long")),
        (b"GET /?", b"a", (414, "uri_too_long")),
    ],
    ids=["value", "name", "blanks", "path", "query"],
)
@pytest.mark.parametrize("piece", [257, 100_000])
def test_a_head_without_end(
    service: Service, begin: bytes, more: bytes, expected: tuple[int, str], piece: int
) -> None:
    """It is refused while it still comes, without a line end, whatever the pieces are."""
    with peer(service.url) as one:
        one.send(begin)
        for _ in range(2 * LIMIT // piece + 1):
            one.send(more * piece)
        answer = one.answer()
        assert one.rest() == b""
    assert (answer.status, answer.code) == expected


@pytest.mark.parametrize(("count", "status"), [(FIELDS - 2, 200), (FIELDS - 1, 431)])
def test_the_number_of_fields(service: Service, count: int, status: int) -> None:
    """Host and Connection count."""
    answer = alone(service.url, head("/health", "Connection: close", *["a: "] * count))
    assert answer.status == status
    if status == 431:
        assert answer.code == "headers_too_large"
        assert "LARS_MAX_HEADERS" in answer.json["detail"]


HEADS = {
    "length twice": POST + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "two lengths": POST + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a list of lengths": POST + "Content-Length: 1, 1\r\n\r\na",
    "a length with a sign": POST + "Content-Length: +1\r\n\r\na",
    "a hexadecimal length": POST + "Content-Length: 0x1\r\n\r\na",
    "an empty length": POST + "Content-Length: \r\n\r\n",
    "an endless length": POST + f"Content-Length: {10**30}\r\n\r\n",
    "length before chunks": POST + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks before length": POST + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a list of codings": POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "an unknown coding": POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": POST + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a coding behind a control": POST + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a blank before the colon": POST + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded line": POST + "X: a\r\n b\r\n\r\n",
    "a folded coding": POST + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a folded first line": "GET /health HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "NUL in a value": POST + "X: a\0b\r\n\r\n",
    "NUL in a name": POST + "X\0: a\r\n\r\n",
    "NUL in the target": "GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CR in a value": POST + "X: a\rb\r\n\r\n",
    "lines that end with LF": "GET /health HTTP/1.1\nHost: localhost\n\n",
    "one line that ends with LF": "GET /health HTTP/1.1\r\nHost: localhost\nX: 1\r\n\r\n",
    "no name": POST + ": a\r\n\r\n",
    "no colon": POST + "a\r\n\r\n",
    "no host": "GET /health HTTP/1.1\r\n\r\n",
    "two hosts": "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: y\r\n\r\n",
    "HTTP/0.9": "GET /health\r\n\r\n",
    "HTTP/0.9 by name": "GET /health HTTP/0.9\r\n\r\n",
    "HTTP/1.2": "GET /health HTTP/1.2\r\nHost: localhost\r\n\r\n",
    "HTTP/2 by name": "GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a proxy's method": "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n",
    "an upgrade with a body": POST + "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nGET",
    "an upgrade with chunks": POST
    + "Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("data", HEADS.values(), ids=HEADS)
def test_what_could_be_read_in_two_ways(service: Service, data: str) -> None:
    """400, and the end of the connection: what follows is never taken for a request."""
    answer = alone(service.url, data.encode("latin-1") + head("/health"))
    assert (answer.status, answer.code) == (400, "bad_request")


CHUNKS = {
    "a negative size": "-1\r\na\r\n",
    "a prefix": "0x1\r\na\r\n",
    "no size": "\r\na\r\n",
    "a size beyond 64 bits": "f" * 17 + "\r\na\r\n",
    "a blank after the size": "1 \r\na\r\n",
    "a size that ends with LF": "1\na\r\n",
    "an extension that ends with LF": "1;a\na\r\n",
    "more than the size": "1\r\nab\r\n",
    "content that ends with LF": "1\r\na\n",
    "a length as trailer": "1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n",
    "a coding as trailer": "1\r\na\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("data", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("together", [True, False])
def test_bad_chunks(service: Service, data: str, together: bool) -> None:
    """400, with one line in the log, and the end of the connection."""
    request = (POST + CHUNKED).encode()
    with peer(service.url) as one:
        one.send(request + data.encode() + head() if together else request)
        if not together:
            one.send(data.encode() + head())
        answer = one.answer()
        assert one.rest() == b""
    assert (answer.status, answer.code, answer.headers["connection"]) == (400, "bad_request", "close")
    (line,) = service.requests_logged(answer.json["request_id"])
    assert (line["status"], line["error_code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        ("1;", "a" * 1000),
        ("1\r\n{\r\n0\r\nX: ", "a" * 1000),
        ("1\r\n{\r\n0\r\n", "a: \r\n"),
        ("", "1;aaaaaaaa\r\n{\r\n" * 100),
    ],
    ids=["extension", "trailer", "trailers", "extensions of small chunks"],
)
def test_framing_without_end(service: Service, begin: str, more: str) -> None:
    """What a chunked body has beside its content is bounded as the head is."""
    with peer(service.url) as one:
        one.send((POST + CHUNKED + begin).encode())
        for _ in range(4000):
            one.send(more.encode())
        answer = one.answer()
    assert (answer.status, answer.code) == (431, "headers_too_large")


def test_trailers_go_nowhere(service: Service) -> None:
    """They are no headers of the request, and the next request is read as usual."""
    body = '{"code": "result = 1"}'
    with peer(service.url) as one:
        one.send(f"{POST}{CHUNKED}{len(body):x};a=b\r\n{body}\r\n0\r\nX-Request-ID: trailer\r\n\r\n".encode())
        answer = one.answer()
        one.send(head())
        assert one.answer().json == {"status": "healthy"}
    assert answer.json["result"] == 1
    assert answer.headers["x-request-id"] != "trailer"


def test_an_upgrade_is_answered_in_http_1_1(service: Service) -> None:
    """What comes after such a head may be in another protocol, so nothing of it is read."""
    request = head("/health", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
    assert alone(service.url, request + head()).json == {"status": "healthy"}
    websocket = head("/health", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    assert alone(service.url, websocket).status == 200


def test_pipelined_requests(service: Service) -> None:
    """They are answered in order. Of very many, the first are; then the connection ends."""
    with peer(service.url) as one:
        one.send(b"".join(head("/health", f"X-Request-ID: p{n}") for n in range(10)))
        assert [one.answer().headers["x-request-id"] for _ in range(10)] == [f"p{n}" for n in range(10)]
        one.send(b"".join(head("/health", f"X-Request-ID: q{n}") for n in range(5000)))
        answers = one.rest().split(b"HTTP/1.1 ")[1:]
    assert 10 <= len(answers) < 100
    assert all(f"x-request-id: q{n}\r\n".encode() in text for n, text in enumerate(answers))
    assert [b"connection: close" in text for text in answers] == [False] * (len(answers) - 1) + [True]


def test_what_follows_a_request_in_work_is_not_answered_before_it(service: Service) -> None:
    """A broken second request ends the connection after the answer to the first."""
    code = b'{"code": "import time; time.sleep(0.3); result = 7"}'
    with peer(service.url) as one:
        one.send(
            head("/execute", "Content-Type: application/json", f"Content-Length: {len(code)}", method="POST")
        )
        one.send(code)
        one.send(b"\0\0\0\r\n\r\n")
        assert one.answer().json["result"] == 7
        assert one.rest() == b""


def test_expect_100_continue(service: Service) -> None:
    """The body is asked for where it will be read, and not where it is refused."""
    lines = ("Content-Type: application/json", "Expect: 100-continue")
    with peer(service.url) as one:
        one.send(head("/execute", *lines, "Content-Length: 22", method="POST"))
        assert one.connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.send(b'{"code": "result = 1"}')
        assert one.answer().json["result"] == 1
        one.send(head("/execute", *lines, "Content-Length: 999999999", method="POST"))
        assert one.answer().code == "payload_too_large"


def test_expect_in_http_1_0_is_not_heard(service: Service) -> None:
    """Such a caller would take the interim response for the answer (RFC 9110 section 10.1.1)."""
    body = b'{"code": "result = 1"}'
    request = POST.replace("1.1", "1.0") + "Content-Type: application/json\r\nExpect: 100-continue\r\n"
    answer = alone(service.url, f"{request}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert (answer.status, answer.json["result"]) == (200, 1)


@pytest.mark.parametrize("target", ["http://localhost", "http://localhost?q=1", "HTTP://localhost:1/"])
def test_a_target_with_scheme_and_host(service: Service, target: str) -> None:
    """Without a path it is the root, RFC 9112 section 3.2.2."""
    request = head(target, "X-Session-ID: targets", "Connection: close")
    assert alone(service.url, request).json == {"collections": []}


def test_a_target_without_host(service: Service) -> None:
    answer = alone(service.url, head("http://"))
    assert (answer.status, answer.code) == (400, "bad_request")
    assert "target" in answer.json["detail"]


def test_nobody_is_believed_about_the_client(service: Service) -> None:
    """Without trusted proxies it is the peer."""
    request = head("/health", "Connection: close", "X-Forwarded-For: 203.0.113.7", "X-Request-ID: forwarded")
    assert alone(service.url, request).status == 200
    (line,) = service.requests_logged("forwarded")
    assert line["client"] == "127.0.0.1"
