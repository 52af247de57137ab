"""What a program writes into Location and Link becomes a header that cannot be more than one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rest.links import link_header, uri

_URI = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")


@pytest.mark.parametrize(
    ("iri", "expected"),
    [
        ("/members/1", "/members/1"),
        ("/m\u00fcller/a b", "/m%C3%BCller/a%20b"),
        ("/a/%2F", "/a/%2F"),
        ("/a\r\nSet-Cookie: x", "/a%0D%0ASet-Cookie:%20x"),
        ("/\ud800", "/?"),
        ('/"<>\\', "/%22%3C%3E%5C"),
    ],
)
def test_uri(iri: str, expected: str) -> None:
    """Escapes that are there already stay."""
    assert uri(iri) == expected


@given(st.text(st.characters()))
def test_any_text_is_a_uri(text: str) -> None:
    """Nothing that ends a header, and nothing more to escape in a second pass."""
    assert _URI.fullmatch(uri(text))
    assert uri(uri(text)) == uri(text)


def test_link_targets_become_absolute() -> None:
    """Only those that are a query alone, and only when a URL is given."""
    value = '<?a=\u00fc>; rel="next", </b?c>; rel="up"'
    assert link_header(value, None) == '<?a=%C3%BC>; rel="next", </b?c>; rel="up"'
    absolute = link_header(value, "http://h/posts")
    assert absolute == '<http://h/posts?a=%C3%BC>; rel="next", </b?c>; rel="up"'
