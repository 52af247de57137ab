"""The texts that models are given: their versions, and that they say what is."""

from __future__ import annotations

import hashlib
import inspect
import re

import orjson
import pytest

from sandbox_runtime.planner import prompting
from sandbox_runtime.planning import PROMPT_VERSIONS, Ask
from sandbox_runtime.policy.builtin_names import PLAN_FUNCTIONS
from sandbox_runtime.policy.judge import judge
from sandbox_runtime.policy.plan_names import SESSION_METHODS, STORE_METHODS
from sandbox_runtime.policy.plan_table import PLAN
from sandbox_runtime.policy.verdict import Allowed
from sandbox_runtime.store.operators import OPERATORS
from sandbox_runtime.store.resource import ResourceStore
from sandbox_runtime.store.session_store import SessionStore
from sandbox_runtime.wire import WireError

# A plan's key has the version, so a text that was published never changes: give a new one the next number.
PUBLISHED = {
    "generate.1": "17f811ba2fe3eef0b13aa8c6faab9806f90f9db98cd27b3d3b919a89b78d3cb2",
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
    ("task", "given"), [("plan", {}), ("generate", {"query": "x"}), ("review", {"policy": "p"})]
)
def test_incomplete_question_breaks_the_protocol(task: str, given: dict[str, str]) -> None:
    """Only a front writes one."""
    with pytest.raises(WireError, match="given"):
        prompting.prompt_of(Ask(1, task, given, 1.0, 1))  # type: ignore[arg-type]
