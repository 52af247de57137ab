"""POST /generate-and-execute: what the model is asked, what runs, and what the caller is told."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import jsonschema_rs
import pytest

from sandbox_runtime.planning import Failure
from tests.execution.replies import MEMBERS, problem
from tests.generation.desk import GENERATE, Desk
from tests.pool.puppets import until
from tests.service.http.stack import logged

pytestmark = pytest.mark.asyncio(loop_scope="module")
PRIMES = "print([n for n in range(2, 30) if all(n % d for d in range(2, n))])\n"


def wrote(code: str, assessment: str = "It is safe.") -> dict[str, Any]:
    """What the planner hands on of a model's reply."""
    return {"code": code, "assessment": assessment}


BAD = Failure("llm_bad_reply", "there is no program in the reply", reply="I would rather talk.")


async def test_older_execution_service(desk: Desk) -> None:
    """Its example: its members, everything that POST /execute returns, and one call to the model."""
    desk.planner.begin(wrote(PRIMES, "The code is secure and efficient."))
    query = "Calculate the first 10 prime numbers"
    body = await desk.generated(query=query, timeout=15, memory_limit="200m", cpu_limit=0.5)
    assert body["stdout"] == "[2, 3, 5, 7, 11, 13, 17, 19, 23, 29]\n"
    expected = {"query": query, "generated_code": PRIMES, "stderr": "", "exit_code": 0, "verdict": "ok"}
    assert body.items() >= expected.items()
    assert (body["original_code"], body["executed_code"]) == (PRIMES, PRIMES)
    assert body["validation_result"] == "The code is secure and efficient."
    assert body["model"] == {
        "provider": "openai",
        "model": "model-1",
        "calls": 1,
        "repairs": 0,
        "input_tokens": 100,
        "output_tokens": 20,
        "cached_tokens": 40,
        "cost_usd": 0.001,
    }
    assert set(body) == MEMBERS | {"query", "generated_code", "model"}
    (ask,) = desk.planner.asks
    assert (ask.task, ask.repair) == ("generate", None)
    assert ask.given == {"query": query, "policy": "program", "data": None}


async def test_the_reply_is_what_the_document_says(desk: Desk) -> None:
    document = (await desk.client.get("/openapi.json")).json()
    schema = {**document["components"]["schemas"]["Generated"], "components": document["components"]}
    for code in (PRIMES, "1 / 0", "x = ("):
        desk.planner.begin(wrote(code), wrote(code))
        jsonschema_rs.validate(schema, await desk.generated())


@pytest.mark.parametrize("path", ["/execute", GENERATE])
async def test_the_document_shows_examples_that_are_right(desk: Desk, path: str) -> None:
    """Of its own schemas; the request is taken, and answered with these members."""
    document = (await desk.client.get("/openapi.json")).json()
    operation = document["paths"][path]["post"]
    contents = [operation["requestBody"]["content"]["application/json"]]
    contents += [each for answer in operation["responses"].values() for each in answer["content"].values()]
    shown = [content for content in contents if "example" in content]
    for content in shown:
        schema = {**content["schema"], "components": document["components"]}
        jsonschema_rs.validate(schema, content["example"])
    desk.planner.begin(wrote(PRIMES))
    answer = await desk.client.post(path, json=shown[0]["example"])
    assert (answer.status_code, set(answer.json())) == (200, set(shown[1]["example"]))
    codes = [content["example"]["code"] for content in shown[2:]]
    assert codes == (["planner_not_configured"] if path == GENERATE else [])


async def test_of_data_the_types_alone_are_told(desk: Desk) -> None:
    """No planted value is in anything that the planner is sent, a failed run's story included; the program
    has them all."""
    planted = {"name": "Wilhelmina", "scores": [31337, 2.5], "ok": True, "none": None}
    desk.planner.begin(wrote("raise ValueError(len(data))"), wrote("result = data"))
    body = await desk.generated(data=planted, stdin="Ottokar", argv=["Kunigunde"], max_repairs=1)
    assert body["result"] == planted
    told = json.dumps([[ask.given, ask.repair and ask.repair.problem] for ask in desk.planner.asks])
    assert all(word not in told for word in ("Wilhelmina", "31337", "2.5", "Ottokar", "Kunigunde"))
    fields = [
        ["name", "string"],
        ["none", "null"],
        ["ok", "boolean"],
        ["scores", ["array", ["integer", "number"]]],
    ]
    assert [ask.given["data"] for ask in desk.planner.asks] == [["object", fields]] * 2


