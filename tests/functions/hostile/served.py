"""A service with keys, spoken to as one who brings hostile modules would: upload, load, call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.access.keyed import Keyed, keyed_service, with_key

MODULE = "agent"


def hash_of(name: str) -> str:
    """The visible_pixel_hash of a contract of this name."""
    return hashlib.sha256(name.encode()).hexdigest()


def path_of(name: str, function: str) -> str:
    """An endpoint_path that only this function of this contract has."""
    return f"/of/{hash_of(name)[:16]}/{function.lower()}"


def load_body(name: str, function: str = "f", **members: object) -> dict[str, object]:
    """Of POST /load-function; ``members`` instead of the usual ones."""
    return {
        "visible_pixel_hash": hash_of(name),
        "function_name": function,
        "module_name": MODULE,
        "endpoint_path": path_of(name, function),
        "method": "POST",
        **members,
    }


@dataclass(frozen=True, slots=True)
class Served:
    """The service, and one client, whose connections are kept open. Contracts are called by names."""

    keyed: Keyed
    client: httpx.Client

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """As who may change functions."""
        return self.client.request(method, path, headers=with_key(self.keyed.all), **options)

    def upload(self, name: str, text: str | bytes, module: str = MODULE) -> httpx.Response:
        """PUT the module."""
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return self.ask("PUT", f"/uploads/{hash_of(name)}/{module}.py", content=data)

    def load(self, name: str, function: str = "f", **members: object) -> httpx.Response:
        """POST /load-function."""
        return self.ask("POST", "/load-function", json=load_body(name, function, **members))

    def bring(self, name: str, text: str | bytes, function: str = "f", **members: Any) -> httpx.Response:
        """Upload and load; what the load was answered."""
        put = self.upload(name, text, members.get("module_name", MODULE))
        assert put.status_code in (200, 201), put.text
        return self.load(name, function, **members)

    def call(self, name: str, function: str = "f", **arguments: object) -> httpx.Response:
        """As anybody, with a JSON object."""
        return self.client.post(f"/function/{hash_of(name)}/{function}", json=arguments)


def said(answer: httpx.Response) -> object:
    """What a call returned; of one that returned nothing status, code, and the exception's type."""
    body = answer.json()
    if answer.status_code == 200:
        return body
    assert answer.headers["content-type"] == "application/problem+json"
    about: Mapping[str, Any] = body.get("exception") or {}
    return (answer.status_code, body["code"], *([about["type"]] if about else []))


def refusal(answer: httpx.Response) -> tuple[object, ...]:
    """How a load was refused: status, code, the rule or the exception's type, and the line."""
    body = answer.json()
    if answer.status_code == 200:
        return (200,)
    assert answer.headers["content-type"] == "application/problem+json"
    about = body.get("exception") or {"type": body.get("rule"), "line": body.get("line")}
    return answer.status_code, body["code"], about["type"], about["line"]


@contextmanager
def serving(directory: Path, **settings: str) -> Iterator[Served]:
    """A service, and its client."""
    with keyed_service(directory, **settings) as keyed, keyed.service.client() as client:
        yield Served(keyed, client)
