"""What the document says of one function: true of what its worker accepts, valid whatever the module says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import orjson
import pytest

from sandbox_runtime.function import MAX_PARAMETERS, Parameter, Signature
from service.functions.openapi import MAX_OPERATION, MAX_SIGNATURE, describe, describe_briefly
from service.functions.openapi_schemas import MAX_NODES, Schemas
from service.functions.values import Function
from tests.sandbox_runtime.functions.loaded import IMPORTS, Mod
from tests.service.functions.described import HASH, Json, document_of, function, with_signature

SHOP = '''
class Size(Enum):
    S = "s"
    L = "l"

@dataclass
class Item:
    name: str
    price: Decimal
    parts: "list[Item]"
    size: Size = Size.S

def f(item: Item, count: int, *codes: int, at: datetime | None = None, tags: set[str] = frozenset(),
      mode: Literal["a", 1] = "a", data: bytes = b"", pair: tuple[int, str] = (1, "a"),
      **more: float) -> list[Item]:
    """Price an order.

    Slowly.

    Args:
        item: what is ordered
        count: how often
    """
    return [item]
'''.replace("class Size(Enum)", "from enum import Enum\nclass Size(Enum)")


def only(document: Json, path: str = "/own/f") -> Json:
    """The operation of a path that has one."""
    (operation,) = document["paths"][path].values()
    assert isinstance(operation, dict)
    return operation


def test_an_improvement() -> None:
    """Both methods, each with arguments where it takes them, and tagged; brief where it is too large."""
    members = {"path": "/improved/api/f", "improvement": "api"}
    item = document_of(function(SHOP, **members))["paths"]["/improved/api/f"]
    assert [each["tags"] for each in item.values()] == [["improvement: api", HASH[:12]]] * 2
    assert [each["operationId"] for each in item.values()] == [f"f_{HASH}", f"f_{HASH}_post"]
    names = [each["name"] for each in item["get"]["parameters"]]
    schema = item["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert sorted([*schema["properties"], "more"]) == sorted(names)
    assert ("415" in item["post"]["responses"], "415" in item["get"]["responses"]) == (True, False)
    brief = json.loads(b"{%b}" % describe_briefly(function(SHOP, **members)).path[1:])["/improved/api/f"]
    assert [each["x-cut"] for each in brief.values()] == [True, True]


def test_a_get() -> None:
    """Parameters in the query, as ``docs/function-values.md`` says they are written there."""
    document = document_of(function(SHOP))
    operation = only(document)
    assert (operation["summary"], operation["tags"]) == ("Price an order.", [HASH[:12]])
    assert operation["operationId"] == f"f_{HASH}"
    assert operation["description"] == f"Slowly.\n\n`f` of `{HASH}`"
    given = {each["name"]: each for each in operation["parameters"]}
    item = {"$ref": f"#/components/schemas/{HASH}.f.Item"}
    assert given["item"]["content"]["application/json"]["schema"] == item
    assert (given["item"]["required"], given["item"]["description"]) == (True, "what is ordered")
    assert given["count"] == {
        "name": "count",
        "in": "query",
        "required": True,
        "description": "how often",
        "schema": {"type": "integer"},
        "example": 1,
    }
    assert given["at"]["schema"] == {"type": "string", "format": "date-time"}
    assert "required" not in given["at"]
    for name in ("codes", "tags", "pair"):
        assert (given[name]["style"], given[name]["explode"]) == ("form", True)
    assert given["tags"]["schema"]["default"] == []
    assert given["mode"]["schema"] == {"enum": ["a", 1], "default": "a"}
    assert given["more"]["schema"] == {"type": "object", "additionalProperties": {"type": "number"}}
    returned = operation["responses"]["200"]
    assert returned["content"]["application/json"]["schema"] == {"type": "array", "items": item}
    assert "X-Function-Version" in returned["headers"]
    assert set(operation["responses"]) == {"200", "404", "422", "500", "503", "504"}
    assert document["components"]["schemas"][f"{HASH}.f.Item"]["title"] == "Item"


def test_a_post() -> None:
    """One object; it says what a body may be, and an example of it is accepted."""
    document = document_of(function(SHOP, method="POST"), security=[{"ApiKey": ["functions:call"]}])
    operation = only(document)
    content = operation["requestBody"]["content"]["application/json"]
    schema = content["schema"]
    assert operation["requestBody"]["required"] is True
    assert schema["required"] == ["item", "count"]
    assert schema["additionalProperties"] == {"type": "number"}
    assert "parameters" not in operation
    assert operation["security"] == [{"ApiKey": ["functions:call"]}]
    assert {"400", "401", "403", "413", "415", "429"} < set(operation["responses"])
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
    validator.validate(content["example"])
    assert not validator.is_valid({"item": {}, "count": 1})
    module = Mod(f"{IMPORTS}\n{SHOP}")
    value = module.value(arguments=content["example"])
    assert value[0]["name"] == "text"


def test_no_parameters() -> None:
    for method in ("GET", "POST"):
        operation = only(document_of(function("def f(): ...", method=method)))
        assert {"parameters", "requestBody"}.isdisjoint(operation)
        assert operation["summary"] == f"f of {HASH[:12]}"


ANNOTATIONS = (
    *("int", "float", "bool", "str", "bytes", "Decimal", "date", "datetime", "time", "timedelta", "UUID"),
    *("list[int]", "set[str]", "tuple[int, ...]", "tuple[int, str]", "dict[str, int]", "Any", "list"),
    *(
        "int | None",
        "int | str",
        "list[int] | None",
        "Optional[dict]",
        "Literal[1, 'a', None]",
        "list[list[int]]",
    ),
)


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_examples_are_accepted(annotation: str) -> None:
    """By the schema, and by the function itself: as a member of a body, and as the query string says it."""
    text = f"def f(x: {annotation}): return True"
    module = Mod(f"{IMPORTS}\n{text}")
    content = only(document_of(function(text, method="PUT")))["requestBody"]["content"]["application/json"]
    jsonschema_rs.validate(content["schema"], content["example"])
    assert module.value(arguments=content["example"]) is True
    (given,) = only(document_of(function(text)))["parameters"]
    if "content" in given:
        query: str | list[str] = json.dumps(given["content"]["application/json"]["example"])
    elif given.get("explode"):
        query = [_written(value) for value in given["example"]]
    else:
        query = _written(given["example"])
    assert module.value(x=query) is True


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_definitions_of_functions_do_not_meet() -> None:
    """Classes of one name, in two functions, and in two parameters of one."""
    first = function("@dataclass\nclass A:\n    x: int\ndef f(a: A): ...", "f")
    second = function("@dataclass\nclass A:\n    y: str\ndef g(a: A): ...", "g")
    named_alike: Json = {"A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}}}
    parameters = tuple(
        Parameter(
            name,
            "either",
            {"$ref": "#/$defs/A", "$defs": named_alike | {"B": {"type": kind}}},
            True,
            None,
            "A",
        )
        for name, kind in (("p", "string"), ("q", "integer"), ("r", "string"))
    )
    third = with_signature(Signature(parameters, {}, "", 1, False), "h", method="POST")
    document = document_of(first, second, third)
    known = document["components"]["schemas"]
    assert set(known[f"{HASH}.f.A"]["properties"]) == {"x"}
    assert set(known[f"{HASH}.g.A"]["properties"]) == {"y"}
    body = only(document, "/own/h")["requestBody"]["content"]["application/json"]["schema"]
    p, q, r = (body["properties"][name]["$ref"].rpartition("/")[2] for name in "pqr")
    assert p == r != q
    kinds = [known[known[each]["properties"]["b"]["$ref"].rpartition("/")[2]]["type"] for each in (p, q)]
    assert kinds == ["string", "integer"]


def forged(schema: Any, doc: str = "", name: str = "x", count: int = 1) -> Function:
    """What no honest worker says. Depth and size are what the wire lets through."""
    parameters = tuple(
        Parameter(name if count == 1 else f"{name}{n}", "either", schema, True, None, "")
        for n in range(count)
    )
    return with_signature(Signature(parameters, schema, doc, 1, False), "f", method="POST")


def nested(depth: int) -> Json:
    schema: Json = {"type": "integer"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


CHAIN = {f"D{n}": {"type": "object", "properties": {"x": {"$ref": f"#/$defs/D{n + 1}"}}} for n in range(600)}
HOSTILE: dict[str, Function] = {
    "references to others": forged(
        {
            "anyOf": [
                {"$ref": ref}
                for ref in ("#/components/schemas/Problem", "http://192.0.2.1/x", "#/$defs/none", "#", "", 7)
            ]
        }
    ),
    "identities": forged({"$id": "http://x", "$anchor": "a", "$dynamicRef": "#b", "$schema": "x", "not": {}}),
    "wrong kinds": forged(
        {"type": "x", "enum": [], "required": [1], "items": 3, "anyOf": {}, "properties": [], "minItems": -1}
    ),
    "types": forged({"type": ["string", "string"], "format": 1, "uniqueItems": 1, "prefixItems": []}),
    "deep": forged(nested(200)),
    "many nodes": forged({"anyOf": [{"type": "string"}] * 5000}),
    "a long chain": forged({"$ref": "#/$defs/D0", "$defs": CHAIN}),
    "circular": forged({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}),
    "no end": forged(
        {
            "$ref": "#/$defs/A",
            "$defs": {
                "A": {
                    "type": "object",
                    "properties": {name: {"$ref": "#/$defs/A"} for name in "xyz"},
                    "required": [*"xyz"],
                }
            },
        }
    ),
    "names of definitions": forged({"$ref": "#/$defs/~1/ \n<b>", "$defs": {"~1/ \n<b>": {"type": "string"}}}),
    "names of parameters": forged({}, name='x"}</script>\n\u2028'),
    "many parameters": forged({"type": "string"}, count=MAX_PARAMETERS),
    "a large default": forged({"default": "x" * 20_000}),
    "too much of all": forged({"default": "x" * 90_000}),
    "a long docstring": forged({}, doc="<script>alert(1)</script>\n" + "\x00\x1b" * 1_000_000),
    "no signature": with_signature("[]", "f"),
    "no JSON": with_signature("{", "f"),
    "a lone surrogate": with_signature('{"doc": "\\ud800"}', "f"),
}


OURS = {"Generated", "Outcome", "Problem"}  # schemas that have nothing to do with functions


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_signatures_leave_the_document_valid(case: str) -> None:
    """And small; another function beside it is told as ever."""
    other = function("def g(n: int): ...", "g")
    document = document_of(HOSTILE[case], other)
    assert only(document, "/own/g")["parameters"][0]["name"] == "n"
    assert only(document)["operationId"] == f"f_{HASH}"
    assert describe(HOSTILE[case]).size <= MAX_OPERATION
    own = [name for name in document["components"]["schemas"] if name not in OURS]
    assert all(name.startswith(f"{HASH}.f.") for name in own)
    text = json.dumps(only(document), ensure_ascii=False)
    assert "<script>" not in text.replace(json.dumps('x"}</script>\n\u2028', ensure_ascii=False)[1:-1], "")
    assert "#/components/schemas/Problem" not in json.dumps(only(document).get("requestBody"))


def test_what_is_too_large_is_told_in_brief() -> None:
    """Its path, method and identity stay; exactly the bounds are told in full."""
    cut = only(document_of(HOSTILE["too much of all"]))
    assert cut["x-cut"] is True
    assert {"parameters", "requestBody"}.isdisjoint(cut)
    assert "x-cut" not in only(document_of(HOSTILE["many parameters"]))
    assert len(HOSTILE["too much of all"].signature) > MAX_SIGNATURE
    whole = function("def f(n: int): ...")
    assert describe_briefly(whole).size < describe(whole).size


def test_bounds_of_schemas() -> None:
    """Nodes are counted over all schemas of a function."""
    schemas = Schemas("p")
    schema = {"type": "array", "items": {"type": "string"}}
    found = [schemas.of(schema) for _ in range(MAX_NODES // 2 + 1)]
    assert found[-2:] == [schema, {}]
    assert (
        orjson.dumps(Schemas("p").of({"default": {"$ref": "#/$defs/x"}}))
        == b'{"default":{"$ref":"#/$defs/x"}}'
    )
