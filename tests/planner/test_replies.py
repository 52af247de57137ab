"""What is made of what models write: the usual ways, and anything at all."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_runtime.planner import fences
from sandbox_runtime.planner.replies import MAX_REPLY, MAX_SHOWN, output_of, shown
from sandbox_runtime.planning import MAX_CODE, Task

TASKS: tuple[Task, ...] = ("plan", "generate", "review", "improve")
JSON = '{"code": "print(\\"{}\\")", "assessment": "ok"}'
CODE = 'print("{}")'


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (JSON, CODE),
        (f"\n  {JSON}\n", CODE),
        (f"```json\n{JSON}\n```", CODE),
        (f"Sure! Here it is {{as JSON}}:\n\n{JSON}\n\nHave fun.", CODE),
        (f'An "open quote and then\n{JSON}', CODE),
        ('{"code": {"language": "python", "block": "x = 1"}}', "x = 1"),
        ('{"block": "x = 1"}', "x = 1"),
        ('{"code": "```python\\nx = 1\\n```"}', "x = 1\n"),
        ('{"result": {"code": 1}, "code": "x = 1"}', "x = 1"),
        ("Here:\n```python\nx = 1\n```\nIt assigns.", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("~~~py\nx = 1\n~~~", "x = 1\n"),
        ("````python\nx = '''\n```\n'''\n````", "x = '''\n```\n'''\n"),
        ("```python\nx = 1\n", "x = 1\n"),
        ("```bash\npip install x\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("```python\nx\n```\nand\n```python\nlonger = 1\n```", "longer = 1\n"),
        ("import os\nprint(os.name)\n", "import os\nprint(os.name)\n"),
        ("def f(x):\n    return x\n\nprint(f(1))", "def f(x):\n    return x\n\nprint(f(1))"),
        ("# Primes\nfor n in range(9):\n    print(n)", "# Primes\nfor n in range(9):\n    print(n)"),
    ],
)  # fmt: skip
def test_program_is_found(text: str, code: str) -> None:
    """For the tasks that need one."""
    output = output_of("generate", text)
    assert output is not None
    assert output["code"] == code
    assert (output_of("plan", text) or {})["block"] == code
    improved = output_of("improve", text)
    assert improved == {"code": code, "assessment": output["assessment"], "cases": []}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I am sorry, I cannot do that.",
        "for all of this, sorry.\nI can not.",
        "import duties are a matter of law.",
        '{"answer": 42}',
        '{"code": ""}',
        '{"code": "   \\n"}',
        '{"code": ["x = 1"]}',
        '{"code": "x = 1"',
        "```python\n\n```",
        "```json\n{}\n```",
        "[" * 100_000,
        '{"a":' * 100_000,
        f'{{"code": "{"x" * (MAX_CODE + 1)}"}}',
    ],
)
def test_no_program_is_found(text: str) -> None:
    """Nothing of use, or too much."""
    assert output_of("generate", text) is None
    assert output_of("plan", text) is None
    assert output_of("improve", text) is None


def test_plan_has_action_and_resource() -> None:
    """As it says; without them a word and nothing."""
    text = '{"action": " close ", "resource": "projects", "code": {"language": "python", "block": "x"}}'
    assert output_of("plan", text) == {"action": "close", "resource": "projects", "block": "x"}
    assert output_of("plan", "```\nx = 1\n```") == {"action": "plan", "resource": "", "block": "x = 1\n"}


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ('{"assessment": "Fine.", "code": ""}', {"assessment": "Fine.", "code": None}),
        ('{"assessment": "Slow.", "code": "x = 1"}', {"assessment": "Slow.", "code": "x = 1"}),
        ('{"validation_result": "Fine."}', {"assessment": "Fine.", "code": None}),
        ("It is fine.", {"assessment": "It is fine.", "code": None}),
        ("Slow:\n```python\nx = 1\n```", {"assessment": "Slow:", "code": "x = 1\n"}),
        ("", None),
        ('{"assessment": 1}', None),
        ('{"assessment": "cut', None),
    ],
)
def test_review_needs_an_assessment(text: str, output: dict[str, Any] | None) -> None:
    """In words, if need be."""
    assert output_of("review", text) == output


_PIECES = st.sampled_from(
    ['"', "{", "}", "\\", "```", "```python\n", "\n", '{"code":', "x = 1", ":", " ", "def f("]
)
_TEXTS = st.one_of(st.text(max_size=300), st.lists(_PIECES, max_size=60).map("".join))


@settings(max_examples=80, deadline=None)
@given(_TEXTS, st.sampled_from(TASKS))
def test_anything_gives_an_output_or_none(text: str, task: Task) -> None:
    """With the members of the task, texts in their bounds that can be sent on."""
    output = output_of(task, text)
    if output is not None:
        for value in output.values():
            assert value is None or len(orjson.dumps(value)) <= 12 * MAX_CODE
        assert output.get("block", output.get("code", "x")) is None or output.get("block", "x").strip()


@settings(max_examples=60, deadline=None)
@given(_TEXTS)
def test_fences_lose_no_line(text: str) -> None:
    """Every line that is no fence stands in the prose or in one block, once."""
    found = fences.split(text)
    kept = [found.prose, *(block for _, block in found.blocks)]
    assert _words(text) == sorted(word for part in kept for word in _words(part))


def _words(text: str) -> list[str]:
    lines = (line for line in text.splitlines() if "`" not in line)
    return sorted(word for line in lines for word in line.split())


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "}",
        '"',
        '{"',
        "```\n",
        "`````",
        "{}",
        '{"a":',
        "a = ",
        "\\",
        "x(",
        "~~~~\n```\n",
        '{\\"',
        '\\"{',
        "\u2028",
        '{"cases":[1],"a":"',
        '{"cases":[1]}',
    ],
)
def test_time_grows_with_the_text(piece: str) -> None:
    """A quarter of the longest text, of what is hardest to look through: well below a second."""
    text = (piece * MAX_REPLY)[: MAX_REPLY // 4]
    began = time.process_time()
    for task in TASKS:
        output_of(task, text)
    assert time.process_time() - began < 1


def test_shown_reply_is_bounded_and_text() -> None:
    """In bytes, and never half a character."""
    assert len(shown("ä" * MAX_SHOWN).encode()) == MAX_SHOWN
    assert shown("a\ud800b") == "a?b"