async def test_it_runs_as_a_sent_program_does(desk: Desk) -> None:
    """With every option of a run."""
    desk.planner.begin(wrote("result = [data, None, None]"))
    assert (await desk.generated(data=None, policy="restricted"))["result"] == [None, None, None]
    assert desk.planner.asks[0].given == {"query": "print something", "policy": "restricted", "data": "null"}
    desk.planner.begin(wrote("import sys\nresult = [sys.stdin.read(), sys.argv]"))
    body = await desk.generated(stdin="in", argv=["-n"])
    assert body["result"] == ["in", ["main.py", "-n"]]
    desk.planner.begin(wrote("while True: pass"))
    assert (await desk.generated(timeout=0.2))["verdict"] == "timeout"


async def test_what_the_model_does_not_assess(desk: Desk) -> None:
    desk.planner.begin(wrote("pass", " "))
    body = await desk.generated()
    assert body["validation_result"] == "The model gave no assessment of the program."


REFUSED, BROKEN = wrote("import os"), wrote("x = (")


@pytest.mark.parametrize(
    ("first", "reply", "told"),
    [
        (REFUSED, json.dumps(REFUSED, separators=(",", ":")), "the policy refused it: "),
        (BROKEN, json.dumps(BROKEN, separators=(",", ":")), "'(' was never closed"),
        (BAD, BAD.reply, BAD.detail),
        (wrote("  "), "It is safe.", "no program"),
    ],
    ids=["refused", "uncompiled", "bad", "empty"],
)
async def test_what_cannot_run_is_mended_once(desk: Desk, first: Any, reply: str, told: str) -> None:
    """Although the caller asked for no repair; the model is shown what it wrote, and why that is of no
    use."""
    desk.planner.begin(first, wrote("result = 42"))
    body = await desk.generated(policy="restricted")
    assert (body["result"], body["model"]["repairs"], body["model"]["calls"]) == (42, 1, 2)
    assert (body["model"]["input_tokens"], body["model"]["cost_usd"]) == (200, 0.002)
    first_ask, second = desk.planner.asks
    assert first_ask.repair is None
    assert second.repair is not None
    assert second.repair.reply == reply
    assert told in second.repair.problem
    assert (second.given, second.seconds < first_ask.seconds) == (first_ask.given, True)


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ((REFUSED, REFUSED), "the policy refused it: "),
        ((BAD, BAD), BAD.detail),
        ((REFUSED, BAD), BAD.detail),
    ],
)
async def test_it_is_mended_only_once(desk: Desk, replies: tuple[Any, ...], said: str) -> None:
    """However many repairs of failed runs are allowed."""
    desk.planner.begin(*replies, wrote("result = 1"))
    answer = await desk.post(GENERATE, query="x", policy="restricted", max_repairs=5)
    assert said in problem(answer, 502, "llm_bad_reply")["detail"]
    assert len(desk.planner.asks) == 2


async def test_what_never_compiles_is_an_outcome(desk: Desk) -> None:
    """As it is of POST /execute."""
    desk.planner.begin(BROKEN, BROKEN)
    body = await desk.generated()
    assert (body["exception"]["type"], body["verdict"], body["exit_code"]) == ("SyntaxError", "exception", 1)
    assert (body["generated_code"], body["model"]["repairs"]) == (BROKEN["code"], 1)


async def test_a_failed_run_is_not_repaired_unasked(desk: Desk) -> None:
    """Not even one that was left by a SyntaxError: this program does compile."""
    desk.planner.begin(wrote("compile('x = (', 'x', 'exec')"), wrote("never"))
    body = await desk.generated()
    assert (body["exception"]["type"], body["model"]["calls"]) == ("SyntaxError", 1)
    assert len(desk.planner.asks) == 1


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print('seen')\n1 / 0", ("verdict exception", "ZeroDivisionError: division by zero", "line 2")),
        ("raise SystemExit(3)", ("verdict exit", "exit code 3")),
        ("while True: pass", ("verdict timeout", "raise timeout")),
        ("x = 'a' * (1 << 29)", ("verdict memory", "memory_limit")),
    ],
)
async def test_a_failed_run_is_repaired(desk: Desk, code: str, told: tuple[str, ...]) -> None:
    """As often as is allowed, until one succeeds; each has all of its time. What it printed is not told."""
    desk.planner.begin(wrote(code), wrote(code), wrote("print('good')"), wrote("never"))
    body = await desk.generated(max_repairs=4, timeout=0.5)
    assert (body["success"], body["stdout"], body["model"]["repairs"]) == (True, "good\n", 2)
    problems = [ask.repair.problem for ask in desk.planner.asks if ask.repair]
    assert len(problems) == 2
    assert all(word in problem for problem in problems for word in told)
    assert "seen\n" not in problems[0]


