"""The way of a request through one front's gate and limits, and what is written down of it."""

from __future__ import annotations

import time
from typing import Protocol, cast

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.denials import Denials
from service.access.gate import Gate, Need
from service.access.meter import Meter
from service.access.principal import Actor, Principal
from service.access.scopes import Scope as KeyScope
from service.errors import KeyUnknown, ScopeMissing
from service.http.record import record_of
from service.limits.limiter import Admission, Limiter

# What runs foreign code, and so counts as a run while it lasts.
_RUNS = frozenset((KeyScope.EXECUTE, KeyScope.GENERATE, KeyScope.REST, KeyScope.FUNCTIONS_CALL))


# Whose changes the audit log has, and attempts at them.
_RECORDED = frozenset((KeyScope.ADMIN, KeyScope.FUNCTIONS_WRITE))


class Watcher(Protocol):
    """What is asked of ``Watch``."""

    @property
    def behind(self) -> bool: ...
    async def catch_up(self) -> None: ...
    async def after_look(self, scope: Scope) -> None: ...
    async def changed(self) -> None: ...


class Passage:
    """One front's. ``watch``: who looks at the control database for it; None where nobody does."""

    def __init__(self, gate: Gate, limiter: Limiter, meter: Meter, denials: Denials | None = None) -> None:
        self.gate = gate
        self.limiter = limiter
        self.meter = meter
        self.watch: Watcher | None = None
        self._denials = denials

    async def changed(self) -> None:
        """The control database was changed here: every front of this node looks before its next request."""
        if self.watch is not None:
            await self.watch.changed()

    async def through(self, app: ASGIApp, needs: Need, scope: Scope, receive: Receive, send: Send) -> None:
        """Have ``app`` answer, if the caller may ask."""
        client = scope["client"]
        address = client[0] if client else ""
        try:
            principal = await self._admit(scope, address, needs)
        except ScopeMissing as error:
            if self._denials is not None and needs in _RECORDED and scope["method"] not in ("GET", "HEAD"):
                await self._denials.record(error.who, address, scope["route"].path)
            raise
        record = record_of(scope)
        record.principal = principal.name
        scope["state"]["principal"] = principal
        if not principal.keyed:
            await app(scope, receive, send)
            return
        counted = _Counted(send, principal)
        try:
            counted.admission = await self.limiter.admit(principal, runs=needs in _RUNS)
            scope["state"]["admission"] = counted.admission
            await app(scope, receive, counted.send)
        finally:
            cpu = record.spent.cpu
            self.meter.count(principal.name, failed=counted.failed, cpu=cpu)
            if counted.admission is not None:
                if cpu:
                    await counted.admission.charge(cpu=cpu)
                await counted.admission.release()

    async def _admit(self, scope: Scope, address: str, needs: Need) -> Principal:
        """As the gate says; what it does not know it is asked again after a look. Every unknown key waits for
        the same look, so that the time tells nothing of it."""
        try:
            return self.gate.admit(scope["headers"], address, needs)
        except KeyUnknown:
            if self.watch is None:
                raise
        await self.watch.after_look(scope)
        return self.gate.admit(scope["headers"], address, needs)


class _Counted:
    """Sees how the answer begins, and tells the caller what is left."""

    def __init__(self, send: Send, principal: Principal) -> None:
        self.admission: Admission | None = None
        self.failed = True  # until an answer says otherwise
        self._send = send
        self._sunset = principal.sunset

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.failed = message["status"] >= 400
            if self.admission is not None:
                message["headers"].extend(self.admission.headers())
            if self._sunset is not None:
                message["headers"].extend(_sunset(self._sunset))
        await self._send(message)


def _sunset(end: float) -> list[tuple[bytes, bytes]]:
    """The secret is being replaced: Deprecation (RFC 9745) and Sunset (RFC 8594)."""
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(end))
    return [(b"deprecation", b"@%d" % int(time.time())), (b"sunset", when.encode())]


def principal_of(request: Request) -> Principal:
    """Who asks, as the gate has found."""
    return cast(Principal, request.scope["state"]["principal"])


def admission_of(request: Request) -> Admission | None:
    """What the limits of its key have said; None where there are none."""
    return cast("Admission | None", request.scope["state"].get("admission"))


def actor_of(request: Request) -> Actor:
    """The same for the audit log, with the address."""
    return Actor(principal_of(request).name, request.client.host if request.client else "")
