#!/usr/bin/env python3
"""Checks a running LARS service from the command line. Needs nothing but Python.

    scripts/test_api.py [--url URL] [--test-type all|code|query|health] [--query TEXT]

A service that has keys needs one with the scopes execute and generate, in $LARS_API_KEY.
One line per check; exit code 0 when all passed, 1 when one failed or the service does not answer, 2 for
wrong usage. What the service does not offer is said, not counted, unless ``--test-type query`` asks for it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

DEFAULT_URL = "http://127.0.0.1:8000"
KEY_VARIABLE = "LARS_API_KEY"
DEFAULT_QUERY = "Calculate the first 10 prime numbers"
REPLY_SECONDS = 60.0
NOT_OFFERED = "not offered by this server"
GENERATE = "/generate-and-execute"

Expected = object | Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and the JSON of its body; ``body`` is the text itself where that is not JSON."""

    status: int
    body: object


@dataclass(frozen=True, slots=True)
class Check:
    """A request and what must come back: the status, and members by dotted path (a value or a predicate)."""

    name: str
    path: str
    status: int = 200
    body: bytes | None = None
    members: Mapping[str, Expected] = field(default_factory=dict)
    content_type: str = "application/json"
    optional: bool = False


def execute(
    name: str, request: Mapping[str, object], members: Mapping[str, Expected], status: int = 200
) -> Check:
    """A check of ``POST /execute``."""
    return Check(name, "/execute", status, json.dumps(request).encode(), members)


def is_text(value: object) -> bool:
    """Whether a member holds a string that says something."""
    return isinstance(value, str) and value != ""


def is_seconds(value: object) -> bool:
    """Whether a member holds a duration."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def is_list(value: object) -> bool:
    """Whether a member holds an array with something in it."""
    return isinstance(value, list) and value != []


def mentions(word: str) -> Callable[[object], bool]:
    """A predicate: a string that contains ``word``."""

    def holds(value: object) -> bool:
        return isinstance(value, str) and word in value

    return holds


HEALTH = (
    Check("health", "/health", members={"status": "healthy"}),
    Check("liveness", "/healthz", members={"status": "ok"}),
    Check("readiness", "/readyz"),
    Check("capabilities", "/capabilities", members={"layers": is_list}),
)

CODE = (
    execute(
        "program with every option",
        {
            "code": "print('Hello, world!')",
            "timeout": 10,
            "memory_limit": "100m",
            "cpu_limit": 0.5,
            "validate_code": True,
        },
        {
            "success": True,
            "stdout": "Hello, world!\n",
            "stderr": "",
            "exit_code": 0,
            "execution_time": is_seconds,
            "original_code": "print('Hello, world!')",
            "executed_code": is_text,  # a language model that reviews it may write it in another way
            "validation_result": is_text,
            "verdict": "ok",
            "error": None,
        },
    ),
    execute(
        "mean of the numbers in data",
        {
            "code": "result = sum(data['numbers']) / len(data['numbers'])",
            "data": {"numbers": [1, 2, 3, 4, 5]},
        },
        {"success": True, "result": 3.0},
    ),
    execute(
        "sum of two members of data",
        {"code": 'result = data["x"] + data["y"]', "data": {"x": 1, "y": 2}},
        {"success": True, "result": 3},
    ),
    execute(
        "standard input", {"code": "print(input()[::-1])", "stdin": "stressed\n"}, {"stdout": "desserts\n"}
    ),
    execute(
        "arguments",
        {"code": "import sys\nprint(sys.argv[1:])", "argv": ["a", "b"]},
        {"stdout": "['a', 'b']\n"},
    ),
    execute(
        "uncaught exception",
        {"code": "print('before')\n1 / 0"},
        {
            "success": False,
            "exit_code": 1,
            "verdict": "exception",
            "stdout": "before\n",
            "stderr": mentions('File "main.py", line 2'),
            "exception.type": "ZeroDivisionError",
            "exception.line": 2,
        },
    ),
    execute("exit code", {"code": "raise SystemExit(7)"}, {"exit_code": 7, "verdict": "exit"}),
    execute("syntax error", {"code": "print("}, {"exit_code": 1, "exception.type": "SyntaxError"}),
    execute(
        "timeout keeps the output",
        {"code": "import time\nprint('begun', flush=True)\ntime.sleep(60)", "timeout": 1},
        {"success": False, "exit_code": 124, "verdict": "timeout", "stdout": "begun\n"},
    ),
    execute(
        "no network",
        {"code": "import socket\nsocket.create_connection(('127.0.0.1', 80), 1)"},
        {"success": False, "exit_code": 1},
    ),
    execute("no files of the host", {"code": "open('/etc/shadow')"}, {"success": False, "exit_code": 1}),
    execute(
        "limit above its ceiling", {"code": "1", "timeout": 1e9}, {"error": mentions("timeout")}, status=422
    ),
    execute("unknown member", {"code": "1", "time_out": 3}, {"error": mentions("timeout")}, status=422),
    execute("missing code", {"data": 1}, {"error": mentions("code")}, status=422),
    Check("malformed JSON", "/execute", 400, b'{"code": ', {"error": is_text, "code": is_text}),
    Check("not JSON", "/execute", 415, b"code=1", {"error": is_text}, content_type="text/plain"),
)


def query_checks(query: str) -> tuple[Check, ...]:
    """The check of the endpoint that turns a question into a program and runs it."""
    body = json.dumps({"query": query, "timeout": 15, "memory_limit": "200m", "cpu_limit": 0.5}).encode()
    members: dict[str, Expected] = {
        "query": query,
        "generated_code": is_text,
        "stdout": is_text,
        "exit_code": 0,
        "execution_time": is_seconds,
        "validation_result": is_text,
    }
    return (Check("program from a question", GENERATE, 200, body, members, optional=True),)


def ask(base: str, check: Check) -> Reply:
    """Send the check's request. OSError when nothing answers."""
    request = urllib.request.Request(base + check.path, data=check.body)
    if check.body is not None:
        request.add_header("Content-Type", check.content_type)
    if os.environ.get(KEY_VARIABLE):
        request.add_unredirected_header("X-API-Key", os.environ[KEY_VARIABLE])
    try:
        with opener_for(base).open(request, timeout=REPLY_SECONDS) as reply:
            return Reply(reply.status, as_json(reply.read()))
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Reply(refusal.code, as_json(refusal.read()))


