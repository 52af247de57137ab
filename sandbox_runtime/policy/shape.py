"""The shape of a policy: which tables it has and what an entry in each of them permits.

Every table is empty by default, so what a policy does not mention it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def words(*texts: str) -> frozenset[str]:
    """The words of the texts: how a table of names is written so that it stays readable."""
    return frozenset(" ".join(texts).split())


@dataclass(frozen=True, slots=True)
class Only:
    """Admits the names it lists and nothing else."""

    names: frozenset[str] = frozenset()

    def admits(self, name: str) -> bool:
        return name in self.names


@dataclass(frozen=True, slots=True)
class AllBut:
    """Admits every name except those it lists."""

    names: frozenset[str] = frozenset()

    def admits(self, name: str) -> bool:
        return name not in self.names


NameTable = Only | AllBut


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One named, versioned set of tables. Names in them are NFKC-normalised, nodes are ``ast`` class names.

    A name that begins with an underscore is refused whatever the tables say, except a variable ``_``, unless
    the policy ``judges_modules``.
    A change in any table needs a new ``version``: what was judged under the old one may be cached.
    """

    name: str
    version: int
    whole_language: bool = False
    """Everything that parses is allowed, and the tables are not read."""
    nodes: frozenset[str] = frozenset()
    absent_parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Node -> fields that must be empty although the node is allowed."""
    free_names: NameTable = Only()
    """Names a program may use without binding them: builtins and what the runtime supplies.

    The judge does not follow scopes: a program that binds a name anywhere may use it everywhere. So a name
    refused here must also be missing from the ``__builtins__`` of the run, or from ``bindable_names``.
    """
    bindable_names: NameTable = Only()
    """Names a program may bind: by assignment, parameter, definition, import, pattern or handler."""
    attributes: NameTable = Only()
    """Attributes that may be read other than to be called on the spot."""
    methods: NameTable = Only()
    """Attributes that may be called on the spot, ``value.name(...)``."""
    writable_attributes: NameTable = Only()
    """Attributes that may be assigned or deleted."""
    callees: frozenset[str] = frozenset()
    """Kinds of expression that may be called."""
    functions: NameTable = Only()
    """Plain names that may be called, ``name(...)``."""
    imports: Mapping[str, NameTable] = field(default_factory=dict)
    """Module, with its dots -> the names that may be taken from it by ``from module import name``."""
    judges_modules: bool = False
    """The text is a module of functions: private names may be used, special ones by the next three tables,
    and the rules of ``function_rules`` hold beside the tables."""
    special_bindings: NameTable = Only()
    """Names with two underscores on both sides that may be bound, methods of classes for most."""
    special_names: NameTable = Only()
    """Those that may be read as variables."""
    special_attributes: NameTable = Only()
    """Those that may be read as attributes."""
    conversions: frozenset[str] = frozenset()
    """Conversions that a field of an f-string may ask for, of ``s``, ``r`` and ``a``."""
    max_format_number: int | None = 0
    """The largest width or precision in the format specification of an f-string, and none that is computed.
    None: any."""
    must_assign: str | None = None
    """A variable that every way through the program must assign."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Name or attribute -> why it is refused, where the words for all policies do not fit."""
    remedies: Mapping[str, str] = field(default_factory=dict)
    """Rule -> what to write instead, likewise."""