async def test_repairs_are_bounded(desk: Desk) -> None:
    """One for what does not compile, and those that the caller allows; the reply is of the last run."""
    desk.planner.begin(wrote("1 / 0"), BROKEN, BROKEN, wrote("[][1]"), wrote("result = 1"))
    body = await desk.generated(max_repairs=2)
    assert (body["exception"]["type"], body["model"]["repairs"]) == ("IndexError", 3)
    assert len(desk.planner.asks) == 4


@pytest.mark.parametrize(
    ("then", "code"), [(Failure("llm_failed", "status 500"), "llm_failed"), (BAD, "llm_bad_reply")]
)
async def test_a_repair_that_cannot_be_had(desk: Desk, then: Failure, code: str) -> None:
    """What ran is answered, and what hindered the next told."""
    desk.planner.begin(wrote("1 / 0"), then, then)
    body = await desk.generated(max_repairs=1)
    assert body["exception"]["type"] == "ZeroDivisionError"
    assert body["warnings"] == [f"the program could not be repaired any further: {code}: {then.detail}"]


async def test_a_repair_that_the_policy_refuses(desk: Desk) -> None:
    """It is mended once, as a first program is; then what ran before is answered."""
    desk.planner.begin(wrote("1 / 0"), REFUSED, REFUSED, wrote("result = 1"))
    body = await desk.generated(max_repairs=1, policy="restricted")
    assert (body["generated_code"], body["model"]["repairs"]) == ("1 / 0", 2)
    (warning,) = body["warnings"]
    assert "llm_bad_reply: the model wrote what may not run, twice: the policy refused it: " in warning


async def test_what_is_logged(desk: Desk) -> None:
    """A line for each call, and the tokens of all in the request's; nothing that was asked or written. A
    request whose model failed has paid, too."""
    desk.planner.begin(wrote("secret_code"), Failure("llm_failed", "status 500"))
    with logged() as lines:
        await desk.generated(query="secret_query", data="secret_data", max_repairs=1)
        await until(lambda: any(line["event"] == "request" for line in lines), "the request's line")
    *calls, request = lines
    outcomes = [(line["event"], line["task"], line["outcome"]) for line in calls]
    assert outcomes == [("model_call", "generate", "ok"), ("model_call", "generate", "llm_failed")]
    expected = {"route": GENERATE, "domain": "oneshot", "verdict": "exception", "tokens": 240}
    assert request.items() >= expected.items()
    assert "secret_" not in repr(lines)
    desk.planner.begin(Failure("llm_refused", "no"))
    with logged() as lines:
        await desk.post(GENERATE, query="x")
        await until(lambda: any(line["event"] == "request" for line in lines), "the request's line")
    assert (lines[-1]["tokens"], lines[-1]["error_code"], lines[-1]["status"]) == (120, "llm_refused", 422)


async def test_failures_of_the_planner(desk: Desk) -> None:
    """Each is a problem with its own code."""
    desk.planner.begin(Failure("llm_rate_limited", "status 429", retry_after=6.5))
    answer = await desk.post(GENERATE, query="x")
    assert problem(answer, 503, "llm_rate_limited")["retry_after"] == 7
    assert answer.headers["retry-after"] == "7"
    desk.planner.begin(Failure("llm_refused", "the model declined"))
    problem(await desk.post(GENERATE, query="x"), 422, "llm_refused")


async def test_the_program_has_all_of_its_time(desk: Desk) -> None:
    """It starts when the program does, and not while the model thinks."""
    desk.planner.begin(wrote("result = 1"))
    desk.planner.delay = 0.4
    body = await desk.generated(timeout=0.2)
    assert (body["verdict"], body["result"]) == ("ok", 1)


