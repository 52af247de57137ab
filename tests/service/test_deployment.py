"""What a unit is told of a file of settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.deployment import main


def told(path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    (path / "lars.env").write_text(text)
    status = main([str(path / "lars.env")])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize(
    ("text", "listen", "network"),
    [
        ("", "127.0.0.1:8000", "no"),
        ("LARS_HOST=0.0.0.0\nLARS_PORT=80\n", "0.0.0.0:80", "no"),
        ("LARS_HOST=::1\n", "[::1]:8000", "no"),
        ("TOGETHER_API_KEY=key\n", "127.0.0.1:8000", "yes"),
        ("LARS_LLM_BASE_URL=http://127.0.0.1:11434/v1\n", "127.0.0.1:8000", "yes"),
        ("TOGETHER_API_KEY=key\nLARS_DEFAULT_PROVIDER=builtin\n", "127.0.0.1:8000", "no"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318\n", "127.0.0.1:8000", "yes"),
        ("LARS_DATABASE_URL=postgresql+asyncpg://u:p@host/db\n", "127.0.0.1:8000", "yes"),
        ("LARS_DATABASE_URL=sqlite+aiosqlite:////var/lib/lars/x.db\n", "127.0.0.1:8000", "no"),
        ("LARS_RATE_STORE=redis://host\n", "127.0.0.1:8000", "yes"),
        ("LARS_RATE_STORE=unix:///run/redis.sock\n", "127.0.0.1:8000", "no"),
    ],
)
def test_facts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, listen: str, network: str
) -> None:
    assert told(tmp_path, text, capsys) == (0, f"listen {listen}\nnetwork {network}\n", "")


def test_every_bad_value_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = told(tmp_path, "LARS_FRONTS=many\nLARS_PORT=-1\n", capsys)
    assert (status, out) == (1, "")
    assert "LARS_FRONTS" in err
    assert "LARS_PORT" in err
