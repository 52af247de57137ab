"""Constants of a plan that are values of the request it was written for.

A plan answers every request of one shape, so it reads values from ``ctx``. This finds the plan that was
written for one of them: ``store.get(7)`` for ``/members/7``. Against a planner that hides a value it is no
fence; that a planner is never shown a value is.

A request can hold any word, the plan's own too ("not found"): a refusal says something about this plan and
this request, and nothing about the shape.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sandbox_runtime.policy.shape import words
from sandbox_runtime.policy.violation import Violation
from sandbox_runtime.policy.walk import walk

_MIN_TEXT = 3  # characters; shorter words are everywhere
_PATH_PARTS = re.compile(r"[/?&=]")
_MAX_BITS = 2048  # any integer that a double can hold, and far from where int and str become slow
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,599})(\.[0-9]{1,599})?([eE][+-]?[0-9]{1,3})?")

# What a plan says whatever it is asked: the names of ctx, of the reply and of the list envelope.
_PLAN_WORDS = words(
    "method path segments query headers body_json client session id ip token",
    "DELETE GET HEAD OPTIONS PATCH POST PUT",
    "status body items page limit offset total sort fields count",
    "Location ETag Allow Link if-match if-none-match prefer content-type",
    "true false null none all asc desc error detail message code title field",
)
# Counts and page sizes, and the statuses of replies.
_PLAN_NUMBERS = words(
    "0 1 2 10 100",
    "200 201 202 204 206 207 303 304",
    "400 401 403 404 405 409 410 412 413 415 422 428 429",
    "500 501 503 507",
)


@dataclass(frozen=True, slots=True)
class _Values:
    """The request's values. Numbers as text without their sign, which is an operator in a program."""

    texts: frozenset[str]
    numbers: frozenset[str]


def foreign_literals(tree: ast.Module, values: object, vocabulary: Collection[str]) -> Violation | None:
    """The first constant that equals a value of the request and belongs to no plan of its shape.

    ``values`` is JSON: the leaves of it count, the members' names do not. ``vocabulary`` holds the words of
    the shape (resources, fields, operators) and numbers as text; like the words of the runtime's own
    interfaces they may stand in a plan whatever the values are. Texts of fewer than three characters and a
    few everyday numbers are never refused. A text that is a path is also looked at part by part, and one that
    is a number is compared as one. Cost: linear in the values plus the program.
    """
    known = _values(values)
    allowed = vocabulary if isinstance(vocabulary, frozenset) else frozenset(vocabulary)
    found = (
        Violation(place.line, place.byte, "literal", repr(place.node.value))
        for place in walk(tree)
        if isinstance(place.node, ast.Constant) and _is_foreign(place.node.value, known, allowed)
    )
    return min(found, key=lambda violation: violation[:2], default=None)


def _is_foreign(constant: object, values: _Values, vocabulary: frozenset[str]) -> bool:
    if isinstance(constant, str):
        return constant not in vocabulary and any(
            _is_foreign_text(text, values, vocabulary) for text in (constant, *_PATH_PARTS.split(constant))
        )
    number = _spelled(constant)
    return number is not None and _is_foreign_number(number, values, vocabulary)


def _is_foreign_text(text: str, values: _Values, vocabulary: frozenset[str]) -> bool:
    if text in vocabulary or text in _PLAN_WORDS:
        return False
    number = _spelled(_number(text))
    if number is not None:
        return _is_foreign_number(number, values, vocabulary)
    return len(text) >= _MIN_TEXT and text in values.texts


def _is_foreign_number(number: str, values: _Values, vocabulary: frozenset[str]) -> bool:
    return number in values.numbers and number not in _PLAN_NUMBERS and number not in vocabulary


def _values(values: object) -> _Values:
    texts: set[str] = set()
    numbers: set[str] = set()
    for leaf in _leaves(values):
        if isinstance(leaf, str):
            texts.add(leaf)
            leaf = _number(leaf)  # noqa: PLW2901 - the other thing that this leaf is
        number = _spelled(leaf)
        if number is not None:
            numbers.add(number)
    return _Values(frozenset(texts), frozenset(numbers))


def _leaves(values: object) -> Iterator[object]:
    """With no recursion: a body may be nested as deeply as the JSON parser allows."""
    stack = [values]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            stack.extend(value)
        else:
            yield value


def _number(text: str) -> int | float | None:
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    return float(text) if found.group(1) or found.group(2) else int(text)


def _spelled(value: object) -> str | None:
    """One spelling for each number, whatever its type and sign. None for what is no number, or too long.
    True and False are 1 and 0, which every plan may say.

    Not the number itself: the hashes of numbers are public, and a request full of colliding ones would make
    a set of them slow.
    """
    if not isinstance(value, int | float):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return None
    return str(abs(value))
