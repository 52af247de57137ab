"""The document of a session: valid by the standard, true of what the session answers, bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.specs.openapi.definitions import OPENAPI_31

from sandbox_runtime.store import errors as of_store
from sandbox_runtime.store import limits
from sandbox_runtime.store.database import SessionDatabase
from service.errors import KINDS
from service.rest.openapi import MAX_COLLECTIONS, MAX_RELATIONS, session_openapi
from service.rest.openapi_learned import LEARNED_ITEMS, component, component_name
from service.rest.openapi_parts import PROBLEMS
from service.rest.shape import path_template
from tests.service.rest.sessions import Session

URL = "http://127.0.0.1:8000"
META = jsonschema_rs.Draft202012Validator(OPENAPI_31)
METHODS = frozenset(("get", "head", "post", "put", "patch", "delete", "options"))
Json = dict[str, Any]


def known(database: SessionDatabase) -> dict[str, Json]:
    """What the document is made of, from a real store."""
    database.begin(write=False)
    store = database.session_store
    rows = {name: store.collection(name).describe() for name in store.names()}
    database.rollback()
    wanted = ("records", "complete", "fields", "example")
    return {
        name: {key: row[key] for key in wanted} | {"next_id": row["auto_id"]} for name, row in rows.items()
    }


def validator(document: Json, schema: Json) -> jsonschema_rs.Validator:
    """Of a schema that refers to the document's."""
    return jsonschema_rs.Draft202012Validator(
        {"allOf": [schema], "components": {"schemas": document["components"]["schemas"]}}
    )


def resolved(document: Json, node: Json) -> Json:
    """What a node is, or refers to."""
    while "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def references(node: Any) -> Iterator[str]:
    """Every reference; a member of a record may be called $ref, too, but is no text then."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Path, method in lower case, operation."""
    for path, item in document["paths"].items():
        for method in METHODS & set(item):
            yield path, method, item[method]


def check_valid(document: Json) -> None:
    """By the meta schema, and where that does not look: references, schemas, names, path parameters."""
    META.validate(document)
    without_values = document | {"components": document["components"] | {"examples": {}}}
    for reference in set(references(without_values)):
        resolved(document, {"$ref": reference})
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        validator(document, schema)
    for part in document["components"].values():
        assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in part)
    idents = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(idents) == len(set(idents))
    for path, item in document["paths"].items():
        given_names = [resolved(document, parameter) for parameter in item["parameters"]]
        in_path = {each["name"] for each in given_names if each["in"] == "path"}
        assert set(re.findall(r"\{([^{}]*)\}", path)) == in_path
        assert re.fullmatch(r"(/([A-Za-z0-9._~%-]+|\{\w+\}))+|/", path)


def fill(session: Session) -> None:
    """Projects with tasks, of which one is odd."""
    session.send("POST", "/projects", [{"name": "a", "tags": ["x", None]}, {"name": "b"}])
    session.send("POST", "/projects/1/tasks", {"title": "t", "size": {"w": 1, "h": 2.5}})
    session.send("POST", "/tasks", {"title": 3, "size": {"w": "wide"}})


@pytest.fixture
def shop(session: Session) -> Session:
    """A session with something in it."""
    fill(session)
    return session


def test_types_seen(shop: Session) -> None:
    """With counts and ratios; nested members count within their object."""
    schemas = session_openapi(known(shop.database), URL)["components"]["schemas"]
    assert schemas["members.projects"] == {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "x-seen-counts": {"integer": 2}, "x-required-ratio": 1.0},
            "name": {"type": "string", "x-seen-counts": {"string": 2}, "x-required-ratio": 1.0},
            "tags": {
                "type": "array",
                "x-seen-counts": {"array": 1},
                "x-required-ratio": 0.5,
                "items": {"type": ["null", "string"], "x-seen-counts": {"null": 1, "string": 1}},
            },
        },
    }
    assert schemas["record.projects"] == {
        "title": "projects",
        "allOf": [{"$ref": "#/components/schemas/members.projects"}],
        "required": ["id", "name"],
        "x-records-seen": 2,
        "x-next-id": 3,
        "x-complete": True,
    }
    assert schemas["new.projects"] == {
        "allOf": [{"$ref": "#/components/schemas/members.projects"}],
        "required": ["name"],
    }
    assert schemas["members.tasks"]["properties"]["title"]["type"] == ["integer", "string"]
    size = schemas["members.tasks"]["properties"]["size"]
    assert size["required"] == ["w"]
    assert size["properties"]["h"] == {
        "type": "number",
        "x-seen-counts": {"number": 1},
        "x-required-ratio": 0.5,
    }


