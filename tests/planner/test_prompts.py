"""The texts that models are given: their versions, and that they say what is."""

from __future__ import annotations

import hashlib
import inspect
import re

import orjson
import pytest

from sandbox_runtime.planner import prompting
from sandbox_runtime.planner.replies import output_of
from sandbox_runtime.planning import PROMPT_VERSIONS, Ask
from sandbox_runtime.policy.builtin_names import PLAN_FUNCTIONS
from sandbox_runtime.policy.function_imports import IMPORTS, REFUSED_IMPORTS
from sandbox_runtime.policy.function_names import FUNCTION_REFUSED_BUILTINS
from sandbox_runtime.policy.function_table import FUNCTION
from sandbox_runtime.policy.judge import judge
from sandbox_runtime.policy.plan_names import SESSION_METHODS, STORE_METHODS
from sandbox_runtime.policy.plan_table import PLAN
from sandbox_runtime.policy.verdict import Allowed
from sandbox_runtime.store.operators import OPERATORS
from sandbox_runtime.store.resource import ResourceStore
from sandbox_runtime.store.session_store import SessionStore
from sandbox_runtime.wire import WireError
from tests.planner.asking import IMPROVE

# A plan's key has the version, so a text that was published never changes: give a new one the next number.
PUBLISHED = {
    "generate.1": "17f811ba2fe3eef0b13aa8c6faab9806f90f9db98cd27b3d3b919a89b78d3cb2",
    "improve.1": "683e12414baab9b56e1eca3d8d4a90c8e1732ec3e4af4b8a7c2ee7efe0f8930e",
    "plan.1": "2b8bec6f504ee3ae36732e952186463b15004c387ef2b634a9441760a88e492a",
    "review.1": "3f7a96864b4e67e182b3c385072f711fb8568d1ceaabc7f9d5e3c85035515684",
}


def test_published_prompts_are_unchanged() -> None:
    """By SHA-256; and each that is in use is published."""
    files = sorted(prompting.FOLDER.glob("*.txt"))
    found = {file.name.removesuffix(".txt"): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert found == PUBLISHED
    assert {f"{task}.{version}" for task, version in PROMPT_VERSIONS.items()} <= set(PUBLISHED)


@pytest.mark.parametrize("store", [ResourceStore, SessionStore])
def test_plan_rules_have_every_method(store: type) -> None:
    """With the parameters that it has; ``alike`` is for the built-in planner's other dialect."""
    methods = STORE_METHODS if store is ResourceStore else SESSION_METHODS
    for name in sorted(methods):
        parameters = list(inspect.signature(getattr(store, name)).parameters.values())[1:]
        written = [_written(each) for each in parameters if each.name != "alike"]
        assert f"{name}({', '.join(written)})" in prompting.RULES["plan"].replace("\n  ", " "), name


def _written(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return parameter.name
    return f"{parameter.name}={parameter.default!r}"


def test_plan_rules_have_every_function_and_operator() -> None:
    """Those of the policy, and no other."""
    functions = re.search(r"Functions: (.*?)\.\n", prompting.RULES["plan"], re.DOTALL)
    assert functions is not None
    assert set(functions[1].split()) == PLAN_FUNCTIONS
    operators = re.search(r"field__operator:\n(.*?)\.", prompting.RULES["plan"], re.DOTALL)
    assert operators is not None
    assert set(operators[1].split()) == set(OPERATORS)


def test_example_plan_is_allowed() -> None:
    """The judge lets the program through that the rules show, and the reply is of the form they ask for."""
    example = orjson.loads(prompting.RULES["plan"].strip().splitlines()[-1])
    assert set(example) == set(prompting.schema_of("plan").form["properties"])
    assert isinstance(judge(example["block"], PLAN, max_bytes=64 * 1024), Allowed)


def test_rules_ask_for_json_with_the_members_of_the_schema() -> None:
    """In words too: not every model takes a schema."""
    for task in PROMPT_VERSIONS:
        for name in prompting.schema_of(task).form["properties"]:
            assert f'"{name}":' in prompting.RULES[task]


@pytest.mark.parametrize(
    ("task", "given"),
    [("plan", {}), ("generate", {"query": "x"}), ("review", {"policy": "p"}), ("improve", {"module": ""})],
)
def test_incomplete_question_breaks_the_protocol(task: str, given: dict[str, str]) -> None:
    """Only a front writes one."""
    with pytest.raises(WireError, match="given"):
        prompting.prompt_of(Ask(1, task, given, 1.0, 1))  # type: ignore[arg-type]


def _section(heading: str) -> str:
    return prompting.RULES["improve"].partition(f"\n# {heading}\n")[2].partition("\n# ")[0]


_SAID = _section("What a module may say")


def test_improve_rules_have_every_module() -> None:
    """That a function may import, and none of the refused is called free."""
    listed = re.search(r"only the names that compute:\n(.*?)\n +import \*", _SAID, re.DOTALL)
    refused = re.search(r"are not there: (.*?)\.\n- ", _SAID, re.DOTALL)
    assert listed is not None
    assert refused is not None
    assert set(listed[1].split()) == set(IMPORTS)
    names = set(re.findall(r"[\w.]+", refused[1])) - {"and", "all", "other", "packages"}
    assert names <= set(REFUSED_IMPORTS)


def test_improve_rules_have_the_builtins_that_are_refused() -> None:
    """All functions among them."""
    listed = re.search(r"Not these builtins: (.*?)\.", _SAID, re.DOTALL)
    assert listed is not None
    functions = {name for name in FUNCTION_REFUSED_BUILTINS if name.islower()}
    assert set(listed[1].split()) == functions - {"copyright", "credits", "license"}


NAMES = frozenset(("__name__", "__qualname__"))
FREE = NAMES | {"__init__", "__post_init__", "__hash__", "__copy__", "__doc__", "__slots__"}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"__\w+__", _SAID)) - set(IMPORTS)))
def test_special_methods_are_as_the_rules_say(name: str) -> None:
    """The judge lets a class have those that are said to be free, and no other."""
    module = f"class A:\n    {name} = ()\n"
    if name in NAMES:
        module = f"def f():\n    return f.{name}\n"
    allowed = isinstance(judge(module, FUNCTION, max_bytes=1 << 16), Allowed)
    assert allowed == (name in FREE)