def opener_for(base: str) -> urllib.request.OpenerDirector:
    """An opener that goes to this machine's own addresses directly, whatever proxy the environment names."""
    local = urllib.parse.urlsplit(base).hostname in {"127.0.0.1", "::1", "localhost"}
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))


def as_json(body: bytes) -> object:
    """The body's JSON, or its text."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def member(body: object, path: str) -> object:
    """The value at a dotted path. KeyError when it is not there."""
    for name in path.split("."):
        if not isinstance(body, dict) or name not in body:
            raise KeyError(path)
        body = body[name]
    return body


def faults(check: Check, reply: Reply) -> list[str]:
    """What is wrong with a reply; empty when nothing is."""
    if reply.status != check.status:
        return [f"status {reply.status}, expected {check.status}: {short(reply.body)}"]
    found = []
    for path, expected in check.members.items():
        try:
            value = member(reply.body, path)
        except KeyError:
            found.append(f"no member {path}")
            continue
        if not (expected(value) if callable(expected) else same(value, expected)):
            wanted = "" if callable(expected) else f", expected {short(expected)}"
            found.append(f"{path} is {short(value)}{wanted}")
    return found


def same(value: object, expected: object) -> bool:
    """Equality that tells true from 1."""
    return value == expected and isinstance(value, bool) == isinstance(expected, bool)


def is_absent(reply: Reply) -> bool:
    """Whether the service has no such endpoint, or no language model to ask behind it."""
    return reply.status == 404 or (reply.status == 503 and code_of(reply) == "planner_not_configured")


def why(reply: Reply) -> str:
    """What the service says of it, where it does."""
    detail = reply.body.get("detail") if isinstance(reply.body, dict) else None
    return f": {detail}" if reply.status == 503 and isinstance(detail, str) else ""


def code_of(reply: Reply) -> object:
    """The code of an error."""
    return reply.body.get("code") if isinstance(reply.body, dict) else None


def short(value: object) -> str:
    """A value as one short line."""
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "..."


def run(base: str, checks: Sequence[Check]) -> tuple[int, int, int]:
    """Run the checks, print a line for each: how many passed, failed, and are not offered."""
    passed = failed = absent = 0
    for check in checks:
        reply = ask(base, check)
        if check.optional and is_absent(reply):
            absent += 1
            print(f"----  {check.name}: {check.path} is {NOT_OFFERED}{why(reply)}")
        elif wrong := faults(check, reply):
            failed += 1
            print(f"FAIL  {check.name}: {'; '.join(wrong)}")
        else:
            passed += 1
            print(f"PASS  {check.name}")
    return passed, failed, absent


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; argparse ends the process with code 2 when it is wrong."""
    parser = argparse.ArgumentParser(prog="test_api.py", description="Checks a running LARS service.")
    parser.add_argument(
        "--url",
        default=os.environ.get("LARS_URL", DEFAULT_URL),
        help=f"where the service listens (default: $LARS_URL, or {DEFAULT_URL})",
    )
    parser.add_argument("--test-type", choices=("all", "code", "query", "health"), default="all")
    parser.add_argument("--query", default=DEFAULT_QUERY, help="the question that --test-type query asks")
    options = parser.parse_args(arguments)
    if not options.url.startswith(("http://", "https://")):
        parser.error(f"--url is {options.url!r}: it must begin with http:// or https://")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the exit code."""
    options = parse_arguments(arguments)
    base = options.url.rstrip("/")
    groups = {"health": HEALTH, "code": CODE, "query": query_checks(options.query)}
    chosen = groups if options.test_type == "all" else {options.test_type: groups[options.test_type]}
    try:
        passed, failed, absent = run(base, [check for checks in chosen.values() for check in checks])
    except OSError as error:
        print(
            f"{base} does not answer ({error}): start the service with ./scripts/start_api.sh",
            file=sys.stderr,
        )
        return 1
    print(f"{passed} passed, {failed} failed, {absent} {NOT_OFFERED}")
    return 1 if failed or (absent and options.test_type == "query") else 0


if __name__ == "__main__":
    sys.exit(main())
