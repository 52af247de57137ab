"""Health, readiness, capabilities and the OpenAPI document of a running service."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from sandbox_runtime.layers import DEFAULT_FLOOR, Layer
from service.app import OWNED
from service.control.control import open_control
from service.execution.fields import FIELDS, Fields
from service.functions.figures import Tally, VersionKey
from service.generation.request import FIELDS as GENERATE_FIELDS
from service.settings import Settings
from tests.access.keyed import keyed_service
from tests.service_process import Service, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the module."""
    settings = {"LARS_TIMEOUT_MAX": "7", "LARS_CPU_MAX": "1.5", "LARS_MEMORY_MAX": "300m"}
    with running_service(tmp_path_factory.mktemp("service"), settings) as running:
        yield running


def get(service: Service, path: str) -> Any:
    """The JSON of a 200."""
    with service.client() as client:
        response = client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return response.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [("/health", {"status": "healthy"}), ("/healthz", {"status": "ok"}), ("/readyz", {"status": "ready"})],
)
def test_probes(service: Service, path: str, body: dict[str, str]) -> None:
    """Exactly; HEAD is GET without the body."""
    assert get(service, path) == body
    with service.client() as client:
        head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")


def test_capabilities(service: Service) -> None:
    """Layers as doctor shows them, this server's ceilings, this Python."""
    body = get(service, "/capabilities")
    layers = {row["layer"]: row for row in body["layers"]}
    assert set(layers) == set(Layer)
    assert body["floor"] == [layer.value for layer in DEFAULT_FLOOR]
    assert all(layers[layer]["in_force"] for layer in DEFAULT_FLOOR)
    assert all(row["in_force"] or row["reason"] for row in layers.values())
    assert body["limits"]["timeout"] == {"default": 7, "max": 7}
    assert body["limits"]["memory"] == {"default": 256 << 20, "max": 300 << 20}
    assert body["python"]["version"] == platform.python_version()
    assert body["planner"] == {"standing": False, "layers": {}}
    assert (body["network"], body["processes"], body["policies"]) == (False, False, ["program", "restricted"])


def test_capabilities_are_true(service: Service) -> None:
    """What it says of the interpreter and the packages, a program finds."""
    body = get(service, "/capabilities")
    ran = service.ran("import platform, sys\nresult = [platform.python_version(), sorted(sys.modules)]")
    assert ran["result"][0] == body["python"]["version"]
    ours = {
        name for name in body["packages"]["preloaded"] if name.split(".")[0] in ("orjson", "sandbox_runtime")
    }
    assert set(body["packages"]["preloaded"]) - ours <= set(ran["result"][1])
    assert ours == set()


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
def test_metrics(service: Service, accept: str) -> None:
    """What is in the control database, whichever process has written it, as the caller wants it."""
    key = VersionKey("c" * 40, accept.rpartition("-")[2].replace("/", "_"), 3)

    async def count() -> None:
        settings = Settings.from_env({"LARS_DATA_ROOT": str(service.log.parent / "data")})
        async with open_control(settings) as control:
            await control.figures.add({key: Tally({"ok": 5}, runs={30: 5})})

    asyncio.run(count())
    with service.client() as client:
        answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(f"{accept}; version=")
    assert f'function="{key.name}",hash="{key.hash}",outcome="ok",version="3"}} 5.0\n' in answer.text
    assert "python_info" not in answer.text


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _schemas(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "schema":
                yield value
            else:
                yield from _schemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from _schemas(value)


def test_openapi_is_valid(service: Service) -> None:
    """Schemas are JSON Schema 2020-12, references lead somewhere, each response is described."""
    document = get(service, "/openapi.json")
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(document["info"])
    for reference in _references(document):
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
    for schema in [*_schemas(document), *document["components"]["schemas"].values()]:
        jsonschema_rs.Draft202012Validator(schema | {"components": document["components"]})
    operations = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    shared = document["components"]["responses"]
    responses = [response for operation in operations for response in operation["responses"].values()]
    responses = [shared[r["$ref"].rpartition("/")[2]] if "$ref" in r else r for r in responses]
    assert all(response["description"] for response in responses)


def test_openapi_has_every_route(service: Service) -> None:
    """And no other."""
    paths = get(service, "/openapi.json")["paths"]
    said = {
        (path, method.upper()) for path, item in paths.items() for method in item if method != "parameters"
    }
    routes = {(route.path, method) for route in OWNED for method in route.methods or () if method != "HEAD"}
    resources = {("/{collection}", method) for method in ("GET", "POST", "PATCH", "DELETE")}
    resources |= {("/{collection}/{id}", method) for method in ("GET", "PUT", "PATCH", "DELETE")}
    assert said == routes | resources


@pytest.mark.parametrize(
    ("path", "fields", "required"),
    [("/execute", FIELDS, "code"), ("/generate-and-execute", GENERATE_FIELDS, "query")],
)
def test_openapi_has_every_field(service: Service, path: str, fields: Fields, required: str) -> None:
    """With this server's ceilings."""
    operation = get(service, "/openapi.json")["paths"][path]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == set(fields)
    assert (schema["required"], schema["additionalProperties"]) == ([required], False)
    assert schema["properties"]["timeout"]["maximum"] == 7
    assert schema["properties"]["cpu_limit"]["maximum"] == 1.5


PROGRAMS = (
    "print(1)\nresult = {'a': 1}",
    "1 / 0",
    "x = (",
    "import os\nos._exit(3)",
    "raise SystemExit('bye')",
    "result = {1}",
    "import os\nos.fork()",
    "while True: pass",
)


@pytest.mark.parametrize("code", PROGRAMS)
def test_replies_match_the_document(service: Service, code: str) -> None:
    """Members and types of the Outcome schema."""
    schema = get(service, "/openapi.json")["components"]["schemas"]["Outcome"]
    body = service.ran(code, timeout=1)
    jsonschema_rs.validate(schema, body)
    assert set(body) == set(schema["properties"])


def schemathesis(service: Service, tmp_path: Path, examples: int, *more: str) -> str:
    """What it prints. Generated requests, and every check but one. That one asks that whatever a schema
    allows is accepted, and no schema can state a ceiling of the text "100m"."""
    outcome = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json", "--no-color"),
            *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
            # Without a language model its only answer is 503; tests/generation has one with.
            *("--exclude-path", "/generate-and-execute"),
            *("--max-examples", str(examples), "--seed", "20", *more),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout[-5000:]
    return outcome.stdout


def test_schemathesis(service: Service, tmp_path: Path) -> None:
    """Of an open service: all operations are tried."""
    said = schemathesis(service, tmp_path, 14)
    paths = get(service, "/openapi.json")["paths"].values()
    operations = sum(method != "parameters" for path in paths for method in path)
    tried = operations - 2  # without what is excluded, and the path that the document itself came from
    assert f"{tried} selected / {tried + 1} total" in said


def test_schemathesis_with_a_key(tmp_path: Path) -> None:
    """Of a service with keys: also that each operation refuses who brings none, or another."""
    with keyed_service(tmp_path) as keyed:
        key = keyed.key(scopes=["admin", "execute", "plans"])
        own = ("--header", f"X-API-Key: {key}", "--include-path-regex", "^/(_/keys|_/plans|execute)")
        said = schemathesis(keyed.service, tmp_path, 14, *own)
    assert "9 selected" in said
