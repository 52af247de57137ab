"""A plan: a program over ``ctx`` that answers every request of one shape, and what is to be known about it.

``Planner`` is the one interface, for the built-in planner and for a model behind the network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import orjson

from service.rest.shape import Shape

LANGUAGE = "python"
MAX_BLOCK = 64 * 1024  # characters of a program; a longer one is not admitted
_MEMBERS = frozenset(("action", "resource", "identifier", "criteria", "payload", "response_hints", "code"))


class NotExpressible(Exception):
    """No plan for this shape. ``missing``: what would have to be known or decided to make one."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"the built-in planner has no rule for {missing}; a language model, where one is set, plans it"
        )
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Plan:
    """``block`` sets REPLY. ``identifier``, ``criteria`` and ``payload`` say where in ctx a value stands
    (``segments[1]``, ``query.name``), never the value. ``resource``: the collection behind ``store``, "" when
    there is none.

    ``response_hints`` the caller obeys:
      transaction  read | write | rollback (rolled back whatever the reply: a dry run)
      body         false: the reply's body is only measured (HEAD)
      links        absolute: the relative references in Link are to be completed with the request's URL
      delay        where in ctx the milliseconds stand that the answer is to be held back
    """

    action: str
    resource: str
    block: str
    identifier: str | None = None
    criteria: Mapping[str, str] = field(default_factory=dict)
    payload: str | None = None
    response_hints: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The plan as an object: seven members, the program in code.block."""
        return {
            "action": self.action,
            "resource": self.resource,
            "identifier": self.identifier,
            "criteria": dict(self.criteria),
            "payload": self.payload,
            "response_hints": dict(self.response_hints),
            "code": {"language": LANGUAGE, "block": self.block},
        }

    @classmethod
    def from_json(cls, value: object) -> Plan:
        """From what ``as_json`` gives, whoever wrote it. ValueError, naming the member, for anything else."""
        members = _object(value, "plan")
        unknown = set(members) - _MEMBERS
        if unknown:
            raise ValueError(f"plan: unknown member {min(unknown)[:50]!r}")
        code = _object(members.get("code"), "code")
        if code.get("language") != LANGUAGE:
            raise ValueError(f"code.language: expected {LANGUAGE}")
        criteria = _object(members.get("criteria", {}), "criteria")
        return cls(
            action=_text(members.get("action"), "action"),
            resource=_text(members.get("resource"), "resource"),
            block=_text(code.get("block"), "code.block"),
            identifier=_text_or_none(members.get("identifier"), "identifier"),
            criteria={name: _text(where, f"criteria.{name}") for name, where in criteria.items()},
            payload=_text_or_none(members.get("payload"), "payload"),
            response_hints=_object(members.get("response_hints", {}), "response_hints"),
        )

    def digest(self) -> str:
        """SHA-256 of the plan, as 64 hexadecimal digits: equal programs under equal hints are one plan."""
        return hashlib.sha256(orjson.dumps(self.as_json(), option=orjson.OPT_SORT_KEYS)).hexdigest()


class Planner(Protocol):
    """Shape in, plan out: the same shape gives an equivalent plan, whatever the values.

    ``version`` becomes part of every key. ``body_depth``: how many levels of the body's types it looks at;
    the fewer, the more requests share a plan. ``source``: what callers are told of where a plan came from.
    ``sees_values``: whether it may know more of a request than its shape; its programs are then searched for
    the request's values.
    """

    version: str
    body_depth: int
    source: Literal["builtin", "llm"]
    sees_values: bool

    async def make(self, shape: Shape) -> Plan:
        """NotExpressible when it has no rule; a LarsError when no plan could ever serve such a request."""


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name}: expected an object")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a string")
    return value


def _text_or_none(value: object, name: str) -> str | None:
    return None if value is None else _text(value, name)
