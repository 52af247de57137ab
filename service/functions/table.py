"""The functions that one front serves, in memory: by name, and by the path of their own endpoint."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from service.functions.values import Function

Name = tuple[str, str]


class FunctionTable:
    """Keys are a hash and a name, as ``names`` reads them. ``revision`` grows with every change here."""

    def __init__(self) -> None:
        self.revision = 0
        self._named: dict[Name, Function] = {}
        self._paths: dict[str, Function] = {}
        self._counts: dict[str, int] = {}  # functions of each contract
        self._sorted: tuple[Function, ...] | None = None

    def __len__(self) -> int:
        return len(self._named)

    def named(self, contract: str, name: str) -> Function | None:
        """The function of this name, if it is loaded."""
        return self._named.get((contract, name))

    def at(self, path: str) -> Function | None:
        """The function whose endpoint_path this is."""
        return self._paths.get(path)

    def all(self) -> tuple[Function, ...]:
        """By hash and name."""
        if self._sorted is None:
            self._sorted = tuple(self._named[name] for name in sorted(self._named))
        return self._sorted

    def replace(self, functions: Collection[Function]) -> list[str]:
        """These are all. The contracts that have none left."""
        before = set(self._counts)
        self._named, self._paths, self._counts = {}, {}, {}
        for function in functions:
            self._put(function)
        self._changed()
        return sorted(before - self._counts.keys())

    def update(self, functions: Iterable[Function]) -> list[str]:
        """What has changed, in that order; what is older than what is known is not taken. The contracts that
        have none left."""
        bereft: list[str] = []
        for function in functions:
            name = function.spec.hash, function.spec.name
            known = self._named.get(name)
            if known is not None and known.revision >= function.revision:
                continue
            if known is not None:
                self._drop(name, known)
            if function.loaded:
                self._put(function)
            elif known is not None and function.spec.hash not in self._counts:
                bereft.append(function.spec.hash)
            self._changed()
        return bereft

    def _put(self, function: Function) -> None:
        spec = function.spec
        self._named[spec.hash, spec.name] = function
        self._paths[spec.path] = function
        self._counts[spec.hash] = self._counts.get(spec.hash, 0) + 1

    def _drop(self, name: Name, function: Function) -> None:
        del self._named[name]
        # Two that have changed places: the path may be the other's by now.
        if self._paths.get(function.spec.path) is function:
            del self._paths[function.spec.path]
        left = self._counts[name[0]] - 1
        if left:
            self._counts[name[0]] = left
        else:
            del self._counts[name[0]]

    def _changed(self) -> None:
        self.revision += 1
        self._sorted = None
