"""Keys for tests, as the control database would give them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import count
from typing import Any

from service.access.key_text import Environment, NewKey, make_key
from service.access.principal import Key, KeySpec
from service.access.scopes import USUAL, Scope

_revisions = count(1)


def new_key(env: Environment = "prod", scopes: Iterable[Scope] = USUAL, **members: Any) -> tuple[Key, NewKey]:
    """A key and its text. ``members``: of KeySpec and Key, by name."""
    made = make_key(env)
    about = {name: members.pop(name) for name in ("rates", "policy", "expires") if name in members}
    spec = KeySpec("a caller", env, frozenset(scopes), **about)
    return Key(made.id, spec, made.digest, time.time(), next(_revisions), **members), made
