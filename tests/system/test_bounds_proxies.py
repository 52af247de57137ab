"""A running service behind a proxy that it trusts: the log names the proxy's client."""

from __future__ import annotations

from pathlib import Path

from tests.service_process import running_service


def test_forwarded_addresses(tmp_path: Path) -> None:
    """The rightmost that is not the proxy's. uvicorn's own variable, by which it would be the leftmost, is
    not read."""
    settings = {"LARS_TRUSTED_PROXIES": "127.0.0.1", "FORWARDED_ALLOW_IPS": "*"}
    headers = {"X-Forwarded-For": "10.9.9.9, 203.0.113.7", "X-Request-ID": "forwarded"}
    with running_service(tmp_path, settings) as service:
        with service.client(headers=headers) as asking:
            assert asking.get("/health").status_code == 200
        (line,) = service.requests_logged("forwarded")
    assert line["client"] == "203.0.113.7"
