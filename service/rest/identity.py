"""Whose session a request is for. The principal is part of it: one id under two credentials is two
sessions."""

from __future__ import annotations

import hashlib
import re

from starlette.requests import Request

from sandbox_runtime.domain import Session
from service.errors import BadRequest
from service.pool.shares import EXEMPT

HEADER = "X-Session-ID"
ANONYMOUS = "anonymous"
DERIVED = "default"
_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)
_FORM = "1 to 128 of A-Z a-z 0-9 . _ ~ -"


def principal_of(request: Request) -> str:
    """Who asks: a digest of the credential, so that no secret is in a log."""
    given = [*request.headers.getlist("authorization"), *request.headers.getlist("x-api-key")]
    if not given:
        return ANONYMOUS
    if len(given) > 1:
        raise BadRequest(
            f"{len(given)} credentials came (Authorization, X-API-Key); send the one whose sessions are meant"
        )
    (credential,) = given
    return f"bearer:{hashlib.sha256(credential.encode('latin-1')).hexdigest()[:32]}"


def payer_of(principal: str) -> str:
    """Whose share of the workers is used for what this principal asks: nobody's where there is no credential,
    because then all callers may be one."""
    return EXEMPT if principal == ANONYMOUS else principal


def has_session(request: Request) -> bool:
    """Whether the caller says whose session it is."""
    return HEADER in request.headers or principal_of(request) != ANONYMOUS


def session_of(request: Request, default: str | None = None) -> Session:
    """From X-Session-ID, else from the credential, else ``default``. BadRequest when there is none of them,
    or the id is none."""
    principal = principal_of(request)
    given = request.headers.getlist(HEADER)
    if not given and principal != ANONYMOUS:
        return Session(principal, DERIVED)
    if not given and default is not None:
        return Session(principal, default)
    if not given:
        raise BadRequest(
            f"no session: there is no header {HEADER}, and no Authorization to derive one from; "
            f"send {HEADER} with {_FORM} (a long random one keeps others out)"
        )
    if len(given) > 1:
        raise BadRequest(f"{HEADER} came {len(given)} times; send it once")
    return named_session(request, given[0])


def named_session(request: Request, session_id: str) -> Session:
    """The caller's session of this id. BadRequest when it is none."""
    if _ID.fullmatch(session_id) is None:
        raise BadRequest(f"the session id {session_id[:150]!r} is not {_FORM}; send such an id")
    return Session(principal_of(request), session_id)
