"""Modules as an agent writes them, of bytes, tokens and addresses: each with calls and what they return."""

from __future__ import annotations

MODULES: dict[str, tuple[str, dict[str, object]]] = {
    "hash": (
        """
import base64
import binascii
import hashlib
import hmac
import zlib


def digest(text: str, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, text.encode("utf-8")).hexdigest()[:8]


def sign(key: bytes, message: bytes) -> bool:
    signature = hmac.new(key, message, hashlib.sha256).digest()
    return hmac.compare_digest(signature, hmac.digest(key, message, "sha256"))


def pack(text):
    packed = base64.urlsafe_b64encode(zlib.compress(text.encode())).decode()
    try:
        return zlib.decompress(base64.urlsafe_b64decode(packed)).decode()
    except (binascii.Error, zlib.error):
        return None
""",
        {"digest('a')": "ca978112", "sign(b'k', b'm')": True, "pack('hello')": "hello"},
    ),
    "tokenizer": (
        """
import re
from typing import Iterator, NamedTuple


class Token(NamedTuple):
    kind: str
    text: str
    position: int = 0


_SPEC = "|".join(f"(?P<{k}>{v})" for k, v in {"NUM": r"\\d+", "OP": r"[-+*/()]", "WS": r"\\s+"}.items())


def tokens(source: str) -> Iterator[Token]:
    for m in re.finditer(_SPEC, source):
        if (kind := m.lastgroup) != "WS":
            yield Token(kind, m.group(), m.start())


class Parser:
    \"\"\"expression := term (('+' | '-') term)*\"\"\"

    def __init__(self, source):
        self.__tokens = list(tokens(source))
        self.__index = 0

    def _peek(self):
        return self.__tokens[self.__index].text if self.__index < len(self.__tokens) else None

    def _next(self):
        text = self._peek()
        self.__index += 1
        return text

    def expression(self):
        value = self.term()
        while self._peek() in ("+", "-"):
            value = value + self.term() if self._next() == "+" else value - self.term()
        return value

    def term(self):
        value = self.factor()
        while self._peek() in ("*", "/"):
            value = value * self.factor() if self._next() == "*" else value / self.factor()
        return value

    def factor(self):
        if self._peek() == "(":
            self._next()
            value = self.expression()
            self._next()
            return value
        return int(self._next())


def calculate(source: str) -> float:
    return Parser(source).expression()


def kinds(source):
    second = Token("a", "b")._replace(position=2)
    return [t._asdict() for t in tokens(source)][:1], Token._fields, second.position
""",
        {
            "calculate('2 * (3 + 4) - 1')": 13,
            "kinds('1+')": (
                [{"kind": "NUM", "text": "1", "position": 0}],
                ("kind", "text", "position"),
                2,
            ),
        },
    ),
    "bytes": (
        """
import struct


def checksum(data: bytes) -> int:
    total = 0
    for byte in memoryview(data):
        total = (total << 1 ^ byte) & 0xFFFF
    return total


def header(version: int, size: int) -> str:
    buffer = bytearray(struct.pack(">HI", version, size))
    buffer.reverse()
    return buffer.hex()
""",
        {"checksum(b'ab')": 160, "header(1, 2)": "020000000100"},
    ),
    "addresses": (
        """
import fnmatch
import ipaddress


def allowed(address: str, networks: list[str]) -> bool:
    ip = ipaddress.ip_address(address)
    return any(ip in ipaddress.ip_network(n, strict=False) for n in networks)


def matching(names, pattern):
    return fnmatch.filter(names, pattern)
""",
        {"allowed('10.1.2.3', ['10.0.0.0/8'])": True, "matching(['a.py', 'b'], '*.py')": ["a.py"]},
    ),
    "contexts": (
        """
import contextlib
import copy
from contextlib import ExitStack, contextmanager, suppress


class Transaction:
    def __init__(self, data: dict):
        self.data = data

    def __enter__(self):
        self._backup = copy.deepcopy(self.data)
        return self.data

    def __exit__(self, exc_type, exc, tb):
        if exc_type is not None:
            self.data.clear()
            self.data.update(self._backup)
        return exc_type is ValueError


@contextmanager
def section(out, name):
    out.append(f"<{name}>")
    yield
    out.append(f"</{name}>")


def run():
    data, out = {"a": [1]}, []
    with Transaction(data) as d:
        d["a"].append(2)
        raise ValueError
    with suppress(KeyError, IndexError):
        data["missing"]
    with ExitStack() as stack, contextlib.nullcontext(1) as one:
        for name in "ab":
            stack.enter_context(section(out, name))
        out.append(one)
    return data, out
""",
        {"run()": ({"a": [1]}, ["<a>", "<b>", 1, "</b>", "</a>"])},
    ),
}
