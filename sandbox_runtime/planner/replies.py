"""From what a model wrote to the output of a task. Text work only: nothing is parsed as Python, nothing run.

In this order: the whole text as JSON, a fence that holds JSON, JSON within prose; then code in a fence, and
text that is code itself. A plan may have its program as ``block``, as ``code``, or as ``code.block``, and an
improvement its cases as an array or as the text of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from sandbox_runtime.planner import fences
from sandbox_runtime.planner.cases import cases_of, exact
from sandbox_runtime.planning import MAX_CODE, Task

MAX_REPLY: Final = MAX_CODE + 64 * 1024  # characters that are looked at
MAX_SHOWN: Final = 64 * 1024  # bytes of a reply that could not be used
_MAX_ASSESSMENT: Final = 8_000
_MAX_NAME: Final = 200
_MAX_STEPS: Final = 50_000  # braces and strings that are looked at for an object within prose
_MAX_LOOKS: Final = 3  # how often each character is looked at for it, on average
_PYTHON: Final = frozenset(("", "py", "python", "python3", "py3"))
_BRACES: Final = re.compile(r'["{}]')
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_CODE_LINES: Final = (
    r"(?:async|case|class|def|elif|else|except|finally|for|if|match|try|while|with)\b.*:\s*(?:#.*)?",
    r"import\s+[\w.]+(?:\s+as\s+\w+)?(?:\s*,.*)?",
    r"from\s+[\w.]+\s+import\b.*",
    r"(?:pass|break|continue|return|raise)",
    r"(?:return|raise|assert|yield|del)\s[^.!?]*",
    r"[\w.\[\]'\", ]+(?:[-+*/|&]|//)?=(?!=).*",
    r"[A-Za-z_][\w.]*\(.*",
    r"[@#\])}].*",
)
_CODE_LINE: Final = re.compile("|".join(f"(?:{kind})" for kind in _CODE_LINES))
_LINE_SHOWN: Final = 300  # characters of a line that tell whether it is code
_PROGRAM: Final = ("block", "code", "program", "generated_code", "improved_code")
_ASSESSMENT: Final = ("assessment", "validation_result", "explanation")


def output_of(task: Task, text: str) -> dict[str, Any] | None:
    """Output of the task, as in ``sandbox_runtime.planning``; None when there is nothing of use."""
    text = _clean(text[:MAX_REPLY])
    fenced = fences.split(text)
    for found in _objects(text, fenced):
        output = _from_object(task, found)
        if output is not None:
            return output
    return _from_text(task, text, fenced)


def shown(text: str) -> str:
    """A reply as far as it is kept for its repair."""
    return _clean(text[:MAX_SHOWN]).encode()[:MAX_SHOWN].decode(errors="ignore")


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # a lone surrogate is no text


def _objects(text: str, fenced: fences.Fenced) -> Iterator[Mapping[str, Any]]:
    for whole in (text, *(block for _, block in fenced.blocks)):
        if whole.lstrip().startswith("{"):
            yield from _loaded(whole)
    yield from _objects_within(text)


def _objects_within(text: str) -> Iterator[Mapping[str, Any]]:
    """Those that stand in prose, the outermost of each."""
    start, depth, at, left = 0, 0, 0, _MAX_LOOKS * len(text)
    for _ in range(_MAX_STEPS):
        found = _BRACES.search(text, at)
        if found is None or left < 0:
            return
        left -= found.end() - at
        at = found.end()
        if found[0] == "{":
            start, depth = (start, depth + 1) if depth else (found.start(), 1)
        elif found[0] == '"' and depth:
            string = _STRING.match(text, found.start())
            left -= (string.end() if string else len(text)) - at  # one without an end is sought to the end
            at, depth = (string.end(), depth) if string else (start + 1, 0)
        elif found[0] == "}" and depth:
            depth -= 1
            if not depth:
                yield from _loaded(text[start:at])


def _loaded(text: str) -> Iterator[Mapping[str, Any]]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    if isinstance(value, dict):
        if isinstance(value.get("cases"), list):
            value["cases"] = _exact_cases(text)
        yield value


def _exact_cases(text: str) -> object:
    value = exact(text)
    return value.get("cases") if isinstance(value, dict) else None


def _from_object(task: Task, found: Mapping[str, Any]) -> dict[str, Any] | None:
    code = _program(found)
    if task == "plan":
        return None if code is None else _plan(found, code)
    assessment = _text(found, _ASSESSMENT)
    if task == "generate":
        return None if code is None else {"code": code, "assessment": assessment}
    if task == "improve":
        return None if code is None else _improvement(code, assessment, found.get("cases"))
    return {"assessment": assessment, "code": code} if assessment else None


def _plan(found: Mapping[str, Any], code: str) -> dict[str, Any]:
    action, resource = _text(found, ("action",)), _text(found, ("resource",))
    return {"action": action or "plan", "resource": resource, "block": code}


def _improvement(code: str, assessment: str, cases: object) -> dict[str, Any]:
    found = cases_of(_unfenced(cases) if isinstance(cases, str) else cases)
    return {"code": code, "assessment": assessment, "cases": found}


def _program(found: Mapping[str, Any]) -> str | None:
    for name in _PROGRAM:
        value = found.get(name)
        if isinstance(value, dict):
            value = value.get("block")
        if isinstance(value, str) and _is_usable(code := _unfenced(value)):
            return code
    return None


def _unfenced(code: str) -> str:
    if not code.lstrip().startswith(("```", "~~~")):
        return code
    blocks = fences.split(code).blocks
    return blocks[0][1] if len(blocks) == 1 else code


def _text(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    limit = _MAX_ASSESSMENT if names is _ASSESSMENT else _MAX_NAME
    texts = (found.get(name) for name in names)
    return next((text.strip()[:limit] for text in texts if isinstance(text, str)), "")


def _is_usable(code: str) -> bool:
    return bool(code.strip()) and len(code) <= MAX_CODE


def _from_text(task: Task, text: str, fenced: fences.Fenced) -> dict[str, Any] | None:
    programs = [block for language, block in fenced.blocks if language in _PYTHON and _is_usable(block)]
    programs = [block for block in programs if not block.lstrip().startswith("{")]
    code = max(programs, key=len) if programs else None
    prose = fenced.prose[:_MAX_ASSESSMENT]
    if task == "review":
        return {"assessment": prose, "code": code} if prose and not prose.startswith("{") else None
    if not fenced.blocks and _is_code(text) and _is_usable(text):
        code, prose = text, ""
    if code is None:
        return None
    if task == "improve":
        return _improvement(code, prose, None)
    return _plan({}, code) if task == "plan" else {"code": code, "assessment": prose}


def _is_code(text: str) -> bool:
    """The first line, and at least half of all, are as Python's are, or indented below one."""
    lines = [line[:_LINE_SHOWN] for line in text.splitlines() if line.strip()][:1000]
    if not lines or _CODE_LINE.fullmatch(lines[0].strip()) is None:
        return False
    alike = (line[0] in " \t" or _CODE_LINE.fullmatch(line.strip()) is not None for line in lines)
    return 2 * sum(alike) >= len(lines)
