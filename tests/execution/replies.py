"""Reading what POST /execute answers, the shape of it checked on the way."""

from __future__ import annotations

from typing import Any

import httpx

from tests.service_process import Service

MEMBERS = {
    *"success result stdout stderr exit_code execution_time original_code executed_code".split(),
    *"validation_result error exception verdict detail truncated result_repr warnings usage timing".split(),
}
PROBLEM = {"type", "title", "status", "detail", "code", "error", "instance", "request_id"}
TYPE_JSON = {"Content-Type": "application/json"}


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The body of an error, its shape checked."""
    body = response.json()
    assert (response.status_code, body["code"], body["status"]) == (status, code, status), body
    assert response.headers["content-type"] == "application/problem+json"
    assert set(body) >= PROBLEM
    assert body["type"] == f"urn:lars:error:{code}"
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["instance"] == f"urn:lars:request:{body['request_id']}"
    assert "\n" not in body["error"]
    return dict(body)


def field_errors(service: Service, **body: Any) -> dict[str, dict[str, Any]]:
    """The errors of a 422 by field."""
    response = service.execute(body.pop("code", "pass"), **body)
    return {error["field"]: error for error in problem(response, 422, "validation_failed")["errors"]}
