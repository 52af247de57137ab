"""Uploading modules over HTTP."""

from __future__ import annotations

import hashlib

import pytest

from tests.functions.api import (
    ADD,
    MAX_MODULE,
    MODULE,
    QUOTA,
    Api,
    refusal,
)


def test_an_upload(api: Api, contract: str) -> None:
    """201 the first time, 200 after that; the digest is that of the bytes."""
    for status, text in ((201, ADD), (200, ADD), (200, ADD + "\n# changed\n")):
        answer = api.upload(contract, text)
        assert answer.status_code == status
        assert answer.json() == {
            "visible_pixel_hash": contract,
            "module_name": MODULE,
            "size": len(text),
            "digest": hashlib.sha256(text.encode()).hexdigest(),
            "created": status == 201,
        }
    path = api.uploads / "results" / contract / f"{MODULE}.py"
    assert path.read_text() == ADD + "\n# changed\n"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("agent.txt", (400, "bad_request")),
        (".py", (422, "validation_failed")),
        ("a-b.py", (422, "validation_failed")),
        ("%2e%2e.py", (422, "validation_failed")),
        ("..%2fagent.py", (404, "not_found")),
    ],
)
def test_names_of_uploads(api: Api, contract: str, file: str, expected: tuple[int, str]) -> None:
    answer = api.write("PUT", f"/uploads/{contract}/{file}", content=ADD)
    assert refusal(answer) == expected
    assert not (api.uploads / "results" / contract).exists()


def test_sizes_of_uploads(api: Api, contract: str) -> None:
    """One byte more than the limit of a module, or of all of a contract, is 413; what was there stays."""
    fits, more = "#" * MAX_MODULE, "#" * (MAX_MODULE + 1)
    assert refusal(api.upload(contract, more, "m0")) == (413, "payload_too_large")
    for number in range(QUOTA // MAX_MODULE):
        assert api.upload(contract, fits, f"m{number}").status_code == 201
    answer = api.upload(contract, "#", "one_more")
    assert refusal(answer) == (413, "payload_too_large")
    assert "LARS_UPLOADS_QUOTA" in answer.json()["error"]
    assert api.upload(contract, fits, "m0").status_code == 200