def test_paths_and_methods(shop: Session) -> None:
    """Each collection's own, and below a parent that its records point to."""
    paths = session_openapi(known(shop.database), URL)["paths"]
    collection = {"get", "head", "post", "patch", "delete", "options"}
    item = {"get", "head", "put", "patch", "delete", "options"}
    search = {"get", "head", "post", "options"}
    assert {path: METHODS & set(paths[path]) for path in paths} == {
        "/": {"get", "head", "options"},
        "/projects": collection,
        "/projects/search": search,
        "/projects/{id}": item,
        "/tasks": collection,
        "/tasks/search": search,
        "/tasks/{id}": item,
        "/projects/{parentId}/tasks": collection,
        "/projects/{parentId}/tasks/search": search,
        "/projects/{parentId}/tasks/{id}": item,
    }


def test_parameters(shop: Session) -> None:
    """What each method takes beside its path."""
    document = session_openapi(known(shop.database), URL)
    names = {
        (path, method): {resolved(document, each)["name"] for each in operation.get("parameters", ())}
        for path, method, operation in operations(document)
    }
    conditions = {"If-Match", "If-None-Match"}
    listing = {"limit", "offset", "sort", "q", "fields", "_embed", "_expand", "filters", "Prefer"}
    assert names["/tasks", "get"] == names["/tasks/search", "head"] == listing | conditions
    assert names["/projects/{parentId}/tasks", "get"] == listing
    assert names["/tasks/{id}", "get"] == {"fields", "_embed", "_expand", "Prefer"} | conditions
    assert names["/tasks", "post"] == {"_embed", "Idempotency-Key", "Prefer"} | conditions
    assert names["/tasks/{id}", "patch"] == {"Idempotency-Key", "Prefer"} | conditions
    assert names["/tasks/{id}", "put"] == {"Prefer"} | conditions
    assert names["/tasks/{id}", "delete"] == {"cascade", "Prefer"} | conditions
    assert names["/tasks", "delete"] == {"all", "cascade", "filters", "Prefer"} | conditions
    assert names["/tasks", "patch"] == {"all", "filters", "Idempotency-Key", "Prefer"} | conditions
    assert names["/tasks/search", "post"] == listing - {"filters"}
    assert names["/tasks", "options"] == set()
    shared = document["paths"]["/projects/{parentId}/tasks/{id}"]["parameters"]
    assert [resolved(document, each)["name"] for each in shared] == ["X-Session-ID", "parentId", "id"]


VALUES = {
    "limit": "1",
    "offset": "1",
    "sort": "-id",
    "q": "t",
    "fields": "id",
    "_embed": "tasks",
    "_expand": "project",
    "all": "true",
    "cascade": "false",
    "filters": "9",
}
BODIES = {
    "new": {"title": "new"},
    "whole": {"title": "whole"},
    "changes": {"title": "changed"},
    "filters": {},
}


def requests(document: Json) -> Iterator[tuple[str, str, Json, str]]:
    """Every operation, alone and with each of its query parameters: path, method, operation, query."""
    for path, method, operation in operations(document):
        bulk = "requestBody" in operation or method == "delete"
        always = ["all=true"] if bulk and resolves_all(document, operation) else []
        yield path, method, operation, "&".join(always)
        for reference in operation.get("parameters", ()):
            name = reference["$ref"].split("/")[-1]
            if name in VALUES and [f"{name}={VALUES[name]}"] != always:
                parameter = "id__ne" if name == "filters" else name
                yield path, method, operation, "&".join([*always, f"{parameter}={VALUES[name]}"])


def resolves_all(document: Json, operation: Json) -> bool:
    """Whether the operation takes all=true, without which it refuses."""
    return any(resolved(document, each)["name"] == "all" for each in operation["parameters"])


