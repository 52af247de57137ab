"""The documents say what is there: every route, field, member, verdict, error code, limit and command.
What they show of the REST service is tried on a running one."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from sandbox_runtime.policy import POLICIES, Allowed, judge
from sandbox_runtime.policy.builtin_names import PLAN_FUNCTIONS
from sandbox_runtime.policy.function_imports import IMPORTS
from sandbox_runtime.policy.function_names import FUNCTION_FUNCTIONS, SPECIAL_BINDINGS
from sandbox_runtime.policy.plan_names import GIVEN, SESSION_METHODS, STORE_METHODS
from sandbox_runtime.store import limits
from sandbox_runtime.store.database import SessionDatabase
from service import cli
from service.app import OWNED
from service.errors import KINDS, PLANNER_KINDS, STORE_KINDS
from service.execution.fields import FIELDS, Fields
from service.generation.request import FIELDS as GENERATE_FIELDS
from service.generation.response import model_of
from service.http.json_text import MAX_DEPTH
from service.pool.job import Timing, Usage, Verdict
from service.rest import context, prefer
from service.rest.builtin import BuiltinPlanner, default_dialect, json_server, json_server_lists
from service.rest.builtin.bodies import PATCHES
from service.rest.builtin.query import LIST_CONTROLS, OPERATORS
from service.rest.plan import Plan
from service.rest.shape import Shape
from service.settings import Settings
from service.settings.table import OF_SCRIPTS, SETTINGS
from service.system.openapi import document
from tests.service_process import running_service
from tests.supervisor.serving import Service, serving

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
API = (DOCS / "api.md").read_text("utf-8")
EXECUTION = (DOCS / "execution.md").read_text("utf-8")
GENERATE = (DOCS / "generate.md").read_text("utf-8")
REST = (DOCS / "rest.md").read_text("utf-8")
FUNCTIONS = (DOCS / "functions.md").read_text("utf-8")
PLANS = (DOCS / "plans.md").read_text("utf-8")
FUNCTIONS = (DOCS / "functions.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
SHOWN_URL = "http://127.0.0.1:8000"
ANYTHING = "…"


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading, without its head."""
    section = text.partition(f"\n{heading}\n")[2]
    assert section, f"no heading {heading}"
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert rows
    lines = rows[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def names(rows: list[list[str]]) -> list[str]:
    """What stands between backticks in each first cell."""
    return [row[0].strip("`") for row in rows]


def words(rows: list[list[str]]) -> list[str]:
    """All that stands between backticks in the first cells."""
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row[0])]


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of its kind."""
    found = text.partition(f"\n{heading}\n")[2]
    assert found, f"no heading {heading}"
    return found.partition(f"\n{heading.split(maxsplit=1)[0]} ")[0]


def fenced(text: str, language: str, start: str) -> str:
    """The first block of this language that begins so."""
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return next(str(block) for block in blocks if block.startswith(start))


def test_every_route() -> None:
    """Of the service's own in docs/api.md, with its methods."""
    routes = [
        f"{method} {route.path}"
        for route in OWNED
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]
    assert names(table(API, "## Endpoints"))[: len(routes)] == routes
    reserved = {route.path.split("/")[1] for route in OWNED}
    assert all(f"`{name}`" in REST.partition("\n## ")[0] for name in reserved)


def field_rows(fields: Fields) -> Iterator[str]:
    """The table of fields as a document has it."""
    for name, field in fields.items():
        kinds: Any = field.schema.get("type", "any JSON" if not field.schema else "")
        if "enum" in field.schema:
            kinds = [f"`{value}`" for value in field.schema["enum"] if value]  # type: ignore[attr-defined]
        shown = kinds if isinstance(kinds, str) else " or ".join(kind for kind in kinds if kind != "null")
        yield f"| `{name}` | {shown} | {field.help} |"


def test_every_field() -> None:
    """The table is the one that the parser's own table makes."""
    shown = API.partition("\n### Fields\n")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `.*$", shown, re.MULTILINE) == list(field_rows(FIELDS))
    shown = section(GENERATE, "## Fields")
    assert re.findall(r"^\| `.*$", shown, re.MULTILINE) == list(field_rows(GENERATE_FIELDS))


