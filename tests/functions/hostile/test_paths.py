"""Who may be reached by which path: a function's own path leads to it and to nothing else, and no function
stands in the place of what is the service's."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import httpx
import pytest

from service.app import NAMES
from tests.functions.hostile.served import Served, hash_of, path_of, said, serving

OWN = "/Own/f"
HASH = hash_of("paths")
OTHERS = 401  # no function: then a resource of a session, for which a key is needed


@pytest.fixture(scope="module")
def paths(service: Served) -> Served:
    """A function at OWN that returns what it is given."""
    loaded = service.bring("paths", "def f(x: str = '-'): return x", endpoint_path=OWN, method="GET")
    assert loaded.status_code == 200
    return service


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Where nothing is public."""
    with serving(tmp_path_factory.mktemp("closed"), LARS_PUBLIC="none") as service:
        yield service


def raw(served: Served, line: str, *headers: str) -> tuple[int, bytes, bytes]:
    """Status, head and body that a request of these bytes is answered."""
    url = httpx.URL(served.keyed.service.url)
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        lines = (line + " HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", "")
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        with connection.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body


@pytest.mark.parametrize(
    "path",
    [OWN, f"{OWN}/", "/Own%2ff", "/%4fwn/f", f"{OWN}#x", f"http://other{OWN}", f"{OWN}?x=-",
     f"/function/{HASH}/f", f"/agent/{HASH.upper()}/f", f"/function/{HASH}/%66"],
)  # fmt: skip
def test_ways_to_a_function(path: str, paths: Served) -> None:
    assert raw(paths, f"GET {path}")[::2] == (200, b'"-"')


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((path, OTHERS) for path in (f"{OWN}//", f"/{OWN}", f"/.{OWN}", f"/x/..{OWN}", "/own/f")),
        *((f"{OWN}{end}", OTHERS) for end in ("%00", "%0d%0a", "%20", "/x", "%2f%2f", "%3fx=1", "%23", ";x")),
        (f"/FUNCTION/{HASH}/f", OTHERS),
        *((f"/function{rest}", 404) for rest in (f"//{HASH}/f", f"/{HASH}/f/", f"/{HASH}/F", f"/{HASH}x/f")),
        *((f"/agent/{HASH}/{name}", 404) for name in ("__init__", "f%00", "..", "%2e%2e", "f.py", "")),
    ],
)  # fmt: skip
def test_what_looks_like_one_is_none(path: str, status: int, paths: Served) -> None:
    assert raw(paths, f"GET {path}")[0] == status


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("HEAD", 200),
        ("POST", 405),
        ("DELETE", 405),
        ("OPTIONS", 405),
        ("TRACE", 405),
        ("get", 400),
        ("BREW", 400),
    ],
)
def test_methods(method: str, status: int, paths: Served) -> None:
    found, head, body = raw(paths, f"{method} {OWN}")
    assert found == status
    assert (b"allow: GET, HEAD" in head) == (status == 405)
    assert body == b"" or method != "HEAD"


@pytest.mark.parametrize(
    "header",
    [
        "X-HTTP-Method-Override: DELETE",
        "X-Original-URL: /_/keys",
        "X-Rewrite-URL: /health",
        "X-Script-Name: /x",
    ],
)
def test_no_header_leads_elsewhere(header: str, paths: Served) -> None:
    assert raw(paths, f"GET {OWN}", header)[::2] == (200, b'"-"')


def test_nothing_that_came_is_in_the_head_of_an_answer(paths: Served) -> None:
    for path in (
        f"{OWN}?x=%0d%0aX-Evil:%201",
        f"/agent/{HASH}/%0d%0aX-Evil:1",
        f"{OWN}?version=%0d%0aX-Evil:1",
    ):
        _, head, _ = raw(paths, f"GET {path}")
        assert b"evil" not in head.lower(), path


@pytest.mark.parametrize(
    ("version", "status"),
    [("1", 200), ("0", 404), ("2", 404), ("999999999", 404), ("9999999999", 400), ("-1", 400), ("1e0", 400),
     ("\u0661", 400), ("", 400), ("1&version=1", 400)],
)  # fmt: skip
def test_versions_that_may_be_asked_for(version: str, status: int, paths: Served) -> None:
    assert paths.client.get(f"{OWN}?version={version}").status_code == status
    if version.isascii() and version.isalnum():
        assert raw(paths, f"GET {OWN}", f"X-Function-Version: {version}")[0] == status


@pytest.mark.parametrize("name", sorted({*NAMES, ".well-known"} - {"agent", "function"}))
def test_what_is_the_services_is_no_functions(name: str, paths: Served) -> None:
    for path in (f"/{name}", f"/{name}/", f"/{name}/x"):
        assert said(paths.load("taken", endpoint_path=path)) == (409, "conflict")


@pytest.mark.parametrize(
    "path",
    ["", "/", "//", "x", "/x//y", "/x/./y", "/../x", "/x%2fy", "/x y", "/x?y", "/x#y", "/\u00e9", "/x\r\ny",
     "/x\0", "/" + "x/" * 17, "/" + "x" * 600, f"/agent/{HASH}", f"/agent/{HASH.upper()}/g",
     f"/function/{HASH[:40]}/f/x"],
)  # fmt: skip
def test_what_is_no_path(path: str, paths: Served) -> None:
    assert said(paths.load("taken", endpoint_path=path)) == (422, "validation_failed")


def test_a_closed_service_does_not_tell_what_paths_there_are(closed: Served) -> None:
    """Whatever the method: the answer is that to any other path."""
    there, not_there = path_of("hidden", "f"), path_of("hidden", "g")
    assert closed.bring("hidden", "def f(): return 1", method="GET").status_code == 200
    for method in ("GET", "HEAD", "POST", "DELETE", "PATCH"):
        told = [closed.client.request(method, path) for path in (there, not_there)]
        assert {answer.status_code for answer in told} == {401}
        texts = {re.sub("[0-9a-f]{32}", "", answer.text) for answer in told}
        assert len(texts) == 1
    assert said(closed.ask("POST", there)) == (405, "method_not_allowed")
