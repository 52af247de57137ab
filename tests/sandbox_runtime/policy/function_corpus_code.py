"""Modules as an agent writes them, of algorithms, classes, async code: with calls and what they return."""

from __future__ import annotations

MODULES: dict[str, tuple[str, dict[str, object]]] = {
    "dijkstra": (
        """
import heapq
from collections import defaultdict, deque
from math import inf
from typing import TypeVar

T = TypeVar("T")
Graph = dict[T, dict[T, float]]


def shortest(graph: Graph[str], start: str, goal: str) -> tuple[float, list[str]]:
    distance: defaultdict[str, float] = defaultdict(lambda: inf, {start: 0})
    previous, heap, seen = {}, [(0, start)], set()
    while heap:
        cost, node = heapq.heappop(heap)
        if node in seen:
            continue
        seen.add(node)
        if node == goal:
            break
        for neighbour, weight in graph.get(node, {}).items():
            if (new := cost + weight) < distance[neighbour]:
                distance[neighbour] = new
                previous[neighbour] = node
                heapq.heappush(heap, (new, neighbour))
    path = deque()
    while goal in previous:
        path.appendleft(goal)
        goal = previous[goal]
    return cost, [start, *path]
""",
        {"shortest({'a': {'b': 1, 'c': 5}, 'b': {'c': 1}}, 'a', 'c')": (2, ["a", "b", "c"])},
    ),
    "topological": (
        """
from graphlib import CycleError, TopologicalSorter


def order(dependencies):
    try:
        return list(TopologicalSorter(dependencies).static_order())
    except CycleError as error:
        return {"cycle": sorted(set(error.args[1]))}
""",
        {
            "order({'c': ['b'], 'b': ['a']})": ["a", "b", "c"],
            "order({'a': ['b'], 'b': ['a']})": {"cycle": ["a", "b"]},
        },
    ),
    "a star": (
        """
import heapq
from dataclasses import dataclass, field


@dataclass(order=True)
class Node:
    f_score: float
    position: tuple[int, int] = field(compare=False)
    g_score: float = field(default=0, compare=False)


def path_length(grid: list[str]) -> int | None:
    goal = (len(grid) - 1, len(grid[0]) - 1)
    h = lambda p: abs(p[0] - goal[0]) + abs(p[1] - goal[1])
    heap, best = [Node(h((0, 0)), (0, 0))], {(0, 0): 0}
    while heap:
        node = heapq.heappop(heap)
        if node.position == goal:
            return int(node.g_score)
        for dx, dy in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            x, y = node.position[0] + dx, node.position[1] + dy
            if 0 <= x < len(grid) and 0 <= y < len(grid[0]) and grid[x][y] != "#":
                g = node.g_score + 1
                if g < best.get((x, y), 1e9):
                    best[x, y] = g
                    heapq.heappush(heap, Node(g + h((x, y)), (x, y), g))
    return None
""",
        {"path_length(['..#', '#..', '#..'])": 4},
    ),
    "union find": (
        """
class UnionFind:
    def __init__(self, items=()):
        self._parent = {item: item for item in items}

    def __contains__(self, item):
        return item in self._parent

    def find(self, item):
        parent = self._parent.setdefault(item, item)
        if parent != item:
            parent = self._parent[item] = self.find(parent)
        return parent

    def union(self, a, b):
        self._parent[self.find(a)] = self.find(b)


def components(edges):
    forest = UnionFind()
    for a, b in edges:
        forest.union(a, b)
    groups = {}
    for item in forest._parent:
        groups.setdefault(forest.find(item), []).append(item)
    return sorted(sorted(g) for g in groups.values())
""",
        {"components([(1, 2), (2, 3), (4, 5)])": [[1, 2, 3], [4, 5]]},
    ),
    "queens": (
        """
import itertools
from functools import cache, lru_cache, reduce


def queens(n: int) -> int:
    return sum(
        n == len({c + i for i, c in enumerate(p)}) == len({c - i for i, c in enumerate(p)})
        for p in itertools.permutations(range(n))
    )


@cache
def partitions(n, largest=None):
    largest = n if largest is None else largest
    return 1 if n == 0 else sum(partitions(n - k, k) for k in range(1, min(n, largest) + 1))


@lru_cache(maxsize=None)
def edit_distance(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    replaced = edit_distance(a[1:], b[1:]) + (a[0] != b[0])
    return min(edit_distance(a[1:], b) + 1, edit_distance(a, b[1:]) + 1, replaced)


def product(*values):
    return reduce(lambda x, y: x * y, values, 1)
""",
        {
            "queens(6)": 4,
            "partitions(10)": 42,
            "edit_distance('kitten', 'sitting')": 3,
            "product(2, 3, 4)": 24,
        },
    ),
    "decorators": (
        """
import functools
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_calls: list[str] = []


def timed(func: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        start = time.perf_counter()
        try:
            return func(*args, **kwargs)
        finally:
            _calls.append(f"{func.__name__}: {time.perf_counter() - start >= 0}")

    return wrapper


def retry(times: int, exceptions: tuple[type[Exception], ...] = (Exception,)):
    def decorate(func):
        @functools.wraps(func)
        def inner(*args, **kwargs):
            for attempt in range(1, times + 1):
                try:
                    return func(*args, **kwargs)
                except exceptions:
                    if attempt == times:
                        raise
        return inner
    return decorate


def make_counter():
    count = 0

    def increment(step: int = 1) -> int:
        nonlocal count
        count += step
        return count

    return increment


_counter = make_counter()


@timed
@retry(times=3, exceptions=(ZeroDivisionError,))
def flaky() -> Any:
    return 1 / (_counter() - 1)


def run():
    \"\"\"Run it.\"\"\"
    return flaky(), flaky.__name__, _calls, run.__doc__
""",
        {"run()": (1.0, "flaky", ["flaky: True"], "Run it.")},
    ),
    "events": (
        """
from abc import ABC, abstractmethod
from enum import Enum, IntEnum, auto
from typing import ClassVar, Optional, Union


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Kind(str, Enum):
    CREATED = "created"
    DELETED = "deleted"

    @classmethod
    def parse(cls, text: str) -> Optional["Kind"]:
        return cls._value2member_map_.get(text)

    @classmethod
    def _missing_(cls, value):
        return cls.CREATED


class State(Enum):
    OPEN = auto()
    SHUT = auto()


class Handler(ABC):
    registry: ClassVar[dict[str, "Handler"]] = {}

    def __init__(self, level: Union[Level, int] = Level.LOW) -> None:
        self.level = Level(level)

    @abstractmethod
    def handle(self, event: dict) -> str: ...

    @staticmethod
    def describe(event):
        return event.get("name", "?")


class Upper(Handler):
    def handle(self, event):
        return f"{self.describe(event).upper()}-{self.level.name}-{Kind('nothing').value}"


def handle(event: dict) -> list:
    return [Upper(2).handle(event), Kind.parse("deleted") is Kind.DELETED, State.SHUT.value, len(State)]
""",
        {"handle({'name': 'a'})": ["A-HIGH-created", True, 2, 2]},
    ),
    "vectors": (
        """
from __future__ import annotations

import math
import numbers
from typing import Self


class Vector:
    __slots__ = ("x", "y")
    def __init__(self, x: float = 0.0, y: float = 0.0) -> None: self.x, self.y = x, y
    def __add__(self, other: Vector) -> Vector: return Vector(self.x + other.x, self.y + other.y)
    def __mul__(self, k: float) -> Self:
        if not isinstance(k, numbers.Real):
            return NotImplemented
        return type(self)(self.x * k, self.y * k)
    __rmul__ = __mul__
    def __matmul__(self, other: Vector) -> float: return self.x * other.x + self.y * other.y
    def __neg__(self): return -1 * self
    def __abs__(self): return math.hypot(self.x, self.y)
    def __iter__(self): yield from (self.x, self.y)
    def __getitem__(self, i): return (self.x, self.y)[i]
    def __len__(self): return 2
    def __bool__(self): return any(self)
    def __eq__(self, other): return isinstance(other, self.__class__) and tuple(self) == tuple(other)
    __hash__ = None
    def __format__(self, spec): return f"({self.x:{spec}}, {self.y:{spec}})"


def describe(x, y):
    v = Vector(x, y)
    return f"{v:.1f}", abs(v), v @ v, list(-v), v == Vector(x, y), 2 * v == v * 2, bool(Vector())
""",
        {"describe(3, 4)": ("(3.0, 4.0)", 5.0, 25, [-3, -4], True, True, False)},
    ),
    "shapes": (
        """
from dataclasses import dataclass
import math


@dataclass
class Circle:
    radius: float


@dataclass
class Rectangle:
    width: float
    height: float


def area(shape) -> float:
    match shape:
        case Circle(radius=r):
            return round(math.pi * r**2, 2)
        case Rectangle(w, h) if w == h:
            return w**2
        case Rectangle(width, height):
            return width * height
        case {"type": "circle", "radius": int() | float() as r, **rest} if not rest:
            return area(Circle(r))
        case [first, *others]:
            return area(first) + sum(map(area, others))
        case None | []:
            return 0
        case _:
            raise TypeError(f"not a shape: {shape!r}")


def run():
    return area([Circle(1), Rectangle(2, 2), Rectangle(2, 3), {"type": "circle", "radius": 1}]), area(None)
""",
        {"run()": (16.28, 0)},
    ),
    "async": (
        """
import asyncio
from contextlib import asynccontextmanager
from typing import AsyncIterator


@asynccontextmanager
async def resource(name: str) -> AsyncIterator[list[str]]:
    log = [f"open {name}"]
    try:
        yield log
    finally:
        log.append(f"close {name}")


async def numbers(n: int):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


async def square(x):
    async with asyncio.Lock():
        await asyncio.sleep(0)
    return x * x


async def main(n: int) -> dict:
    async with resource("r") as log:
        log.extend([str(i) async for i in numbers(n)])
    squares = await asyncio.gather(*(square(i) for i in range(n)))
    try:
        await asyncio.wait_for(asyncio.sleep(0), timeout=1)
    except asyncio.TimeoutError:
        log.append("late")
    return {"log": log, "squares": squares}
""",
        {"main(2)": {"log": ["open r", "0", "1", "close r"], "squares": [0, 1]}},
    ),
    "contexts": (
        """
import contextlib
import copy
from contextlib import ExitStack, contextmanager, suppress


class Transaction:
    def __init__(self, data: dict):
        self.data = data

    def __enter__(self):
        self._backup = copy.deepcopy(self.data)
        return self.data

    def __exit__(self, exc_type, exc, tb):
        if exc_type is not None:
            self.data.clear()
            self.data.update(self._backup)
        return exc_type is ValueError


@contextmanager
def section(out, name):
    out.append(f"<{name}>")
    yield
    out.append(f"</{name}>")


def run():
    data, out = {"a": [1]}, []
    with Transaction(data) as d:
        d["a"].append(2)
        raise ValueError
    with suppress(KeyError, IndexError):
        data["missing"]
    with ExitStack() as stack, contextlib.nullcontext(1) as one:
        for name in "ab":
            stack.enter_context(section(out, name))
        out.append(one)
    return data, out
""",
        {"run()": ({"a": [1]}, ["<a>", "<b>", 1, "</b>", "</a>"])},
    ),
    "generators": (
        """
from collections.abc import Generator, Iterable, Iterator
from itertools import chain, count, islice, takewhile


def primes() -> Iterator[int]:
    found: list[int] = []
    for n in chain([2], count(3, 2)):
        if all(n % p for p in takewhile(lambda p: p * p <= n, found)):
            found.append(n)
            yield n


def averager() -> Generator[float, float, str]:
    total, n, average = 0.0, 0, 0.0
    while True:
        try:
            total += yield average
        except GeneratorExit:
            return "done"
        n += 1
        average = total / n


def run(values: Iterable[float]):
    average = averager()
    next(average)
    seen = [average.send(v) for v in values]
    average.close()
    return list(islice(primes(), 5)), seen


class Countdown:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if self.n <= 0: raise StopIteration
        self.n -= 1
        return self.n
""",
        {"run([1, 3])": ([2, 3, 5, 7, 11], [1.0, 2.0]), "list(Countdown(3))": [2, 1, 0]},
    ),
    "matrix": (
        """
from fractions import Fraction


def determinant(matrix: list[list[int]]) -> str:
    rows = [[Fraction(v) for v in row] for row in matrix]
    n, result = len(rows), Fraction(1)
    for i in range(n):
        pivot = next((r for r in range(i, n) if rows[r][i]), None)
        if pivot is None:
            return "0"
        if pivot != i:
            rows[i], rows[pivot] = rows[pivot], rows[i]
            result = -result
        result *= rows[i][i]
        for r in range(i + 1, n):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i])]
    return str(result)


transpose = lambda m: [list(c) for c in zip(*m)]
""",
        {"determinant([[1, 2], [3, 4]])": "-2", "transpose([[1, 2], [3, 4]])": [[1, 3], [2, 4]]},
    ),
    "inventory": (
        """
from collections import UserDict, namedtuple
from operator import attrgetter, methodcaller
from typing import Literal, Protocol, TypedDict, Generic, TypeVar

Item = namedtuple("Item", ["sku", "count"], defaults=[0])
V = TypeVar("V")


class Priced(Protocol):
    price: float
    def total(self) -> float: ...


class Row(TypedDict, total=False):
    sku: str
    status: Literal["in", "out"]


class Store(UserDict):
    def __missing__(self, key):
        return Item(key)

    def __setitem__(self, key, item):
        super().__setitem__(key.upper(), item)


class Stack(Generic[V]):
    def __init__(self) -> None:
        self._items: list[V] = []

    def push(self, item: V) -> None:
        self._items.append(item)

    def pop(self) -> V:
        return self._items.pop()


def report(names: list[str]) -> list:
    store = Store()
    store["a"] = Item("A", 3)
    items = [store[n] for n in names]
    rows: list[Row] = [{"sku": i.sku, "status": "in" if i.count else "out"} for i in items]
    stack: Stack[Row] = Stack()
    for row in rows:
        stack.push(row)
    best = max(items, key=attrgetter("count"))
    return [stack.pop(), best.sku, list(map(methodcaller("lower"), names)), getattr(best, "price", None)]
""",
        {"report(['A', 'B'])": [{"sku": "B", "status": "out"}, "A", ["a", "b"], None]},
    ),
    "scoring": (
        """
from __future__ import annotations

from functools import cached_property, partial

WEIGHTS = {"skills": 0.6, "years": 0.4}
clamp = partial(max, 0)


class Candidate:
    def __init__(self, **attributes):
        for name, value in attributes.items():
            setattr(self, name, value)

    @cached_property
    def score(self) -> float:
        years = getattr(self, "years", 0)
        parts = {"skills": len(getattr(self, "skills", [])) / 5, "years": min(years, 10) / 10}
        return round(sum(WEIGHTS[k] * clamp(v) for k, v in parts.items()), 3)

    @property
    def name(self):
        return self._name

    @name.setter
    def name(self, value):
        self._name = value.strip()

    def __lt__(self, other):
        return self.score < other.score


def rank(people: list[dict]) -> list[tuple[str, float]]:
    candidates = sorted((Candidate(**p) for p in people), reverse=True)
    return [(c.name, c.score) for c in candidates]
""",
        {
            "rank([{'name': ' b ', 'skills': ['x']}, {'name': 'a', 'skills': ['x', 'y'], 'years': 5}])": [
                ("a", 0.44),
                ("b", 0.12),
            ]
        },
    ),
    "errors": (
        """
class ValidationError(ValueError):
    def __init__(self, field: str, message: str = "invalid"):
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message


def validate(payload: dict) -> list[str]:
    errors: list[Exception] = []
    for field in ("name", "age"):
        try:
            if not payload[field]:
                raise ValidationError(field, "empty")
        except KeyError as e:
            errors.append(ValidationError(field, f"missing {e}"))
        except ValidationError as e:
            errors.append(e)
        else:
            continue
    found = []
    try:
        if errors:
            raise ExceptionGroup("invalid", errors)
    except* ValidationError as group:
        found = [str(e) for e in group.exceptions]
    return found
""",
        {"validate({'name': ''})": ["name: empty", "age: missing 'age'"]},
    ),
}
