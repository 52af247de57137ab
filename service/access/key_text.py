"""The text of a key: ``sk_<env>_<id>_<secret>_<checksum>``.

The id (10 base62 characters) names the key and may be logged; the secret (32 characters, 190 random bits) is
kept as its SHA-256 only, which is enough at that entropy; the checksum (CRC-32, 6 characters) tells a typo
from an unknown key without a look-up.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from typing import Final, Literal, get_args

Environment = Literal["test", "prod"]
ENVIRONMENTS: Final[tuple[Environment, ...]] = get_args(Environment)
PREFIX = "sk_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 10
_SECRET_LENGTH = 32
_CHECKSUM_LENGTH = 6
_FORM = re.compile(
    rf"sk_(?P<env>test|prod)_(?P<id>[0-9A-Za-z]{{{_ID_LENGTH}}})_(?P<secret>[0-9A-Za-z]{{{_SECRET_LENGTH}}})"
    rf"_(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})",
    re.ASCII,
)
_NAME = re.compile(rf"(?:sk_(?:test|prod)_)?(?P<id>[0-9A-Za-z]{{{_ID_LENGTH}}})(?:_.*)?", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class KeyText:
    """A key that reads as one. ``digest``: SHA-256 of its secret, 32 bytes."""

    env: Environment
    id: str
    digest: bytes


@dataclass(frozen=True, slots=True, repr=False)
class NewKey:
    """A key as it is shown, once. ``text`` has the secret."""

    id: str
    text: str
    digest: bytes


def make_key(env: Environment, key_id: str | None = None) -> NewKey:
    """A fresh key; of ``key_id`` when one is given a new secret."""
    name = key_id or _random(_ID_LENGTH)
    secret = _random(_SECRET_LENGTH)
    body = f"{PREFIX}{env}_{name}_{secret}"
    return NewKey(name, f"{body}_{checksum(body)}", digest_of(secret))


def read_key(text: str) -> KeyText | None:
    """None when it has not the form of a key, or its checksum is another."""
    match = _FORM.fullmatch(text)
    if match is None or checksum(text[: -_CHECKSUM_LENGTH - 1]) != match["checksum"]:
        return None
    env: Environment = "prod" if match["env"] == "prod" else "test"
    return KeyText(env, match["id"], digest_of(match["secret"]))


def read_id(text: str) -> str | None:
    """The id in what a person types: ``ID``, ``sk_prod_ID``, or a whole key. None when there is none."""
    match = _NAME.fullmatch(text)
    return match["id"] if match else None


def digest_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def checksum(text: str) -> str:
    """CRC-32 (zlib.crc32) in base62, the most significant digit first."""
    number, digits = zlib.crc32(text.encode()), []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
