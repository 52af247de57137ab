"""Functions with the signatures that a worker reads from their text, and documents that tell of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import jsonschema_rs
import orjson
from schemathesis.specs.openapi.definitions import OPENAPI_31

from sandbox_runtime.function import Signature
from service.functions.sources import digest_of
from service.functions.table import FunctionTable
from service.functions.values import Function, FunctionSpec
from service.settings import Settings
from service.system.live_document import Frame, LiveDocument, Rendered
from service.system.openapi import document
from tests.sandbox_runtime.functions.loaded import IMPORTS, Mod

HASH = "abcdef1234567890abcdef1234567890abcdef12"
META = jsonschema_rs.Draft202012Validator(OPENAPI_31)
SETTINGS = Settings.from_env({})
Json = dict[str, Any]


def function(text: str, name: str = "f", **members: Any) -> Function:
    """The function ``name`` of a module. ``members`` of its FunctionSpec, by name."""
    signature = Mod(f"{IMPORTS}\n{text}").signature(name)
    return with_signature(signature, name, digest_of(text.encode()), **members)


def with_signature(signature: Signature | str, name: str, digest: str = "0" * 64, **members: Any) -> Function:
    """One of which nothing else is known; a text is JSON."""
    spec = FunctionSpec(**{"hash": HASH, "name": name, "module": "m", "path": f"/own/{name}"} | members)
    text = signature if isinstance(signature, str) else orjson.dumps(asdict(signature)).decode()
    return Function(spec, 1, digest, text, None, True, 0.0, 0.0, 1, "tester")


def table_of(functions: Iterable[Function]) -> FunctionTable:
    table = FunctionTable()
    table.replace(list(functions))
    return table


def frame(security: list[Json] | None = None) -> Frame:
    """Of a service without a key."""
    return Frame("frame", security, lambda: document(SETTINGS))


def text_of(rendered: Rendered) -> bytes:
    body = b"".join(rendered.chunks)
    assert len(body) == rendered.size
    return body


def document_of(*functions: Function, security: list[Json] | None = None) -> Json:
    """The whole document, which is valid."""
    rendered = asyncio.run(LiveDocument().rendered(table_of(functions), frame(security)))
    return check_valid(text_of(rendered))


def check_valid(text: bytes) -> Json:
    """By the meta schema, and where that does not look: members once, references, schemas, identifiers."""
    found = json.loads(text, object_pairs_hook=_once)
    assert isinstance(found, dict)
    META.validate(found)
    for reference in set(references(found)):
        node = found
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
    for schema in schemas(found):
        jsonschema_rs.Draft202012Validator({**schema, "components": found["components"]})
    idents = [each["operationId"] for each in operations(found) if "operationId" in each]
    assert len(idents) == len(set(idents))
    return found


def _once(members: list[tuple[str, Any]]) -> Json:
    assert len(dict(members)) == len(members), [name for name, _ in members]
    return dict(members)


def operations(found: Json) -> Iterator[Json]:
    """All of them."""
    for item in found["paths"].values():
        yield from (each for name, each in item.items() if name != "parameters")


def references(node: Any) -> Iterator[str]:
    """Every one; examples and defaults hold values, not references."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for name, value in node.items():
            if name not in ("example", "default", "enum"):
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def schemas(node: Any) -> Iterator[Json]:
    """Every one that stands somewhere as ``schema``."""
    if isinstance(node, dict):
        if isinstance(node.get("schema"), dict):
            yield node["schema"]
        for value in node.values():
            yield from schemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from schemas(value)
