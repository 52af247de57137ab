"""The text of a key: what is one, what is a typo, what is kept."""

from __future__ import annotations

import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.key_text import ENVIRONMENTS, checksum, make_key, read_id, read_key

BASE62 = string.digits + string.ascii_letters


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_key_reads_as_what_was_made(env: str) -> None:
    made = make_key("prod" if env == "prod" else "test")
    prefix, environment, name, secret, check = made.text.split("_")
    assert (prefix, environment, name) == ("sk", env, made.id)
    assert (len(name), len(secret), len(check)) == (10, 32, 6)
    read = read_key(made.text)
    assert read is not None
    assert (read.env, read.id, read.digest) == (env, made.id, hashlib.sha256(secret.encode()).digest())
    assert secret not in repr(made) + repr(read)


def test_the_checksum_is_crc32_in_base62() -> None:
    number = 0
    for digit in checksum("123456789"):
        number = number * 62 + (string.digits + string.ascii_uppercase + string.ascii_lowercase).index(digit)
    assert number == 0xCBF43926  # the well-known check value of CRC-32 (zlib, IEEE 802.3)


# Made once: what an example is made of must be the same when it is tried again.
MADE = [make_key("prod").text for _ in range(50)]


@given(text=st.sampled_from(MADE), data=st.data())
def test_every_typo_of_one_character_is_seen(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(BASE62 + "_-").filter(lambda letter: letter != text[place]))
    assert read_key(text[:place] + other + text[place + 1 :]) is None


@given(text=st.sampled_from(MADE), data=st.data())
def test_two_neighbours_swapped_are_seen(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 2))
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    assert (read_key(swapped) is None) == (swapped != text)


@given(st.text())
def test_no_other_text_is_a_key(text: str) -> None:
    assert read_key(text) is None


def test_a_key_is_no_key_with_more_around_it() -> None:
    text = make_key("prod").text
    for other in (text + "\n", " " + text, text + "x", text[:-1], text.upper(), "", text.replace("_", "-")):
        assert read_key(other) is None, other


def test_rotation_keeps_the_id() -> None:
    first = make_key("prod")
    second = make_key("prod", first.id)
    assert second.id == first.id
    assert second.digest != first.digest
    assert second.text != first.text


def test_a_person_may_name_a_key_in_three_ways() -> None:
    made = make_key("prod")
    for way in (made.id, f"sk_prod_{made.id}", made.text):
        assert read_id(way) == made.id
    for other in ("", "sk_prod_", made.id[:-1], f"sk_live_{made.id}", made.id + "!"):
        assert read_id(other) is None
