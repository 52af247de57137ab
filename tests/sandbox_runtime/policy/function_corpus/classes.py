"""Modules as an agent writes them, of classes and async code: each with calls and what they return."""

from __future__ import annotations

MODULES: dict[str, tuple[str, dict[str, object]]] = {
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
}
