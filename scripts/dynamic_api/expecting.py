"""What a check expects of a reply: members by dotted path, headers, predicates. Pure."""

from __future__ import annotations

from collections.abc import Callable

from scripts.test_api import Expected, is_text

Members = dict[str, Expected]
Predicate = Callable[[object], bool]


def refused_as(code: str) -> Members:
    """A problem with this code, and a sentence."""
    return {"code": code, "error": is_text}


def refused_for(field: str) -> Members:
    """A refusal that names this argument, and no other."""

    def holds(value: object) -> bool:
        return isinstance(value, list) and [error.get("field") for error in value] == [field]

    return refused_as("validation_failed") | {"errors": holds}


def of_version(number: int) -> dict[str, str]:
    """The header that says which version has answered."""
    return {"X-Function-Version": str(number)}


def mentions_all(words: tuple[str, ...]) -> Predicate:
    """A text that has every one of ``words``."""

    def holds(value: object) -> bool:
        return isinstance(value, str) and all(word in value for word in words)

    return holds


def are(names: list[str]) -> Predicate:
    """Functions of these names, in this order."""
    return lambda value: isinstance(value, list) and [one.get("function_name") for one in value] == names


def numbered(numbers: list[int]) -> Predicate:
    """Versions of these numbers, in this order."""
    return lambda value: isinstance(value, list) and [one.get("version") for one in value] == numbers


def has(name: str) -> Predicate:
    """An object with this member."""
    return lambda value: isinstance(value, dict) and name in value


def has_not(name: str) -> Predicate:
    """An object without it, but with others."""
    return lambda value: isinstance(value, dict) and value != {} and name not in value


def is_null(value: object) -> bool:
    """Whether it is null."""
    return value is None
