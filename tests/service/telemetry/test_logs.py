"""Logs: one pipeline for all lines, in real processes whose descriptor 2 is a pipe or a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.logs import FOREIGN_KEYS, HIDDEN, SECRET_KEYS, output_format, render_json, withhold

ROOT = Path(__file__).parents[3]
PREAMBLE = """
import logging, os, structlog, sys
from service.settings import Settings
from service.telemetry.logs import configure_logging
configure_logging(Settings.from_env(os.environ))
log = structlog.get_logger("lars.test")
"""
ANSI = "\x1b["


def arguments(script: str) -> list[str]:
    """A command that configures logging and then runs ``script``."""
    return [sys.executable, "-c", PREAMBLE + textwrap.dedent(script)]


def run(script: str, **environ: str) -> str:
    """What the script writes to a stderr that is a pipe; stdout stays empty."""
    done = subprocess.run(
        arguments(script),
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == ""
    return done.stderr


def lines(script: str, **environ: str) -> list[dict[str, Any]]:
    """The same as JSON, line by line."""
    return [orjson.loads(line) for line in run(script, **environ).splitlines()]


def run_on_terminal(script: str, **environ: str) -> str:
    """What the script writes to a stderr that is a terminal."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(arguments(script), cwd=ROOT, env={**os.environ, **environ}, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65_536):
            text += chunk
    except OSError:
        pass  # EIO: the last process with the terminal open is gone (pty(7))
    os.close(ours)
    assert child.wait(timeout=30) == 0
    return text.decode()


def test_a_line() -> None:
    """One JSON object: event first, then the fields, level, logger and a UTC time in ISO 8601."""
    (line,) = lines('log.info("hello", count=1)')
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
    assert next(iter(line)) == "event"
    assert line == {"event": "hello", "count": 1, "level": "info", "logger": "lars.test"}


def test_libraries_use_the_same_pipeline() -> None:
    """logging, warnings, uvicorn's and asyncio's loggers: the same form, with the bound request id."""
    written = lines(
        """
        import warnings
        structlog.contextvars.bind_contextvars(request_id="r1")
        logging.getLogger("some.library").warning("%s of %d", "one", 2)
        logging.getLogger("uvicorn.error").info("started")
        logging.getLogger("asyncio").error("slow")
        logging.getLogger("odd").log(35, "between")
        warnings.warn("old", stacklevel=1)
        """
    )
    assert [(line["logger"], line["level"]) for line in written] == [
        ("some.library", "warning"),
        ("uvicorn.error", "info"),
        ("asyncio", "error"),
        ("odd", "warning"),
        ("py.warnings", "warning"),
    ]
    assert written[0]["event"] == "one of 2"
    assert {line["request_id"] for line in written} == {"r1"}


def test_a_library_whose_arguments_do_not_fit() -> None:
    """The line is written all the same, and nothing is raised."""
    (line,) = lines('logging.getLogger("x").warning("%d apples", "no")')
    assert line["event"] == "%d apples ('no',)"


def test_uvicorns_access_log_is_off() -> None:
    """There is one line per request, and it is ours."""
    assert run('logging.getLogger("uvicorn.access").info("GET /")') == ""


@pytest.mark.parametrize(
    ("environ", "seen"),
    [
        ({}, ["i", "w", "e", "lib.w", "uvicorn.i"]),
        ({"ENVIRONMENT": "development"}, ["d", "i", "w", "e", "lib.w", "uvicorn.i"]),
        ({"LARS_LOG_LEVEL": "warning"}, ["w", "e", "lib.w"]),
        ({"LARS_LOG_LEVEL": "error", "ENVIRONMENT": "development"}, ["e"]),
    ],
)
def test_levels(environ: Mapping[str, str], seen: list[str]) -> None:
    """The setting decides; info and debug lines of libraries, which may hold URLs and headers, stay out."""
    script = """
        log.debug("d"); log.info("i"); log.warning("w"); log.error("e")
        library, server = logging.getLogger("lib"), logging.getLogger("uvicorn.error")
        library.debug("lib.d"); library.info("lib.i"); library.warning("lib.w")
        server.debug("uvicorn.d"); server.info("uvicorn.i")
    """
    assert [line["event"] for line in lines(script, **environ)] == seen


def test_a_traceback_has_no_local_variables() -> None:
    """They hold what callers sent. On a terminal neither, although the renderer could."""
    script = """
        def handle(value):
            program = value * 2
            raise RuntimeError("boom")
        try:
            handle("ha" + "lf")
        except RuntimeError:
            log.exception("failed")
    """
    (line,) = lines(script)
    assert "RuntimeError: boom" in line["exception"]
    assert "in handle" in line["exception"]
    assert "halfhalf" not in line["exception"]
    console = run_on_terminal(script)
    assert "RuntimeError: boom" in console
    assert "halfhalf" not in console


def test_what_ends_a_process() -> None:
    """An exception that nobody catches is one line, too."""
    child = subprocess.run(
        arguments('raise RuntimeError("boom")'), cwd=ROOT, capture_output=True, check=False, timeout=30
    )
    (line,) = map(orjson.loads, child.stderr.splitlines())
    assert (line["event"], line["level"]) == ("process_failed", "critical")
    assert line["exception"].endswith("RuntimeError: boom")
    assert child.returncode == 1


