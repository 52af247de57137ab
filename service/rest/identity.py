"""Whose session a request is for. The principal is part of it: one id under two credentials is two
sessions."""

from __future__ import annotations

import re

from starlette.requests import Request

from sandbox_runtime.domain import Session
from service.access.passage import principal_of
from service.access.principal import ANONYMOUS
from service.access.scopes import Scope
from service.errors import BadRequest

HEADER = "X-Session-ID"
DERIVED = "default"
_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)
_FORM = "1 to 128 of A-Z a-z 0-9 . _ ~ -"


def has_session(request: Request) -> bool:
    """Whether the caller names one, and may use it."""
    return HEADER in request.headers and Scope.REST in principal_of(request).scopes


def session_of(request: Request, default: str | None = None) -> Session:
    """From X-Session-ID, else from the credential, else ``default``. BadRequest when there is none of them,
    or the id is none."""
    principal = principal_of(request).name
    given = request.headers.getlist(HEADER)
    if not given and principal != ANONYMOUS:
        return Session(principal, DERIVED)
    if not given and default is not None:
        return Session(principal, default)
    if not given:
        raise BadRequest(
            f"no session: there is no header {HEADER}, and no key to derive one from; "
            f"send {HEADER} with {_FORM} (a long random one keeps others out)"
        )
    if len(given) > 1:
        raise BadRequest(f"{HEADER} came {len(given)} times; send it once")
    return named_session(request, given[0])


def named_session(request: Request, session_id: str) -> Session:
    """The caller's session of this id. BadRequest when it is none."""
    if _ID.fullmatch(session_id) is None:
        raise BadRequest(f"the session id {session_id[:150]!r} is not {_FORM}; send such an id")
    return Session(principal_of(request).name, session_id)
