"""What the host tells the supervisor of its workers, which reads no settings and has no secret."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from sandbox_runtime.layers import Layer
from service.sandbox_spec import SandboxSizes, sandbox_sizes
from service.settings import Settings

PLAN_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """So many zygotes of these sizes, none below the floor; how the supervisor logs."""

    zygotes: int
    floor: tuple[Layer, ...]
    sizes: SandboxSizes
    log_level: str
    log_format: str

    @classmethod
    def of(cls, settings: Settings) -> Plan:
        """As the settings say."""
        return cls(
            settings.zygotes,
            settings.sandbox_floor,
            sandbox_sizes(settings),
            settings.log_level,
            settings.log_format,
        )

    @classmethod
    def from_json(cls, text: bytes) -> Plan:
        """What ``as_json`` made."""
        body = orjson.loads(text)
        floor = tuple(Layer(name) for name in body.pop("floor"))
        return cls(floor=floor, sizes=SandboxSizes(**body.pop("sizes")), **body)

    def as_json(self) -> bytes:
        """One message."""
        return orjson.dumps(self)
