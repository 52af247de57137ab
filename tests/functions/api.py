"""A running service whose functions tests load and call, over real HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.access.keyed import Keyed, keyed_service, with_key
from tests.service_process import Service

STARGATE = "stargate-key-of-the-tests-0123456789"
SECONDS = 2.0  # of a call, and of loading
MAX_MODULE = 64 * 1024
MAX_BODY = 4 * MAX_MODULE
QUOTA = 256 * 1024
MAX_RESULT = 512 * 1024
QUEUE = 2  # calls that may wait for a contract, in each front
FRONTS = 2
MODULE = "agent"
ALL = "the key that has every scope"
SETTINGS = {
    "LARS_PUBLIC": "docs",
    "STARGATE_API_KEY": STARGATE,
    "LARS_MAX_EXEC_MS": str(int(SECONDS * 1000)),
    "LARS_MAX_CODE_BYTES": str(MAX_MODULE),
    "LARS_MAX_BODY_BYTES": str(MAX_BODY),
    "LARS_UPLOADS_QUOTA": str(QUOTA),
    "LARS_MAX_RESULT_BYTES": str(MAX_RESULT),
    "LARS_CONTRACT_QUEUE": str(QUEUE),
    "LARS_FRONTS": str(FRONTS),
}

ADD = '''
def add(a: int, b: int = 2) -> int:
    """The sum."""
    return a + b

def other() -> str:
    return "other"

_private = 1
'''


def hash_of(name: str) -> str:
    """A visible_pixel_hash of its own for this name, of 40 digits."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Api:
    """The service, and a client whose requests go over one connection, and so to one front."""

    keyed: Keyed
    client: httpx.Client

    @property
    def service(self) -> Service:
        """The service itself."""
        return self.keyed.service

    @property
    def uploads(self) -> Path:
        """LARS_UPLOADS_DIR."""
        return self.keyed.data / "uploads"

    def ask(
        self, method: str, path: str, key: str | None = ALL, headers: Any = None, **options: Any
    ) -> httpx.Response:
        """One request; with None for ``key`` as anybody."""
        sent = with_key(self.keyed.all if key == ALL else key)
        return self.client.request(method, path, headers={**sent, **(headers or {})}, **options)

    def client_of_its_own(self) -> httpx.Client:
        """One with the key that has every scope, on a connection of its own; close it."""
        return self.service.client(headers=with_key(self.keyed.all))

    def write(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request of who may change functions."""
        return self.ask(method, path, STARGATE, **options)

    def upload(self, contract: str, text: str | bytes, module: str = MODULE) -> httpx.Response:
        """PUT the module."""
        return self.write("PUT", f"/uploads/{contract}/{module}.py", content=text)

    def load(self, contract: str, name: str, headers: Any = None, **members: Any) -> httpx.Response:
        """POST /load-function; ``members`` in the place of those that are usual."""
        body = load_body(contract, name) | members
        return self.write("POST", "/load-function", json=body, headers=headers)

    def serve(self, contract: str, text: str, *names: str, **members: Any) -> dict[str, Any]:
        """Upload the module, load these functions of it; what was answered to the last."""
        assert self.upload(contract, text, members.get("module_name", MODULE)).status_code in (200, 201)
        answer: dict[str, Any] = {}
        for name in names:
            loaded = self.load(contract, name, **members)
            assert loaded.status_code == 200, loaded.text
            answer = loaded.json()
        return answer

    def unload(self, contract: str, name: str) -> httpx.Response:
        """DELETE it."""
        return self.write("DELETE", f"/unload-function/{contract}/{name}")

    def get(self, contract: str, name: str, headers: Any = None, **query: Any) -> httpx.Response:
        """Call it with a query string."""
        return self.ask("GET", f"/function/{contract}/{name}", params=query, headers=headers)

    def post(self, contract: str, name: str, **arguments: Any) -> httpx.Response:
        """Call it with a JSON object."""
        return self.ask("POST", f"/function/{contract}/{name}", json=arguments)

    def about(self, contract: str, name: str, rest: str = "") -> str:
        """The path of its administration."""
        return f"/_/functions/{contract}/{name}{rest}"


def load_body(contract: str, name: str) -> dict[str, Any]:
    """What POST /load-function needs; the path is the function's own."""
    return {
        "visible_pixel_hash": contract,
        "function_name": name,
        "module_name": MODULE,
        "endpoint_path": own_path(contract, name),
    }


def own_path(contract: str, name: str) -> str:
    """The endpoint_path that a function has when a test names none."""
    return f"/of/{contract[:12]}{contract[-12:]}/{name.lower()}"


def value(answer: httpx.Response) -> Any:
    """What a function returned."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, str(answer.json()["code"])


@contextmanager
def functions_service(directory: Path) -> Iterator[Api]:
    """A service where only documents are public, with a key that has every scope, and STARGATE_API_KEY."""
    with keyed_service(directory, **SETTINGS) as keyed, keyed.service.client() as client:
        yield Api(keyed, client)
