"""How far an admitted module reaches: every attribute of all that its imports and builtins hold."""

from __future__ import annotations

import builtins
import importlib
import sys
import types
from collections.abc import Iterator

import pytest

from sandbox_runtime.policy import Only, function_builtins
from sandbox_runtime.policy.function_imports import IMPORTS, REFUSED_IMPORTS
from sandbox_runtime.policy.function_names import (
    FUNCTION_BUILTINS,
    FUNCTION_REFUSED_BUILTINS,
    INTERPRETER_ATTRIBUTES,
    KNOWN_PRIVATE,
    SPECIAL_BINDINGS,
    SPECIAL_REASONS,
    attribute_fault,
)
from tests.sandbox_runtime.policy.function_cases import loaded

KINDS = (
    types.FrameType,
    types.TracebackType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.CodeType,
)
_INTERNAL = (types.FrameType, types.CodeType, types.TracebackType)


def _samples() -> Iterator[object]:
    """All that a module may import, the builtins, and one of each kind of object that these make."""
    names = function_builtins()
    yield from (value for name, value in names.items() if not name.startswith("__"))
    with loaded("\n".join(f"import {name}" for name in IMPORTS if name != "__future__")) as namespace:
        for name, table in IMPORTS.items():
            module = namespace.get(name.partition(".")[0])
            for member in sorted(table.names) if isinstance(table, Only) and module else ():
                yield getattr(module, member, None)
    source = """
import collections, contextlib, copy, dataclasses, decimal, difflib, enum, fractions, functools, itertools
import json, random, re, string, struct, textwrap, typing, uuid, zlib, datetime, hashlib, hmac, html.parser
def g(): yield
async def c(): yield
@contextlib.contextmanager
def m(): yield
@dataclasses.dataclass
class D:
    x: int = 0
class E(enum.Enum):
    A = 1
class P(typing.Protocol): pass
class C:
    @property
    def p(self): pass
    @functools.cached_property
    def q(self): pass
    @staticmethod
    def s(): pass
try: 1 / 0
except ArithmeticError as e: error = e
N = collections.namedtuple("N", "a")
loot = [g, g(), c(), m, m(), D, D(), E, E.A, P, C, C.p, C.q, C.s, C(), error, N, N(1), lambda: 0]
loot += [functools.partial(g), functools.lru_cache(g), random.Random(), re.compile("a"), re.match("a", "a")]
loot += [json.JSONEncoder(), json.JSONDecoder(), string.Template(""), struct.Struct(""), typing.List[int]]
loot += [decimal.Decimal(1), fractions.Fraction(1), uuid.uuid4(), datetime.datetime.min, hashlib.md5()]
loot += [hmac.new(b"", b"", "md5"), html.parser.HTMLParser(), textwrap.TextWrapper()]
loot += [difflib.SequenceMatcher()]
loot += [contextlib.ExitStack(), zlib.compressobj(), itertools.count(), dataclasses.fields(D)[0], typing.Any]
loot += [collections.Counter(), collections.UserDict(), collections.deque(), typing.TypeVar("T"), {}.keys()]
"""
    with loaded(source) as namespace:
        found = namespace["loot"]
        assert isinstance(found, list)
        yield from found


def _prizes(depth: int, extra: frozenset[str] = frozenset()) -> set[str]:
    """The roads, as ``type.attribute``, from what a module has to what it must never hold."""
    reached, prizes = list(_samples()), set()
    assert len(reached) > 700
    for _ in range(depth):
        found: dict[object, object] = {}
        for value in reached:
            for name in dir(value):
                if attribute_fault(name) and name not in extra:
                    continue
                try:
                    part = getattr(value, name)
                except Exception:  # noqa: BLE001, S112 - a descriptor of a class may raise anything
                    continue
                if _is_prize(part):
                    prizes.add(f"{type(value).__name__}.{name}")
                found[type(part), getattr(part, "__qualname__", "")] = part
        reached = list(found.values())
    return prizes


def _is_prize(value: object) -> bool:
    if value is type or isinstance(value, _INTERNAL):
        return True
    if isinstance(value, types.ModuleType):
        return sys.modules.get(value.__name__) is value
    return isinstance(value, types.MappingProxyType | dict) and "__builtins__" in value


def test_no_attribute_leads_out() -> None:
    assert _prizes(3) == set()


@pytest.mark.parametrize("name", ["gi_frame", "__globals__", "__class__", "__self__", "__code__"])
def test_control_one_attribute_more_and_the_sweep_finds_a_prize(name: str) -> None:
    assert any(road.endswith(f".{name}") for road in _prizes(1, frozenset({name})))


def test_every_attribute_of_the_interpreter_is_refused() -> None:
    """A later Python's new one is too."""
    for kind in KINDS:
        prefixes = ("f_", "tb_", "gi_", "cr_", "ag_", "co_")
        assert {name for name in vars(kind) if name.startswith(prefixes)} <= INTERPRETER_ATTRIBUTES.keys()


def test_every_import_is_there_and_is_no_module() -> None:
    for name, table in IMPORTS.items():
        source = importlib.import_module(name)
        assert isinstance(table, Only)
        found = {member for member in table.names if hasattr(source, member)}
        assert len(found) >= len(table.names) / 2, name  # the rest is of later Pythons
        modules = {m for m in found if isinstance(getattr(source, m), types.ModuleType)}
        assert {f"{name}.{member}" for member in modules} <= IMPORTS.keys()


def test_nothing_is_both_allowed_and_refused() -> None:
    assert IMPORTS.keys().isdisjoint(REFUSED_IMPORTS)
    assert FUNCTION_BUILTINS.isdisjoint(FUNCTION_REFUSED_BUILTINS)
    assert SPECIAL_BINDINGS.isdisjoint(SPECIAL_REASONS)
    assert not [name for name in KNOWN_PRIVATE if attribute_fault(name)]
    for name in REFUSED_IMPORTS:
        module, _, member = name.rpartition(".")
        if module in IMPORTS:
            assert not IMPORTS[module].admits(member)


def test_every_builtin_is_sorted() -> None:
    """A later Python's new one is refused, and fails here until somebody has looked at it."""
    constants = {"None", "True", "False"}
    assert {n for n in vars(builtins) if not n.startswith("_")} - constants <= FUNCTION_BUILTINS | {
        *FUNCTION_REFUSED_BUILTINS
    }
