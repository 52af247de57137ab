"""The founding examples again, sent by curl to a running service, as a reader of the documentation would."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping

import pytest

from tests.rest.clients import session_id
from tests.service.rest.sessions import Reply
from tests.service.rest.test_rest_seed import CREDENTIAL, WORKFLOWS, Step, check
from tests.supervisor.serving import Service

_SEPARATOR = "\r\n\r\n"


def _text(sent: object) -> str:
    return sent.decode() if isinstance(sent, bytes) else json.dumps(sent)


def curl(service: Service, step: Step, headers: Mapping[str, str]) -> Reply:
    """The answer that curl prints with ``-i``."""
    method, target = step.request.split(" ")
    body = [] if step.sent is None else ["--data-binary", _text(step.sent)]
    given = headers if step.sent is None else {"Content-Type": "application/json", **headers}
    options = [part for name, value in given.items() for part in ("-H", f"{name}: {value}")]
    command = [
        "curl",
        "-s",
        "-i",
        "--max-time",
        "20",
        "-X",
        method,
        *options,
        *body,
        f"{service.url}{target}",
    ]
    answer = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    head, _, content = answer.partition(_SEPARATOR)
    status, *lines = head.split("\r\n")
    found = dict(line.split(": ", 1) for line in lines)
    location = {"Location": found["location"]} if "location" in found else {}
    return Reply(int(status.split(" ")[1]), json.loads(content) if content else None, location)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow(name: str, service: Service) -> None:
    """Each step in its turn."""
    for step in WORKFLOWS[name]:
        own = {"X-Session-ID": session_id(f"{name}-{step.session}")}
        check(step, curl(service, step, {**own, **step.headers}))


def test_a_credential_alone_names_a_session(service: Service) -> None:
    for step in CREDENTIAL:
        check(step, curl(service, step, {"Authorization": "Bearer a-secret-of-mine", **step.headers}))
