"""An error as a response: application/problem+json."""

from __future__ import annotations

import json
from typing import Any

import orjson
from starlette.responses import Response

from service.errors import MEDIA_TYPE, LarsError, problem


class ProblemResponse(Response):
    """Status, headers and body as ``service.errors.problem`` gives them."""

    media_type = MEDIA_TYPE

    def __init__(self, error: LarsError, request_id: str | None = None) -> None:
        status, headers, body = problem(error, request_id)
        super().__init__(body, status_code=status, headers=headers)

    def render(self, content: Any) -> bytes:
        """JSON, always: what orjson cannot hold (a lone surrogate, a set) is told in another way."""
        try:
            return orjson.dumps(content)
        except orjson.JSONEncodeError:
            return json.dumps(content, default=repr, ensure_ascii=False).encode("utf-8", "replace")