def test_every_member_of_the_reply() -> None:
    """In docs/api.md as in the OpenAPI document."""
    schema = document(Settings.from_env({}))["components"]["schemas"]["Outcome"]
    rows = table(API, "### Reply")
    assert names(rows) == list(schema["properties"])
    meaning = {name: row[1] for name, row in zip(names(rows), rows, strict=True)}
    for member, cls in (("usage", Usage), ("timing", Timing)):
        assert set(re.findall(r"`(\w+)`", meaning[member])) == set(cls.__slots__)
        assert set(schema["properties"][member]["properties"]) == set(cls.__slots__)


def test_every_member_of_a_generated_reply() -> None:
    """In docs/generate.md, beside those of docs/api.md that stay what they are."""
    schemas = document(Settings.from_env({}))["components"]["schemas"]
    own, of_model = re.findall(r"(?:^\|.*\n)+", section(GENERATE, "## Reply"), re.MULTILINE)
    members = set(re.findall(r"^\| `(\w+)`", own, re.MULTILINE))
    assert members | set(schemas["Outcome"]["properties"]) == set(schemas["Generated"]["properties"])
    shown = re.findall(r"^\| `(\w+)`", of_model, re.MULTILINE)
    assert shown == list(schemas["Generated"]["properties"]["model"]["properties"])
    assert shown == list(model_of((), 0))


def test_every_verdict() -> None:
    """In docs/api.md; those of a limit in docs/execution.md too."""
    assert names(table(API, "### Verdicts")) == list(get_args(Verdict))
    limits = {"timeout", "cpu", "memory", "output", "disk", "syscall"}
    assert set(names(table(EXECUTION, "## Limits"))) == limits


def test_every_error_code() -> None:
    """With its status, those of language models apart; docs/errors.md, which is generated, has the rest."""
    shown = re.findall(r"(?:^\|.*\n)+", section(API, "## Errors"), re.MULTILINE)
    for text, kinds in zip(shown, ([*KINDS.values()], [*PLANNER_KINDS.values()]), strict=True):
        rows = re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE)
        codes = [(int(status), code) for status, said in rows for code in re.findall(r"`(\w+)`", said)]
        assert codes == [(kind.status, kind.code) for kind in kinds]


@pytest.mark.parametrize("path", sorted([*DOCS.glob("*.md"), ROOT / "README.md"]), ids=lambda path: path.name)
def test_settings_that_are_named_exist(path: Path) -> None:
    """No document names a setting that is none."""
    known = {name for setting in SETTINGS for name in (setting.name, *setting.aliases)}
    assert set(re.findall(r"\bLARS_[A-Z_]+[A-Z]\b", path.read_text("utf-8"))) <= known | set(OF_SCRIPTS)


