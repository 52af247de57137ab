"""/docs, /redoc and their files over HTTP, and a document that follows what is loaded, in every front."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from service.system.docs_pages import ASSETS, url_of
from tests.access.keyed import Keyed, keyed_service
from tests.service.functions.described import HASH, check_valid

ROOT = Path(__file__).resolve().parents[2]
KNOWN = json.loads((ASSETS / "assets.json").read_text())["files"]
TEXT = '''
def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b
'''


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    directory = tmp_path_factory.mktemp("docs")
    uploads = directory / "uploads"
    uploads.mkdir()
    with keyed_service(directory, LARS_UPLOADS_DIR=str(uploads)) as service:
        yield service


def get(keyed: Keyed, path: str, **headers: str) -> httpx.Response:
    """Without a key."""
    return keyed.ask(None, path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_pages(keyed: Keyed, path: str) -> None:
    """All that they are made of is a file of ours; the policy allows nothing inline, and no other host."""
    page = get(keyed, path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["x-content-type-options"] == "nosniff"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert not re.search(r"unsafe|https?:|\*|script-src", policy)
    assert re.search(r"<script>|<style|\son\w+=|style=", page.text) is None
    urls = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert urls
    assert all(not url.startswith(("/", "http")) and get(keyed, f"/{url}").status_code == 200 for url in urls)
    again = get(keyed, path, If_None_Match=page.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert keyed.ask(None, path, "HEAD").headers["etag"] == page.headers["etag"]


@pytest.mark.parametrize("name", [*KNOWN, "redoc-start.js", "redoc-start.css", "swagger-start.js"])
def test_assets(keyed: Keyed, name: str) -> None:
    """As the package has them, however they are coded on the way; kept for ever under their digest."""
    url = f"/{url_of(name)}"
    packed = get(keyed, url, Accept_Encoding="gzip, br")
    plain = get(keyed, url, Accept_Encoding="identity")
    refused = get(keyed, url, Accept_Encoding="br, gzip;q=0.0")
    assert [each.headers.get("content-encoding") for each in (packed, plain, refused)] == ["gzip", None, None]
    assert packed.content == plain.content == refused.content
    assert url.split("/")[3] == sha256(plain.content).hexdigest()[:16]
    for answer in (packed, plain):
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"].startswith(
            "text/css" if name.endswith("css") else "text/javascript"
        )
    assert get(keyed, url, If_None_Match=packed.headers["etag"]).status_code == 304


@pytest.mark.parametrize(
    "place", ["0000000000000000/swagger-ui.css", "x/assets.json", "x/..%2Fopenapi.py", "x"]
)
def test_no_other_files(keyed: Keyed, place: str) -> None:
    answer = get(keyed, f"/docs/assets/{place}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", KNOWN)
def test_digests_hold(name: str) -> None:
    """Nobody has changed a file that is somebody else's."""
    assert sha256(gzip.decompress((ASSETS / f"{name}.gz").read_bytes())).hexdigest() == KNOWN[name]["sha256"]


def test_each_package_has_its_licence_and_is_named() -> None:
    """Beside the files, and in docs/dependencies.md with the version."""
    said = (ROOT / "docs" / "dependencies.md").read_text()
    for about in KNOWN.values():
        assert (ASSETS / "licences" / f"{about['package']}.LICENSE").is_file()
        assert f"| {about['package']} {about['version']} |" in said


def test_the_wheel_has_them() -> None:
    """Every file is matched by the package data."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    files = [path for path in ASSETS.rglob("*") if path.is_file()]
    assert len(files) >= len(KNOWN) + 5
    for path in files:
        relative = str(path.relative_to(ASSETS.parent))
        assert any(
            fnmatch(relative, pattern) and relative.count("/") == pattern.count("/")
            for pattern in data["service.system"]
        )


def test_the_document_follows_what_is_loaded(keyed: Keyed) -> None:
    """A load and an unload count in every front with the next request, and only then is there a new body."""
    bare = get(keyed, "/openapi.json")
    assert "/sums/add" not in check_valid(bare.content)["paths"]
    spec = {
        "visible_pixel_hash": HASH,
        "function_name": "add",
        "module_name": "m",
        "endpoint_path": "/sums/add",
    }
    kind = {"Content-Type": "text/x-python"}
    put = keyed.ask(keyed.all, f"/uploads/{HASH}/m.py", "PUT", content=TEXT, headers=kind)
    assert put.status_code == 201, put.text
    loaded = keyed.ask(keyed.all, "/load-function", "POST", json=spec)
    assert loaded.status_code == 200, loaded.text
    tags, examples = set(), set()
    for connection in keyed.fronts.values():
        connection.request("GET", "/openapi.json", headers={"If-None-Match": bare.headers["etag"]})
        answer = connection.getresponse()
        operation = check_valid(answer.read())["paths"]["/sums/add"]["get"]
        assert operation["summary"] == "Add two numbers."
        assert [each["name"] for each in operation["parameters"]] == ["a", "b"]
        assert "security" not in operation  # LARS_PUBLIC has functions:call
        tags.add(answer.headers["etag"])
        examples.add(operation["parameters"][0]["example"])
    (tag,), (example,) = tags, examples
    again = get(keyed, "/openapi.json", If_None_Match=f'"other", W/{tag}')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert get(keyed, f"/sums/add?a={example}").json() == example + 2
    gone = keyed.ask(keyed.all, f"/unload-function/{HASH}/add", "DELETE")
    assert gone.status_code == 200, gone.text
    assert get(keyed, "/openapi.json").headers["etag"] == bare.headers["etag"]


def test_calls_that_need_a_key_say_so(tmp_path: Path) -> None:
    """Where LARS_PUBLIC leaves out functions:call, and docs."""
    with keyed_service(tmp_path, LARS_PUBLIC="health") as private:
        assert private.code(None, "/docs") == "key_missing"
        assert private.code(None, f"/{url_of('swagger-ui.css')}") == "key_missing"
        key = private.key(scopes=["functions:call"])
        document = check_valid(private.ask(key, "/openapi.json").content)
        call = document["paths"]["/function/{contract}/{name}"]["get"]
        assert call["security"] == [{"ApiKey": ["functions:call"]}, {"Bearer": ["functions:call"]}]
