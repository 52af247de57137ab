"""Which header is the key."""

from __future__ import annotations

import pytest

from service.access.credentials import token_of
from service.errors import BadRequest, KeyMalformed

KEY = b"x-api-key"
AUTHORIZATION = b"authorization"


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([], None),
        ([(b"x-session-id", b"s"), (b"accept", b"*/*")], None),
        ([(KEY, b"k")], "k"),
        ([(KEY, b"  k ")], "k"),
        ([(AUTHORIZATION, b"Bearer k")], "k"),
        ([(AUTHORIZATION, b"bearer   k ")], "k"),
        ([(AUTHORIZATION, b"BEARER k"), (KEY, b"k")], "k"),
        ([(KEY, b"k\xe9")], "k\xe9"),
    ],
)
def test_the_token(headers: list[tuple[bytes, bytes]], token: str | None) -> None:
    assert token_of(headers) == token


def test_two_that_differ_are_refused() -> None:
    for headers in ([(KEY, b"a"), (KEY, b"b")], [(KEY, b"a"), (AUTHORIZATION, b"Bearer b")]):
        with pytest.raises(BadRequest, match="send one"):
            token_of(headers)


@pytest.mark.parametrize("value", [b"Basic dTpw", b"k", b"Bearer", b"Bearer ", b"", b"Bearer " + b"k" * 513])
def test_what_is_no_bearer_token_is_malformed_and_not_repeated(value: bytes) -> None:
    with pytest.raises(KeyMalformed) as caught:
        token_of([(AUTHORIZATION, value)])
    assert "dTpw" not in caught.value.detail
    assert "kkk" not in caught.value.detail