async def test_all_questions_share_the_time_for_models(desk: Desk) -> None:
    desk.planner.begin(BROKEN, wrote("1 / 0"), wrote("result = 1"))
    desk.planner.delay = 0.1
    await desk.generated(max_repairs=1)
    seconds = [ask.seconds for ask in desk.planner.asks]
    assert 19.5 < seconds[0] <= 20
    assert seconds[1] <= seconds[0] - 0.1
    assert seconds[2] <= seconds[1] - 0.1


async def left(desk: Desk, **body: Any) -> asyncio.StreamWriter:
    """A request on a connection of its own, which the caller then closes."""
    content = json.dumps({"query": "x", **body}).encode()
    head = f"POST {GENERATE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    return writer


async def test_a_caller_who_leaves_ends_the_call(desk: Desk) -> None:
    """The planner is told to forget it, and nothing runs."""
    writer = await left(desk)
    await until(lambda: desk.planner.asks, "the model is asked")
    writer.close()
    await until(lambda: desk.planner.forgotten, "it is told to forget")
    assert desk.planner.forgotten == [desk.planner.asks[0].id]
    assert desk.state.pool.figures()["busy"] == 0


async def test_a_caller_who_leaves_ends_the_run(desk: Desk) -> None:
    """And the repair that it would have had."""
    desk.planner.begin(wrote("import time\ntime.sleep(60)"), wrote("never"))
    writer = await left(desk, timeout=30, max_repairs=5)
    await until(lambda: desk.state.pool.figures()["busy"] == 1, "the program runs")
    writer.close()
    await until(lambda: desk.state.pool.figures()["busy"] == 0, "it was ended")
    assert len(desk.planner.asks) == 1


@pytest.mark.parametrize(
    ("body", "field", "remedy"),
    [
        ({}, "query", "say in words"),
        ({"query": None}, "query", "say in words"),
        ({"query": " \n"}, "query", "say in words"),
        ({"query": "x" * 16_385}, "query", "fewer words"),
        ({"query": "x", "max_repairs": 6}, "max_repairs", "0 to 5"),
        ({"query": "x", "max_repairs": True}, "max_repairs", "0 to 5"),
        ({"query": "x", "code": "pass"}, "code", "known fields are query, data"),
        ({"query": "x", "validate_code": True}, "validate_code", "known fields are"),
        ({"query": "x", "timeout": 1e9}, "timeout", "LARS_TIMEOUT_MAX"),
    ],
)
async def test_wrong_fields(desk: Desk, body: dict[str, Any], field: str, remedy: str) -> None:
    """Each is named with its remedy, and no model is asked."""
    answer = await desk.client.post(GENERATE, json=body)
    (error,) = problem(answer, 422, "validation_failed")["errors"]
    assert error["field"] == field
    assert remedy in error["remedy"]
    assert desk.planner.asks == []


async def test_any_language(desk: Desk) -> None:
    """A question and its program may have any characters, up to the ceiling."""
    query = "素数を数えて 🐍" + "é" * 16_000
    desk.planner.begin(wrote("print('素数 🐍')"))
    body = await desk.generated(query=query)
    assert (body["query"], body["stdout"]) == (query, "素数 🐍\n")
    assert desk.planner.asks[0].given["query"] == query


async def test_data_that_no_program_can_read(desk: Desk) -> None:
    """Is the caller's fault, and given to no model to repair."""
    desk.planner.begin(wrote("result = 1"), wrote("result = 2"))
    text = '{"query": "x", "max_repairs": 5, "data": [' + "9" * 5000 + "]}"
    headers = {"Content-Type": "application/json"}
    answer = await desk.client.post(GENERATE, content=text, headers=headers)
    (error,) = problem(answer, 422, "validation_failed")["errors"]
    assert (error["field"], len(desk.planner.asks)) == ("data", 1)


async def test_schemathesis(desk: Desk) -> None:
    """Requests that are made from the document: nothing but what it promises comes back."""
    desk.planner.always = wrote("result = 42")
    command = (
        *("-m", "schemathesis.cli", "run", f"http://127.0.0.1:{desk.port}/openapi.json", "--no-color"),
        *("--checks", "all", "--exclude-checks", "positive_data_acceptance", "--phases", "fuzzing"),
        *("--max-examples", "6", "--seed", "20", "--include-path", GENERATE),
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, cwd=desk.state.settings.data_root
    )
    said, _ = await asyncio.wait_for(process.communicate(), 50)
    assert process.returncode == 0, said.decode()[-5000:]
    assert "1 selected" in said.decode()
    assert len(desk.planner.asks) > 1
