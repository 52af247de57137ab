"""A key, its usage and entries of the audit log as JSON shows them: never a secret, nor its digest. Pure."""

from __future__ import annotations

import orjson

from service.access.principal import Key
from service.access.scopes import in_order
from service.control.key_rules import state_of
from service.control.seals import Entry
from service.control.usage import Figures, Usage
from service.times import shown_time


def principal_of(key_id: str) -> str:
    """Whom the usage of a key belongs to: ``Principal.name``."""
    return f"key:{key_id}"


def key_view(key: Key, figures: Figures, now: float) -> dict[str, object]:
    """Times as RFC 3339, null where there is none; ``usage`` over all days."""
    spec = key.spec
    return {
        "id": key.id,
        "name": spec.name,
        "description": spec.description,
        "env": spec.env,
        "scopes": in_order(spec.scopes),
        "rates": spec.rates.texts(),
        "policy": spec.policy,
        "state": state_of(key, now),
        "created": _time(key.created),
        "expires": _time(spec.expires),
        "rotated": _time(key.rotated),
        "previous_until": _time(key.previous_until),
        "revoked": _time(key.revoked),
        "usage": figures_view(figures),
    }


def figures_view(figures: Figures) -> dict[str, object]:
    """CPU in milliseconds."""
    return {
        "requests": figures.requests,
        "failures": figures.failures,
        "cpu_ms": figures.cpu_ms,
        "tokens": figures.tokens,
        "last_used": _time(figures.last_used),
    }


def usage_view(usage: Usage) -> dict[str, object]:
    """``days``, the first first, and their ``total``."""
    return {
        "days": [{"day": day.isoformat(), **figures_view(figures)} for day, figures in usage.days],
        "total": figures_view(usage.total),
    }


def entry_view(entry: Entry) -> dict[str, object]:
    """``seal`` in hexadecimal."""
    return {
        "seq": entry.seq,
        "time": _time(entry.time),
        "principal": entry.principal,
        "source": entry.source,
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
        "detail": orjson.loads(entry.detail),
        "seal": entry.seal.hex(),
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else shown_time(seconds)