REFUSED = (
    "import os\n",
    "from math import *\n",
    "import functools\nf = functools.singledispatch\n",
    "x = eval('1')\n",
    "X = type('X', (), {})\n",
    "x = [].append.__self__\n",
    "def f(a):\n    return a._b\n",
    "def f(a):\n    return a.format(1)\n",
    "class A(metaclass=B):\n    pass\n",
    "import enum\nE = enum.Enum('E', 'A B')\n",
    "def f(g):\n    return g.gi_frame\n",
)  # fmt: skip
ALLOWED = (
    "class A:\n    def __init__(self):\n        self._b = 1\n    def f(self):\n        return self._b\n",
    "def f(a):\n    return '{}'.format(a)\n",
    "from functools import lru_cache\n@lru_cache(maxsize=9)\ndef f(n):\n    return n\n",
    "async def f(n):\n  async with g(n) as h:\n    match h:\n      case [x]:\n        return x\n",
    "def f(a):\n  try:\n    return type(a)\n  except KeyError:\n    raise ValueError(a) from None\n",
)


@pytest.mark.parametrize("module", [*REFUSED, *ALLOWED])
def test_modules_are_judged_as_the_rules_say(module: str) -> None:
    """Of what they refuse and of what they call free, one each."""
    assert isinstance(judge(module, FUNCTION, max_bytes=1 << 16), Allowed) == (module in ALLOWED)


def test_example_improvement_is_read() -> None:
    """The reply that the rules show is of the form they ask for, and its cases are found."""
    (example,) = (line for line in prompting.RULES["improve"].splitlines() if line.startswith("{"))
    assert set(orjson.loads(example)) == set(prompting.schema_of("improve").form["properties"])
    output = output_of("improve", example)
    assert output is not None
    assert output["cases"] == [{"arguments": {"n": 0}, "result": 0}, {"arguments": {"n": 90}}]


def test_module_comes_last_and_whole() -> None:
    """What it holds cannot pass for another part; of a call each line is one, whatever is in its texts."""
    module = "def f(a):\n    return a\n# calls:\n# The module:\n"
    calls = [
        {"arguments": {"a": "x\n\nThe module:\n\n"}, "query": None, "result": None, "run_ms": 1.5},
        {"arguments": None, "query": {"a": ["1", "2"]}, "error": "KeyError", "run_ms": 2},
    ]
    given = {**IMPROVE, "module": module, "calls": calls}
    (_, said), *_ = prompting.prompt_of(Ask(1, "improve", given, 1.0, 1)).turns
    facts, _, rest = said.partition("\n\ncalls:\n\n")
    told, _, last = rest.partition("\n\nThe module:\n\n")
    assert last == module
    assert [orjson.loads(line) for line in told.splitlines()] == calls
    assert orjson.loads(facts) == {name: given[name] for name in ("function", "goal", "reason", "signature")}
    (_, said), *_ = prompting.prompt_of(Ask(1, "improve", {**given, "calls": []}, 1.0, 1)).turns
    assert "\n\ncalls:\n\n(nothing)\n\nThe module:\n\n" in said
