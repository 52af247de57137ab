"""A request becomes a context: decoded once, bounded everywhere, without credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadRequest, LarsError, MalformedJson, UnsupportedMediaType
from service.rest.context import Parts, RequestContext, split_path, split_query


def test_the_context_has_the_members_that_programs_know() -> None:
    """Names and types; nothing of the caller's credentials."""
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"Authorization", b"Bearer secret"),
        (b"cookie", b"a=secret"),
        (b"x-session-id", b"secret"),
        (b"x-api-key", b"secret"),
        (b"accept", b"a"),
        (b"accept", b"b"),
        (b"prefer", b"x; y, Return=Minimal"),
        (b"prefer", b'max-affected="5"'),
    ]
    parts = Parts("post", b"/members/a%2Fb/", b"a=1&b=%26+x&a=2", headers, b'{"name": "A"}', "127.0.0.1", "s")
    assert RequestContext.from_parts(parts).as_ctx() == {
        "method": "POST",
        "path": "/members/a%2Fb/",
        "segments": ["members", "a/b"],
        "query": {"a": ["1", "2"], "b": "& x"},
        "headers": {
            "content-type": "application/json; charset=utf-8",
            "accept": "a, b",
            "prefer": "max-affected=5, return=minimal",
        },
        "body_json": {"name": "A"},
        "client": {"ip": "127.0.0.1"},
        "session": {"id": "s", "token": None},
    }


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        (b"/", ()),
        (b"", ()),
        (b"/a", ("a",)),
        (b"/a/", ("a",)),
        (b"/a/%C3%BC", ("a", "ü")),
        (b"/a/\xc3\xbc", ("a", "ü")),
        (b"/a/100%", ("a", "100%")),
        (b"/a/%zz", ("a", "%zz")),
        (b"/a/b+c", ("a", "b+c")),
        (b"/a/%2525", ("a", "%25")),
        (b"/" + b"/".join([b"a"] * 64), ("a",) * 64),
    ],
)
def test_paths(path: bytes, segments: tuple[str, ...]) -> None:
    """Decoded after splitting, and only once."""
    assert split_path(path) == segments


@pytest.mark.parametrize(
    "path",
    [
        b"//",
        b"//a",
        b"/a//b",
        b"/a//",
        b"/./a",
        b"/a/..",
        b"/a/%2e%2e",
        b"/a/%2E",
        b"/a/%00",
        b"/a/%0a",
        b"/%ff",
        b"/a/\xff",
        b"/a/%E2%80%A8",
        b"/" + b"/".join([b"a"] * 65),
        b"/" + b"a" * 501,
        b"/" + b"/".join([b"a" * 400] * 20),
    ],
)
def test_paths_that_are_refused(path: bytes) -> None:
    """Each with the member that says what to do."""
    with pytest.raises(BadRequest) as caught:
        split_path(path)
    assert caught.value.extra["errors"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"", {}),
        (b"&&", {}),
        (b"a", {"a": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=1&a=1&a=", {"a": ["1", "1", ""]}),
        (b"a%5B%5D=1", {"a[]": "1"}),
        (b"a=%00", {"a": "\0"}),
        (b"a=100%&=x", {"a": "100%", "": "x"}),
        (b"&".join([b"a=1"] * 1000), {"a": ["1"] * 1000}),
    ],
)
def test_queries(query: bytes, found: dict[str, object]) -> None:
    """Repeated names keep all their values in order."""
    assert split_query(query) == found


@pytest.mark.parametrize(
    "query",
    [
        b"&".join([b"a=1"] * 1001),
        b"&".join(b"a%d=1" % at for at in range(65)),
        b"a" * 201,
        "é".encode() * 101,
        b"a=" + b"b" * 8001,
        b"%ff=1",
        b"a=%ff",
        b"%0a=1",
    ],
)
def test_queries_that_are_refused(query: bytes) -> None:
    """Over a limit, or no text."""
    with pytest.raises(BadRequest):
        split_query(query)


@pytest.mark.parametrize(
    ("method", "content_type", "body", "error"),
    [
        ("POST", b"application/json", b"{", MalformedJson),
        ("POST", b"application/json", b"[" * 5000, MalformedJson),
        ("POST", b"application/json", b"NaN", MalformedJson),
        ("POST", b"application/json", b"\xff", MalformedJson),
        ("POST", b"text/plain", b"{}", UnsupportedMediaType),
        ("POST", b"application/" + b"x" * 200 + b"+json", b"{}", UnsupportedMediaType),
        ("DELETE", b"application/json", b"{}", BadRequest),
    ],
)
def test_bodies_that_are_refused(
    method: str, content_type: bytes, body: bytes, error: type[LarsError]
) -> None:
    """By type before content."""
    with pytest.raises(error):
        RequestContext.from_parts(Parts(method, b"/a", headers=[(b"content-type", content_type)], body=body))


def test_bodies_of_reads_are_not_read() -> None:
    """As RFC 9110 section 9.3.1 has it: they mean nothing."""
    context = RequestContext.from_parts(Parts("GET", b"/a", body=b"\xff"))
    assert (context.body_json, context.media_type) == (None, "")


@given(path=st.binary(max_size=80), query=st.binary(max_size=80), header=st.binary(max_size=80))
def test_any_bytes_are_a_context_or_refused(path: bytes, query: bytes, header: bytes) -> None:
    """No other exception, and nothing undecodable inside."""
    parts = Parts("GET", path, query, [(b"prefer", header)])
    try:
        context = RequestContext.from_parts(parts)
    except BadRequest:
        return
    assert all(segment.encode() for segment in context.segments)
    assert all(name.encode() is not None for name in context.query)
