"""A running service's word on who the client is: in the log, and never from a variable of uvicorn's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service_process import running_service

FORWARDED = {"X-Forwarded-For": "10.9.9.9, 203.0.113.7"}


@pytest.mark.parametrize(
    ("settings", "client"),
    [({"FORWARDED_ALLOW_IPS": "*"}, "127.0.0.1"), ({"LARS_TRUSTED_PROXIES": "127.0.0.1"}, "203.0.113.7")],
)
def test_forwarded_addresses(tmp_path: Path, settings: dict[str, str], client: str) -> None:
    """They count when the setting names the peer."""
    with running_service(tmp_path, settings) as service:
        with service.client(headers={**FORWARDED, "X-Request-ID": "forwarded"}) as asking:
            assert asking.get("/health").status_code == 200
        (line,) = service.requests_logged("forwarded")
        assert line["client"] == client
