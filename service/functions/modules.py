"""The texts of modules that are called, and the digests of old versions, as one front keeps them.

A version never changes, so what is kept is never wrong; what was not used for long is read again.
"""

from __future__ import annotations

from collections import OrderedDict

from sandbox_runtime.function import Module
from service.errors import ControlUnavailable, NotFound
from service.functions.registry import Registry
from service.functions.values import Function, Version

_MAX_BYTES = 64 << 20
_MAX_VERSIONS = 4096


class Modules:
    """Every method raises ControlUnavailable. ``registry``: None where there is no control database, and so
    no function. ``max_code``: bytes of one module."""

    def __init__(self, registry: Registry | None, max_code: int) -> None:
        self._registry = registry
        self._max_code = max_code
        self._texts: OrderedDict[tuple[str, str], Module] = OrderedDict()
        self._size = 0
        self._digests: OrderedDict[tuple[str, str, int], str] = OrderedDict()

    async def module(self, digest: str, name: str) -> Module:
        """The module of this digest, under this name."""
        known = self._texts.get((digest, name))
        if known is not None:
            self._texts.move_to_end((digest, name))
            return known
        source = await self._kept().source(digest)
        module = Module(digest, source.text, name, max_code=max(self._max_code, len(source.text.encode())))
        self._keep(module)
        return module

    async def digest(self, function: Function, number: int) -> str:
        """Of one of its versions. NotFound."""
        key = function.spec.hash, function.spec.name, number
        known = self._digests.get(key)
        if known is None:
            known = (await self._find(function, number)).digest
            if len(self._digests) >= _MAX_VERSIONS:
                self._digests.popitem(last=False)
            self._digests[key] = known
        return known

    async def _find(self, function: Function, number: int) -> Version:
        spec = function.spec
        found = await self._kept().versions(spec.hash, spec.name, below=number + 1, limit=1)
        if not found or found[0].number != number:
            raise NotFound(
                f"{spec.name} has no version {number}; "
                f"GET /_/functions/{spec.hash}/{spec.name}/versions has those there are"
            )
        return found[0]

    def _kept(self) -> Registry:
        if self._registry is None:
            raise ControlUnavailable("this front has no control database")
        return self._registry

    def _keep(self, module: Module) -> None:
        key = module.digest, module.name
        if key in self._texts:
            return  # two calls have read it at once
        self._texts[key] = module
        self._size += len(module.text)
        while self._size > _MAX_BYTES and len(self._texts) > 1:
            _, gone = self._texts.popitem(last=False)
            self._size -= len(gone.text)
