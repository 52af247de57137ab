# ruff: noqa: E501 - a program of one line stays one line
"""What is told of a function, and how a call fills its parameters."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sandbox_runtime.function import NO_FUNCTION, Inspection, Outcome, Parameter
from tests.sandbox_runtime.functions.loaded import Mod

KINDS = """
def f(a, b: int = 2, /, c: "list[int]" = (), *rest: float, d: bool, e: str | None = None, **more: int):
    '''What it does.

    And how.
    '''
    return [a, b, c, rest, d, e, more]
"""
INT = {"type": "integer"}


def test_a_signature_tells_of_each_parameter() -> None:
    found = Mod(KINDS).signature()
    text_or_null = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert found.parameters == (
        Parameter("a", "positional", {}, True, None, ""),
        Parameter("b", "positional", {**INT, "default": 2}, False, 2, "int"),
        Parameter("c", "either", {"type": "array", "items": INT, "default": []}, False, [], "list[int]"),
        Parameter("rest", "varargs", {"type": "array", "items": {"type": "number"}}, False, None, "float"),
        Parameter("d", "keyword", {"type": "boolean"}, True, None, "bool"),
        Parameter("e", "keyword", {**text_or_null, "default": None}, False, None, "str | None"),
        Parameter("more", "varkwargs", {"type": "object", "additionalProperties": INT}, False, None, "int"),
    )
    assert (found.returns, found.doc, found.line, found.is_async) == (
        {},
        "What it does.\n\nAnd how.",
        2,
        False,
    )


def test_an_inspection_crosses_the_wire() -> None:
    found = Mod(KINDS).inspect()
    assert Inspection.from_wire(orjson.loads(orjson.dumps(found))) == found


@pytest.mark.parametrize(
    ("arguments", "query", "value"),
    [
        ({"a": 1, "d": True}, {}, [1, 2, [], [], True, None, {}]),
        ({"a": 1, "d": True, "rest": [1, 2.5]}, {}, [1, 2, [], [1.0, 2.5], True, None, {}]),
        ({"a": 1, "d": True, "z": 3, "y": 4}, {}, [1, 2, [], [], True, None, {"z": 3, "y": 4}]),
        (None, {"a": "1", "d": "1", "c": ["3", "4"]}, ["1", 2, [3, 4], [], True, None, {}]),
        (None, {"a": "1", "d": "0", "rest": "5", "z": "6"}, ["1", 2, [], [5.0], False, None, {"z": 6}]),
        ({"a": None}, {"d": "true"}, [None, 2, [], [], True, None, {}]),
        (b'{"a": 1208925819614629174706177, "d": true}', {}, [2**80 + 1, 2, [], [], True, None, {}]),
    ],
)
def test_arguments_come_to_their_parameters(arguments: Any, query: Any, value: Any) -> None:
    assert Mod(KINDS).value("f", arguments, **query) == value


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = Mod(KINDS).wrong({"b": "x", "c": [1, "2", None], "d": 1, "z": "9"}, b="1")
    assert wrong == [
        ("b", "comes twice", "one value: in the query string or in the body"),
        ("a", "is missing", "any JSON value"),
        ("b", "does not fit", "an integer"),
        ("c[1]", "does not fit", "an integer"),
        ("c[2]", "does not fit", "an integer"),
        ("d", "does not fit", "true or false"),
        ("more.z", "does not fit", "an integer"),
    ]


def test_a_name_that_is_none_is_answered_with_one_that_is_near() -> None:
    module = Mod("def f(amount: int, price: float = 1): ...")
    assert module.wrong({"amuont": 1}) == [
        ("amount", "is missing", "an integer"),
        ("amuont", "is no parameter", "amount?"),
    ]
    assert module.wrong({"amount": 1, "zzz": 1}) == [("zzz", "is no parameter", "one of amount, price")]
    assert Mod("def f(): ...").wrong({"x": 1}) == [("x", "is no parameter", "nothing")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[1]", "is no object"),
        (b'{"x": NaN}', "is not read: NaN is no JSON"),
        (b'{"x": 1', "is not read: "),
        (b'{"x": "\xff"}', "is not read: 'utf-8' codec"),
        (b"null", "is no object"),
        (b"[" * 100_000 + b"]" * 100_000, "is nested too deeply"),
        (b'{"x": ' + b"9" * 5000 + b"}", "is not read: Exceeds the limit (4300 digits)"),
    ],
)
def test_a_body_that_is_no_object_is_the_callers_fault(body: bytes, message: str) -> None:
    [(name, said, _)] = Mod("def f(x: int): ...").wrong(body)
    assert (name, said[: len(message)]) == ("body", message)


def test_half_of_a_surrogate_pair_is_told_of_as_an_escape() -> None:
    module = Mod("def f(x: int, **more: int): ...")
    wrong = module.wrong(b'{"x": "\\ud800", "\\ud801": "a"}')
    assert [name for name, _, _ in wrong] == ["x", "more.\\ud801"]
    _, outcome = module.call("f", b'{"x": "\\ud800", "\\ud801": "a"}')
    assert Outcome.from_wire(orjson.loads(orjson.dumps(outcome))) == outcome


def test_what_came_is_shown_shortened() -> None:
    _, outcome = Mod("def f(x: int): ...").call("f", {"x": "a" * 10_000})
    assert outcome.wrong[0].got is not None
    assert len(outcome.wrong[0].got) <= 110


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("class A: ...\ndef f(x: A): ...", "x"),
        ("def f(a, x: 'no_such'): ...", "x"),
        ("def f(**x: open): ...", "x"),
    ],
)
def test_a_parameter_that_json_cannot_fill_is_named(text: str, parameter: str) -> None:
    found = Mod(text).inspect()
    assert found.error is not None
    assert (found.error.type, found.error.parameter) == ("SignatureError", parameter)


def test_functions_are_those_that_the_module_defines() -> None:
    text = (
        "from math import sqrt\nfrom functools import lru_cache, wraps\nimport textwrap\nfrom textwrap import dedent\n"
        "class C: ...\nvalue = 1\n_private = lambda: 1\ndef f(): ...\nalias = f\n@lru_cache\ndef kept(x: int): return x\n"
        "def twice(g):\n    @wraps(g)\n    def inner(*a): return g(*a) * 2\n    return inner\n"
        "@twice\ndef doubled(x: int): return x\n"
    )
    module = Mod(text)
    names = module.inspect("sqrt").names
    assert names == ("f", "alias", "kept", "twice", "doubled")
    for name in ("sqrt", "dedent", "C", "value", "_private", "none", "__init__"):
        assert module.fault(name).type == NO_FUNCTION
    assert (module.value("kept", {"x": 1}), module.value("doubled", {"x": 2})) == (1, 4)
    assert module.signature("doubled").parameters[0].schema == INT


def test_dataclasses_are_made_where_annotations_are_texts() -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\nfrom typing import ClassVar\n"
        "@dataclass(frozen=True)\nclass Node:\n    kinds: ClassVar[int] = 1\n    value: int\n"
        "    below: list[Node] = field(default_factory=list)\n"
        "def f(node: Node | None = None) -> Node: return node\n"
    )
    module = Mod(text)
    value = {"value": 1, "below": [{"value": 2, "below": []}]}
    assert module.value("f", {"node": value}) == value
    assert module.signature().returns["$ref"] == "#/$defs/Node"


def test_a_class_may_refuse_what_it_is_made_of() -> None:
    text = (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n    def __post_init__(self):\n"
        "        if self.x < 0: raise ValueError('x is below 0')\n        if self.x > 9: raise KeyboardInterrupt\n"
        "def f(a: A): return a.x\n"
    )
    module = Mod(text)
    assert module.wrong({"a": {"x": -1}}) == [("a", "ValueError: x is below 0", "an object (A)")]
    assert module.fault("f", {"a": {"x": 10}}).type == "KeyboardInterrupt"
    assert module.value("f", {"a": {"x": 3}}) == 3
