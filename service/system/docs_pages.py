"""GET /docs and /redoc: the OpenAPI document in Swagger UI and in Redoc, whose files are in this package.

Neither page has a script or style in its text, nor may it ask another host for anything: what a docstring
holds that is markup after all can do nothing. All URLs are relative: the service may be mounted anywhere.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import anyio.to_thread
import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.errors import NotFound
from service.http.entity_tag import is_known

ASSETS: Final = Path(__file__).with_name("assets")
_DIGITS: Final = 16
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; "
)
# What Redoc 2.5.3 puts into style elements: nothing, which it then fills through the object model, and the
# style sheet of its scroll bars.
_STYLES_OF_REDOC: Final = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)
_NOT_GZIP: Final = re.compile(r"\bgzip\s*;\s*q=0(\.0*)?\s*(,|$)")
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>LARS API</title>
<link rel="icon" href="data:,">
{styles}</head>
<body>
<div id="api"></div>
{scripts}</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Asset:
    """``packed``: by gzip; ``digest``: of the file as its package has it."""

    packed: bytes
    digest: str
    media_type: str

    @property
    def tag(self) -> str:
        """Of the content, however it is coded."""
        return f'"{self.digest}"'


@dataclass(frozen=True, slots=True)
class _Page:
    body: bytes
    policy: str

    @property
    def tag(self) -> str:
        return f'"{sha256(self.body).hexdigest()[:_DIGITS]}"'


async def docs(request: Request) -> Response:
    """GET /docs."""
    return await _page(request, "docs")


async def redoc(request: Request) -> Response:
    """GET /redoc."""
    return await _page(request, "redoc")


async def asset(request: Request) -> Response:
    """GET /docs/assets/DIGEST/NAME. The digest is in the path, so that a copy is good for ever. NotFound."""
    found = (await anyio.to_thread.run_sync(assets)).get(request.path_params["name"])
    if found is None or found.digest != request.path_params["digest"]:
        raise NotFound("there is no such file of these pages; open /docs or /redoc anew")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": f"W/{found.tag}",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if is_known(request.headers.get("if-none-match"), found.tag):
        return Response(status_code=304, headers=headers)
    if _takes_gzip(request):
        return Response(
            found.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.media_type
        )
    body = await anyio.to_thread.run_sync(gzip.decompress, found.packed)
    return Response(body, headers=headers, media_type=found.media_type)


@cache
def assets() -> dict[str, _Asset]:
    """By name. Reads files, once."""
    known = orjson.loads((ASSETS / "assets.json").read_bytes())["files"]
    found = {
        name: _asset(name, (ASSETS / f"{name}.gz").read_bytes(), about["sha256"])
        for name, about in known.items()
    }
    for path in sorted(ASSETS.glob("*-start.*")):
        text = path.read_bytes()
        found[path.name] = _asset(path.name, gzip.compress(text, mtime=0), sha256(text).hexdigest())
    return found


def _asset(name: str, packed: bytes, digest: str) -> _Asset:
    return _Asset(packed, digest[:_DIGITS], _TYPES[Path(name).suffix])


@cache
def _pages() -> dict[str, _Page]:
    return {
        "docs": _Page(
            _html(("swagger-ui.css",), ("swagger-ui-bundle.js", "swagger-start.js")),
            f"{_POLICY}style-src 'self'",
        ),
        "redoc": _Page(
            _html(("redoc-start.css",), ("redoc.standalone.js", "redoc-start.js")),
            f"{_POLICY}style-src 'self' {_STYLES_OF_REDOC}; worker-src blob:",
        ),
    }


def _html(styles: tuple[str, ...], scripts: tuple[str, ...]) -> bytes:
    return _PAGE.format(
        styles="".join(f'<link rel="stylesheet" href="{url_of(name)}">\n' for name in styles),
        scripts="".join(f'<script src="{url_of(name)}"></script>\n' for name in scripts),
    ).encode()


def url_of(name: str) -> str:
    """Of an asset, relative to the pages. Reads files, once."""
    return f"docs/assets/{assets()[name].digest}/{name}"


async def _page(request: Request, name: str) -> Response:
    page = (await anyio.to_thread.run_sync(_pages))[name]
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": page.policy,
        "ETag": page.tag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    if is_known(request.headers.get("if-none-match"), page.tag):
        return Response(status_code=304, headers=headers)
    return Response(page.body, headers=headers, media_type="text/html")


def _takes_gzip(request: Request) -> bool:
    """RFC 9110 section 12.5.3."""
    given = request.headers.get("accept-encoding", "").lower()
    return "gzip" in given and not _NOT_GZIP.search(given)
