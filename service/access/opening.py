"""What a service does that has no key yet: open to the machine that it runs on, closed to every other."""

from __future__ import annotations

import ipaddress

from service.access.scopes import Scope

# Never open: they change what other callers get.
_ALWAYS_KEYED = frozenset((Scope.FUNCTIONS_WRITE, Scope.ADMIN))
OPEN_SCOPES = frozenset(Scope) - _ALWAYS_KEYED


class OpeningRefused(Exception):
    """The service would be open to other machines; the text says what to do."""


def check_opening(address: str, *, has_keys: bool) -> bool:
    """Whether the service stands open to its own machine. OpeningRefused when it would to others.

    ``address``: the one it listens on."""
    if has_keys:
        return False
    if not is_loopback(address):
        raise OpeningRefused(
            f"LARS_HOST={address} lets other machines send programs, and there is no key that they would "
            "need; make one with 'lars keys add --name NAME --env prod', set LARS_AUTH_TOKEN or "
            "STARGATE_API_KEY, or listen on 127.0.0.1"
        )
    return True


def is_loopback(address: str) -> bool:
    """Whether an IP address is of this machine alone; a text that is none is not."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def is_local_host(host: str) -> bool:
    """Whether a Host header (RFC 9110 section 7.2) names this machine, or there is none. A web page that has
    its own name resolve to 127.0.0.1 is told apart by it (DNS rebinding); browsers always send one."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    return name in ("", "localhost") or name.endswith(".localhost") or is_loopback(name)