def test_a_terminal_gets_the_console_form() -> None:
    """Colours and no JSON; ``json`` is JSON there too."""
    script = 'log.info("hello", count=1)'
    console = run_on_terminal(script, TERM="xterm")
    assert "hello" in console
    assert ANSI in console
    assert not console.startswith("{")
    assert orjson.loads(run_on_terminal(script, LARS_LOG_FORMAT="json"))["event"] == "hello"


def test_the_console_form_in_a_file_has_no_colours() -> None:
    """``console`` forces the form, not the terminal."""
    written = run('log.info("hello", count=1)', LARS_LOG_FORMAT="console")
    assert "hello" in written
    assert "count=1" in written
    assert ANSI not in written


def test_a_log_that_nobody_reads() -> None:
    """A reader that is gone costs the line, not the process."""
    child = subprocess.Popen(
        arguments('sys.stdin.read(); log.info("lost"); print("alive")'),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    child.stderr.close()
    child.stderr = None
    assert child.communicate("", timeout=30)[0] == "alive\n"
    assert child.returncode == 0


def test_a_log_whose_reader_stands_still() -> None:
    """Costs lines, which are counted, and not the process."""
    child = subprocess.Popen(
        arguments("""
            for number in range(2000):
                log.info("line", number=number)
            print("alive", flush=True)
            sys.stdin.read()
            log.info("again")
        """),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"alive\n"
    assert child.stderr is not None
    early = os.read(child.stderr.fileno(), 1 << 20)
    written = [orjson.loads(line) for line in (early + child.communicate(b"", timeout=30)[1]).splitlines()]
    *kept, again, told = written
    assert [line["number"] for line in kept] == list(range(len(kept))), "the first were kept"
    assert (again["event"], told["event"], told["level"]) == ("again", "log_lines_lost", "warning")
    assert told["lines"] == 2000 - len(kept)


def test_a_served_request() -> None:
    """The whole front: every line of a real server is JSON, and the request has exactly one."""
    script = """
        import asyncio, httpx, socket, uvicorn
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse
        from tests.service.http.stack import application

        async def endpoint(request):
            if request.method == "POST":
                raise RuntimeError("boom")
            return PlainTextResponse("hello")

        async def main():
            listener = socket.create_server(("127.0.0.1", 0))
            config = uvicorn.Config(application(endpoint), log_config=None, lifespan="off")
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=base_url) as client:
                await client.get("/?token=hush", headers={"X-Request-ID": "r1", "Authorization": "hush"})
                await client.post("/", headers={"X-Request-ID": "r2"}, content=b"hush")
            server.should_exit = True
            await task

        asyncio.run(main())
    """
    text = run(script)
    assert "hush" not in text
    written = [orjson.loads(line) for line in text.splitlines()]
    requests = [line for line in written if line["event"] == "request"]
    assert [(line["request_id"], line["status"], line["logger"]) for line in requests] == [
        ("r1", 200, "lars.access"),
        ("r2", 500, "lars.access"),
    ]
    (failure,) = [line for line in written if "exception" in line]
    assert (failure["request_id"], failure["level"], failure["logger"]) == ("r2", "error", "lars.http")
    assert {line["logger"] for line in written} == {"lars.access", "lars.http", "uvicorn.error"}


@pytest.mark.parametrize(
    ("wanted", "is_terminal", "form"),
    [
        ("auto", True, "console"),
        ("auto", False, "json"),
        ("json", True, "json"),
        ("json", False, "json"),
        ("console", True, "console"),
        ("console", False, "console"),
    ],
)
def test_output_format(wanted: str, is_terminal: bool, form: str) -> None:
    """``auto`` looks at the terminal, the others do not."""
    assert output_format(wanted, is_terminal=is_terminal) == form


@pytest.mark.parametrize("method", ["debug", "info", "error"])
@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_secrets_are_hidden_at_every_level(key: str, method: str) -> None:
    """Whoever passes one."""
    assert withhold(None, method, {"event": "x", key: "hush"}) == {"event": "x", key: HIDDEN}


@pytest.mark.parametrize("key", sorted(FOREIGN_KEYS))
def test_foreign_code_is_for_debug_only(key: str) -> None:
    """Above debug only its size is told."""
    assert withhold(None, "debug", {"event": "x", key: "import os"})[key] == "import os"
    assert withhold(None, "info", {"event": "x", key: "import os"})[key] == "(9 long)"
    assert withhold(None, "error", {"event": "x", key: 42})[key] == HIDDEN


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.none()
            | st.booleans()
            | st.floats()
            | st.integers()
            | st.text()
            | st.binary()
            | st.just(object()),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=5,
    )
)
def test_any_line_is_one_line_of_json(event: dict[str, Any]) -> None:
    """Lone surrogates, huge integers, bytes and line breaks included: no forged line, no lost line."""
    text = render_json(None, "info", dict(event))
    assert "\n" not in text
    assert set(orjson.loads(text)) >= {key for key in event if key.isascii()}