@pytest.mark.parametrize("path", sorted([*DOCS.glob("*.md"), ROOT / "README.md"]), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link names a file."""
    for target in re.findall(r"\]\(([^)#]+)", path.read_text("utf-8")):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_every_command_has_help() -> None:
    """Each subcommand and each option says what it does."""
    parser = cli._parser()
    (commands,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    assert {"serve", "run", "doctor", "keys", "audit"} <= set(commands.choices)
    assert_helped(commands)


def assert_helped(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Down to the last action of the last command."""
    assert len(commands._choices_actions) == len(commands.choices)
    for command in commands.choices.values():
        assert all(action.help for action in command._actions)
        for action in command._actions:
            if isinstance(action, argparse._SubParsersAction):
                assert_helped(action)


def test_every_query_operator_and_control() -> None:
    """In docs/rest.md: of the default dialect, and of json-server's."""
    assert sorted(words(table(REST, "## Lists"))) == sorted(
        LIST_CONTROLS.union(*(rule.controls for rule in default_dialect.RULES.values()))
    )
    assert sorted(words(table(REST, "### Operators"))) == sorted(OPERATORS)
    dialect = set(words(table(REST, "## The json-server dialect")))
    suffixes = {f"_{name}" for name in json_server_lists._OPERATORS}
    own = json_server_lists.CONTROLS.union(*(rule.controls for rule in json_server.RULES.values())) - {
        "cascade"
    }
    assert dialect == own | suffixes | {"_delay", "_", "callback"}


def test_every_preference_and_type_of_patch() -> None:
    """In docs/rest.md."""
    preferences = [f"{name}={value}" for name, values in prefer._CHOICES.items() for value in values]
    assert sorted(words(table(REST, "## Prefer"))) == sorted([*preferences, "max-affected=N"])
    assert tuple(words(table(REST, "## PATCH"))) == PATCHES


def test_every_code_that_a_session_answers_with() -> None:
    """In docs/rest.md, with its status, and no other. Plans that were admitted write only where they may,
    what policies and uploads refuse and functions fail in is another service's."""
    others = {"policy_refused", "upload_refused", "internal_error", "not_ready"}
    others |= {"module_failed", "function_error", "function_timeout"}
    kinds = {kind.code: kind.status for kind in (*KINDS.values(), *STORE_KINDS.values())}
    rows = table(REST, "## Errors that matter")
    documented = {name: int(row[1]) for name, row in zip(names(rows), rows, strict=True)}
    assert documented == {
        code: status for code, status in kinds.items() if code not in {*others, "read_only"}
    }
    assert list(documented.values()) == sorted(documented.values())


def test_every_limit_of_a_request() -> None:
    """The numbers in docs/rest.md are those of the code."""
    seconds = inspect.signature(SessionDatabase).parameters["seconds"].default
    shown = {
        row[0]: [int(number.replace(",", "")) for number in re.findall(r"\b\d[\d,]*\b", row[1])]
        for row in table(REST, "## Limits")
    }
    numbers = {
        "collections of a session": [limits.MAX_COLLECTIONS],
        "levels of arrays and objects in a body": [MAX_DEPTH],
        "a record, as JSON": [limits.MAX_RECORD_BYTES, limits.MAX_RECORD_DEPTH],
        "records of one array, or of one change": [limits.MAX_BULK],
        "bytes of path; segments; characters of a segment": [
            context.MAX_PATH,
            context.MAX_SEGMENTS,
            context.MAX_SEGMENT,
        ],
        "query parameters; different names; bytes of a name": [
            context.MAX_PAIRS,
            context.MAX_NAMES,
            context.MAX_NAME,
        ],
        "characters of a value: in a query; to compare with": [context.MAX_VALUE, limits.MAX_VALUE_CHARS],
        "filters; values of all filters; sort keys; fields": [
            limits.MAX_CONDITIONS,
            limits.MAX_VALUES,
            limits.MAX_SORT_KEYS,
            limits.MAX_FIELDS,
        ],
        "operations of a JSON patch": [limits.MAX_PATCH_OPERATIONS],
        "seconds of a transaction in the store": [seconds],
    }
    assert {name: found for name, found in shown.items() if found} == numbers


@dataclass(frozen=True, slots=True)
class Example:
    """A command, and what is shown of its answer: status, headers, body (None where none is shown)."""

    command: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None


def examples(text: str) -> list[Example]:
    """Every command of curl that is shown, in order."""
    found = []
    for command, _, answer in re.findall(r"```bash\n(curl .*?)```\n(\n```http\n(.*?)```)?", text, re.DOTALL):
        if not answer:
            found += [Example(line) for line in re.split(r"\n(?=curl )", command.strip())]
            continue
        head, _, body = answer.partition("\n\n")
        first, *lines = head.strip().splitlines()
        headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
        found.append(
            Example(command.strip(), int(first.split()[1]), headers, json.loads(body) if body else None)
        )
    return found


def assert_shown(example: Example, printed: str) -> None:
    """The answer, as ``curl -i`` prints it, is the one beside the command."""
    head, _, body = printed.partition("\n\n")
    first, *lines = head.splitlines()
    assert int(first.split()[1]) == example.status, printed
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    for name, value in example.headers:
        assert headers.get(name.lower()) == value, (example.command, printed)
    if example.status == 204:
        assert not body
    if example.body is not None:
        assert_like(json.loads(body), example.body, example.command)


def assert_like(value: Any, shown: Any, command: str) -> None:
    """Equal, in the same order. ``…`` stands for any value, and as a member for those that are not shown."""
    if shown == ANYTHING:
        return
    if not isinstance(shown, dict) or not isinstance(value, dict):
        assert value == shown, command
        return
    members = [name for name in shown if name != ANYTHING]
    if ANYTHING in shown:
        assert set(members) <= set(value), command
    else:
        assert list(value) == members, command
    for name in members:
        assert_like(value[name], shown[name], command)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One with default settings."""
    with serving(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.mark.parametrize(
    ("text", "least"),
    [(REST, 25), (PLANS, 1), (section(README, "## Keep data"), 3)],
    ids=["rest", "plans", "readme"],
)
def test_commands_answer_as_shown(service: Service, tmp_path: Path, text: str, least: int) -> None:
    """One after the other, as a reader would send them."""
    shown = examples(text)
    assert len(shown) >= least
    assert len(shown) == len(re.findall(r"^curl ", text, re.MULTILINE))
    for example in shown:
        command = example.command.replace(SHOWN_URL, service.url)
        assert command != example.command
        if example.status is None:
            command = command.replace("curl ", "curl -f ", 1)
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (example.command, done.stderr)
        if example.status is not None:
            assert_shown(example, done.stdout)


@pytest.mark.parametrize(
    ("block", "last"),
    [
        (fenced(section(README, "## Serve functions"), "bash", "HASH="), '}"Hello, Alice!"'),
        (fenced(README, "bash", "HASH=") + fenced(README, "bash", "curl -X PUT"), "}"),
        (fenced(FUNCTIONS, "bash", "HASH="), "}55"),
    ],
    ids=["readme", "improved", "functions"],
)
def test_functions_are_served_as_shown(tmp_path: Path, block: str, last: str) -> None:
    """The whole block, as a reader would paste it."""
    key = "what-a-reader-has-chosen"
    block = block.replace("curl ", "curl -sSf ")
    with running_service(tmp_path, {"STARGATE_API_KEY": key}) as service:
        done = subprocess.run(
            ["bash", "-ec", block.replace(SHOWN_URL, service.url)],
            cwd=tmp_path,
            env={**os.environ, "STARGATE_API_KEY": key},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(last)


def test_the_plan_that_is_shown() -> None:
    """Is what the built-in planner makes."""
    shown = Plan.from_json(json.loads(fenced(PLANS, "json", "{")))
    assert BuiltinPlanner().plan(Shape("GET", ("members",))) == shown


def test_what_a_plan_may_say() -> None:
    """docs/plans.md names every function and every method of the two stores."""
    said = section(PLANS, "## What a plan may say")
    lists = {tuple(text.split()) for text in re.findall(r"`([^`]+)`", said)}
    for allowed in (PLAN_FUNCTIONS, STORE_METHODS, SESSION_METHODS):
        assert tuple(sorted(allowed)) in lists
    assert set(names(table(PLANS, "## The five names and REPLY"))) == GIVEN


def test_what_a_function_may_say() -> None:
    """docs/functions.md names every module and every builtin, and refuses those that are refused."""
    said = section(FUNCTIONS, "## What a function may say")
    lists = {tuple(text.split()) for text in re.findall(r"`([^`]+)`", said)}
    assert tuple(sorted(IMPORTS)) in lists
    assert tuple(sorted(FUNCTION_FUNCTIONS)) in lists
    refused = {name for row in table(FUNCTIONS, "## What a function may say") for name in quoted(row[2])}
    assert {"open", "exec", "eval", "compile", "globals", "input", "__new__", "__globals__"} <= refused
    assert refused.isdisjoint({*FUNCTION_FUNCTIONS, *SPECIAL_BINDINGS})


def quoted(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


async def test_the_planner_that_is_shown() -> None:
    """Makes plans that are admitted."""
    names: dict[str, Any] = {}
    exec(fenced(PLANS, "python", "from "), names)  # noqa: S102 - our own documentation
    planner = names["Closing"]()
    plan = await planner.make(Shape("POST", ("projects", "{id}", "close")))
    assert isinstance(judge(plan.block, POLICIES["plan"], max_bytes=len(plan.block)), Allowed)
    assert (plan.action, plan.response_hints["transaction"]) == ("close", "write")
    assert (await planner.make(Shape("GET", ("members",)))).action == "list"


def test_every_code_has_advice_for_the_operator() -> None:
    """docs/troubleshooting.md names each code in its table, and none that there is not."""
    table = (DOCS / "troubleshooting.md").read_text("utf-8").split("## By error code")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| .{4,} \|$", table, re.MULTILINE)
    told = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)]
    kinds = (*KINDS.values(), *PLANNER_KINDS.values(), *STORE_KINDS.values())
    assert sorted(told) == sorted({kind.code for kind in kinds})
