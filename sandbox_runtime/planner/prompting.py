"""Prompts: the rules of each task, from a file, and after them what this request adds.

The rules are the same bytes for every request of a task. A changed file has a new number in its name and in
``PROMPT_VERSIONS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from sandbox_runtime.planner.model import Prompt, Role, Schema
from sandbox_runtime.planning import PROMPT_VERSIONS, Ask, Repair
from sandbox_runtime.wire import WireError

FOLDER: Final = Path(__file__).parent / "prompts"
_NOTHING: Final = "(nothing)"  # a turn cannot be empty


# Read with the module: confined, the process can read no file of ours any more.
RULES: Final[Mapping[str, str]] = {
    task: (FOLDER / f"{task}.{version}.txt").read_text("utf-8") for task, version in PROMPT_VERSIONS.items()
}


def prompt_of(ask: Ask) -> Prompt:
    """WireError when what is given is not what the task needs."""
    try:
        turns: list[tuple[Role, str]] = [("user", _WORDS[ask.task](ask.given))]
        rules = RULES[ask.task]
    except (KeyError, TypeError) as error:
        raise WireError(f"ASK: {ask.task}: given: {error!r}") from error
    if ask.repair is not None:
        turns += _repairing(ask.repair)
    return Prompt(rules, tuple(turns))


def schema_of(task: str) -> Schema:
    """The form of the task's reply: flat, all members required, so that every provider can enforce it."""
    members = _MEMBERS[task]
    form = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in members},
        "required": list(members),
        "additionalProperties": False,
    }
    return Schema(task, form)


def cache_key(task: str) -> str:
    """Equal for all prompts that begin alike."""
    return f"lars-{task}-{PROMPT_VERSIONS[task]}"


_MEMBERS: Final = {
    "plan": ("action", "resource", "block"),
    "generate": ("code", "assessment"),
    "review": ("assessment", "code"),
    "improve": ("code", "assessment", "cases"),
}


def _plan(given: Mapping[str, Any]) -> str:
    return f"The shape of the request:\n\n{_json(given['shape'])}\n\nWrite its plan."


def _generate(given: Mapping[str, Any]) -> str:
    facts = {"policy": given["policy"], "types of data": given["data"]}
    return f"{_json(facts)}\n\nThe task:\n\n{given['query']}"


def _review(given: Mapping[str, Any]) -> str:
    findings = given.get("findings") or ""
    found = f"\n\nWhat a static check found:\n\n{findings}" if findings else ""
    return f"{_json({'policy': given['policy']})}{found}\n\nThe program:\n\n{given['code']}"


def _improve(given: Mapping[str, Any]) -> str:
    """The module comes last and as it is, so that nothing in it can pass for another part."""
    facts = {name: given[name] for name in ("function", "goal", "reason", "signature")}
    calls = "\n".join(orjson.dumps(call).decode() for call in given["calls"]) or _NOTHING
    return f"{_json(facts)}\n\ncalls:\n\n{calls}\n\nThe module:\n\n{given['module']}"


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "plan": _plan,
    "generate": _generate,
    "review": _review,
    "improve": _improve,
}


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _repairing(repair: Repair) -> list[tuple[Role, str]]:
    problem = (
        f"This cannot be used:\n\n{repair.problem}\n\nReply again, whole, in the form that is asked for."
    )
    return [("assistant", repair.reply.strip() or _NOTHING), ("user", problem)]