def test_every_operation_is_served(tmp_path: Path) -> None:
    """As documented: no parameter is unknown, each answer has a status and a body that the document gives."""
    with closing(Session(tmp_path)) as session:
        fill(session)
        document = session_openapi(known(session.database), URL)
    cases = list(requests(document))
    for at, (path, method, operation, query) in enumerate(cases):
        (tmp_path / str(at)).mkdir()
        with closing(Session(tmp_path / str(at))) as session:
            fill(session)
            body = None
            if "requestBody" in operation:
                body = BODIES[operation["requestBody"]["$ref"].split("/")[-1].split(".")[0]]
            target = path.replace("{parentId}", "1").replace("{id}", "1")
            reply = session.send(method.upper(), f"{target}?{query}", body)
            now = session_openapi(known(session.database), URL)
        assert reply.status < 300, (method, target, query, reply)
        assert "Warning" not in reply.headers, (method, target, query, reply)
        response = resolved(now, operation["responses"][str(reply.status)])
        assert (reply.body is None) == ("content" not in response), (method, target, query, reply)
        # With fields a record is not whole.
        if reply.body is not None and "fields=" not in query:
            validator(now, response["content"]["application/json"]["schema"]).validate(reply.body)
    assert len(cases) > 150


@pytest.mark.parametrize(
    ("request_line", "sent", "status"),
    [
        ("GET /tasks/99", None, 404),
        ("GET /tasks?limit=x", None, 400),
        ("POST /tasks", {"id": 1}, 409),
        ("POST /tasks", {"id": True}, 422),
        ("POST /tasks", b"{", 400),
        ("PUT /tasks/99", {}, 404),
        ("DELETE /tasks", None, 400),
        ("GET /projects/99/tasks", None, 404),
        ("GET /projects/2/tasks/1", None, 404),
    ],
)
def test_refusals_are_documented(shop: Session, request_line: str, sent: object, status: int) -> None:
    """By status; the front makes a problem of each."""
    document = session_openapi(known(shop.database), URL)
    method, target = request_line.split(" ")
    assert shop.send(method, target, sent).status == status
    assert list(documented(document, method, target, status)["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(
    ("request_line", "sent", "headers", "status"),
    [
        ("GET /tasks/1", None, {"If-None-Match": "*"}, 304),
        ("HEAD /tasks/1", None, {"If-None-Match": "*"}, 304),
        ("GET /tasks", None, {"If-None-Match": "*"}, 304),
        ("GET /tasks/search", None, {"If-None-Match": "*"}, 304),
        ("GET /projects/1/tasks/1", None, {"If-None-Match": "*"}, 304),
        ("GET /projects/1/tasks", None, {"If-None-Match": "*"}, 200),
        ("GET /projects/1/tasks", None, {"If-Match": '"other"'}, 200),
        ("GET /tasks", None, {"If-Match": '"other"'}, 412),
        ("POST /tasks", {}, {"If-Match": '"other"'}, 412),
        ("POST /projects/1/tasks", {}, {"If-Match": '"other"'}, 412),
        ("PUT /tasks/1", {}, {"If-None-Match": "*"}, 412),
        ("PATCH /tasks/1", {}, {"If-Match": '"other"'}, 412),
        ("DELETE /tasks/1", None, {"If-Match": '"other"'}, 412),
        ("POST /tasks", {}, {"Prefer": "return=minimal"}, 201),
        ("PUT /tasks/1", {}, {"Prefer": "return=minimal"}, 204),
        ("PATCH /tasks/1", {}, {"Prefer": "return=minimal"}, 204),
        ("PATCH /tasks", {}, {"Prefer": "return=minimal, max-affected=9"}, 204),
        ("DELETE /tasks", None, {"Prefer": "return=minimal, max-affected=9"}, 204),
        ("DELETE /tasks/1", None, {"Prefer": "return=representation"}, 200),
    ],
)
def test_conditions_and_preferences_are_documented(
    shop: Session, request_line: str, sent: object, headers: dict[str, str], status: int
) -> None:
    """A status that they lead to is in the document; one that a condition cannot lead to is not."""
    document = session_openapi(known(shop.database), URL)
    method, target = request_line.split(" ")
    assert shop.send(method, target, sent, headers).status == status
    response = documented(document, method, target, status)
    if status == 304:
        assert "content" not in response
    if target == "/projects/1/tasks" and method == "GET":
        responses = document["paths"]["/projects/{parentId}/tasks"]["get"]["responses"]
        assert {"304", "412"}.isdisjoint(responses)


def documented(document: Json, method: str, target: str, status: int) -> Json:
    """The response of a request to one of the fill's paths."""
    path = target.partition("?")[0]
    path = re.sub(r"/projects/\d+/tasks", "/projects/{parentId}/tasks", path)
    path = re.sub(r"/\d+$", "/{id}", path)
    return resolved(document, document["paths"][path][method.lower()]["responses"][str(status)])


def test_every_operation_has_problems(shop: Session) -> None:
    """At least one 4xx, and a default for the rest, all of one media type; their codes exist."""
    document = session_openapi(known(shop.database), URL)
    for _, _, operation in operations(document):
        problems = {status for status in operation["responses"] if status == "default" or status >= "400"}
        assert {"400", "default"} <= problems
        for status in problems:
            content = resolved(document, operation["responses"][status])["content"]
            assert list(content) == ["application/problem+json"]
    assert "304" not in document["paths"]["/"]["head"]["responses"]
    store = {
        kind.code for kind in vars(of_store).values() if isinstance(kind, type) and hasattr(kind, "code")
    }
    service = {kind.code for kind in KINDS.values()}
    named = {code for codes in PROBLEMS.values() for code in codes.split(", ")}
    assert named <= store | service | {"idempotency_key_reused"}  # which the worker alone can find


# Names that are special to JSON Schema, to path templates or to URLs, and any others.
NAMES = st.one_of(
    st.sampled_from(
        ["$ref", "$id", "id", "{id}", "a/b", "search", "%7B", "a.b", "a_b", "..", "~1", "ü", "projectId"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=12), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=20,
)
RECORDS = st.dictionaries(NAMES.filter(lambda name: name != "id"), TREES, max_size=6)


@given(st.dictionaries(NAMES, st.lists(RECORDS, min_size=1, max_size=4), max_size=4))
def test_whatever_was_learned(content: Mapping[str, list[Json]]) -> None:
    """The document is valid and the same however it is asked for; all records and examples are of its
    schemas; names can be told from it; a collection has paths exactly when a path can name it."""
    with (
        TemporaryDirectory() as place,
        closing(SessionDatabase(f"{place}/data.db", full_sync=False)) as database,
    ):
        with database.transaction() as store:
            records = {name: store.collection(name).insert_many(rows) for name, rows in content.items()}
            for name in content:
                changed = store.collection(name).update(1, {"changed": True})
                assert changed is not None
                records[name][0] = changed
        collections = known(database)
    document = session_openapi(collections, URL)
    check_valid(document)
    backwards = dict(reversed(collections.items()))
    assert json.dumps(session_openapi(backwards, URL)) == json.dumps(document)
    examples = document["components"]["examples"]
    for name, rows in records.items():
        code = component(name)
        assert component_name(code) == name
        assert document["components"]["schemas"][f"record.{code}"]["title"] == name
        record = validator(document, {"$ref": f"#/components/schemas/record.{code}"})
        new = validator(document, {"$ref": f"#/components/schemas/new.{code}"})
        for row in rows:
            record.validate(row)
        record.validate(examples[f"record.{code}"]["value"])
        new.validate(examples[f"new.{code}"]["value"])
    tags = {tag for _, _, operation in operations(document) for tag in operation.get("tags", ())}
    assert tags == {name for name in content if nameable(name)}


def nameable(name: str) -> bool:
    """Whether a path can name the collection."""
    try:
        path_template((name,))
    except Exception:  # noqa: BLE001 - whatever it is, no path
        return False
    return True


@given(NAMES, NAMES)
def test_codes_do_not_collide(one: str, other: str) -> None:
    """Different names have different codes, and no code holds what joins two."""
    assert (component(one) == component(other)) == (one == other)
    assert component_name(component(one)) == one
    assert ".." not in component(one)


def test_codes() -> None:
    """Readable where they can be."""
    assert component("user_profiles-2") == "user_profiles-2"
    assert component("a.b {ü}") == "a.2Eb.20.7B.C3.BC.7D"


def test_relations(session: Session) -> None:
    """Either spelling of the key; only ids count, and only of collections that are there."""
    session.send("POST", "/projects", {"id": "p"})
    session.send("POST", "/tasks", {"project_id": "p", "userId": 1})
    session.send("POST", "/notes", {"projectId": {"no": "id"}})
    session.send("POST", "/categories", {"categoryId": 1})
    paths = session_openapi(known(session.database), URL)["paths"]
    assert {path for path in paths if "{parentId}" in path and path.endswith("s")} == {
        "/projects/{parentId}/tasks",
        "/categories/{parentId}/categories",
    }


def test_items_that_were_not_looked_at(session: Session) -> None:
    """Of long arrays the store has seen the beginning only: a hint, no rule."""
    assert LEARNED_ITEMS == limits.MAX_LEARNED_ITEMS
    long = {"many": [1] * LEARNED_ITEMS + ["text"], "few": [1]}
    session.send("POST", "/lists", long)
    document = session_openapi(known(session.database), URL)
    properties = document["components"]["schemas"]["members.lists"]["properties"]
    items = {"type": "integer", "x-seen-counts": {"integer": 8}}
    assert properties["many"]["items"] == {"anyOf": [items, {}]}
    assert properties["few"]["items"] == {"type": "integer", "x-seen-counts": {"integer": 1}}
    validator(document, {"$ref": "#/components/schemas/record.lists"}).validate({"id": 1, **long})


def test_a_ratio_that_is_only_nearly_one() -> None:
    """Is rounded to one in what was learned; the counts tell."""
    fields = {
        "id": {"types": {"integer": 9_999_999}, "required": 1.0},
        "a": {"types": {"string": 9_999_998}, "required": 1.0},
    }
    learned = {"records": 9_999_999, "next_id": 1, "complete": True, "fields": fields, "example": None}
    document = session_openapi({"big": learned}, URL)
    assert document["components"]["schemas"]["record.big"]["required"] == ["id"]


def test_an_empty_session() -> None:
    """Has the root, and says how to begin."""
    document = session_openapi({}, URL)
    check_valid(document)
    assert list(document["paths"]) == ["/"]
    assert document["servers"] == [{"url": URL}]
    assert session_openapi({}, "http://[::1]/{x}")["servers"] == [{"url": "http://[::1]/%7Bx%7D"}]


def test_paths_of_others_are_left_out(session: Session) -> None:
    """The collection's other paths stay."""
    session.send("POST", "/health", {})
    collections = known(session.database)
    assert "/health" in session_openapi(collections, URL)["paths"]
    paths = session_openapi(collections, URL, taken={"/health"})["paths"]
    assert set(paths) == {"/", "/health/search", "/health/{id}"}


def collection_of(fields: Mapping[str, Json], example: object = None) -> Json:
    """As one write would have taught it."""
    return {"records": 1, "next_id": 2, "complete": True, "fields": fields, "example": example}


def one_of(kind: str) -> Json:
    """A member that was seen once."""
    return {"types": {kind: 1}, "required": 1.0}


LONG = "\U0001d49c" * 125
LARGEST = {
    "many fields": {
        f"c{number}": collection_of({f"{field}{'x' * 120}": one_of("string") for field in range(400)})
        for number in range(MAX_COLLECTIONS)
    },
    "long names": {f"{number:03}{LONG}": collection_of({}) for number in range(MAX_COLLECTIONS)},
    "all related": {
        f"c{number}s": collection_of({f"c{other}Id": one_of("integer") for other in range(MAX_COLLECTIONS)})
        for number in range(MAX_COLLECTIONS)
    },
    "too many": {f"c{number}": collection_of({}, {"t": "x" * 2000}) for number in range(2 * MAX_COLLECTIONS)},
}


@pytest.mark.parametrize("name", LARGEST)
def test_bounded(name: str) -> None:
    """Valid, of at most 10 MB, and what is left out is counted."""
    collections = LARGEST[name]
    document = session_openapi(collections, URL)
    assert len(json.dumps(document)) < 10_000_000
    META.validate(document)
    shown = [part for part in document["components"]["schemas"] if part.startswith("record.")]
    left_out = document["x-left-out"]
    assert left_out["collections"] == len(collections) - len(shown)
    nested = [path for path in document["paths"] if path.count("{") == 1 and "{parentId}" in path]
    if name == "many fields":
        schemas = document["components"]["schemas"]
        assert schemas["record.c0"]["x-complete"] is False
        assert 20 < len(schemas["members.c0"]["properties"]) < 400
    if name == "long names":
        assert 20 < len(shown) < MAX_COLLECTIONS
    if name == "all related":
        assert len(nested) == 2 * MAX_RELATIONS
        assert left_out["relations"] == MAX_COLLECTIONS**2 - MAX_RELATIONS
    if name == "too many":
        assert left_out == {"collections": MAX_COLLECTIONS, "relations": 0}
