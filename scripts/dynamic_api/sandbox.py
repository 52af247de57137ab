"""What one run of the checks has for itself. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from scripts.dynamic_api import samples
from scripts.dynamic_api.asking import Step

Checks = list[Step]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What one run of the checks has for itself: a visible_pixel_hash, one where nothing is, a path."""

    hash: str
    empty: str
    path: str

    def own(self, name: str) -> str:
        """The endpoint_path of a function."""
        return f"{self.path}/{name}"

    def loading(self, name: str, **members: object) -> bytes:
        """The body of POST /load-function; ``members`` in the place of those that are usual."""
        body = {
            "visible_pixel_hash": self.hash,
            "function_name": name,
            "module_name": samples.MODULE,
            "endpoint_path": self.own(name),
            **members,
        }
        return json.dumps(body).encode()
