"""Clients of a running service."""

from __future__ import annotations

import hashlib

import httpx

from tests.supervisor.serving import PATIENCE, Service


def session_id(name: str) -> str:
    """An id that belongs to this name alone."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def client_of(service: Service, name: str, **headers: str) -> httpx.Client:
    """A client whose requests all go to the session of this name."""
    own = {"X-Session-ID": session_id(name), **headers}
    return httpx.Client(base_url=service.url, headers=own, timeout=PATIENCE)
