"""Modules as an agent writes them, of rows and numbers: each with calls and what they return."""

from __future__ import annotations

MODULES: dict[str, tuple[str, dict[str, object]]] = {
    "clean rows": (
        '''
"""Clean rows of a table."""
from typing import Any, Dict, List, Optional

REQUIRED_FIELDS = ("name", "age")
__all__ = ["clean_rows"]


def _to_int(value: Any) -> Optional[int]:
    try:
        return int(str(value).strip())
    except (TypeError, ValueError):
        return None


def clean_rows(rows: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    cleaned = []
    for row in rows:
        row = {str(k).strip().lower(): v for k, v in row.items()}
        if not all(row.get(field) not in (None, "") for field in REQUIRED_FIELDS):
            continue
        cleaned.append({"name": row["name"].strip().title(), "age": _to_int(row["age"])})
    return cleaned
''',
        {
            "clean_rows([{' Name': ' ann lee ', 'AGE': '41 '}, {'name': ''}])": [
                {"name": "Ann Lee", "age": 41}
            ]
        },
    ),
    "summary": (
        """
import math
import statistics
from collections import Counter


def summarize(values: list[float]) -> dict[str, float | int | None]:
    if not values:
        return {"count": 0, "mean": None}
    ordered = sorted(values)
    spread = statistics.pstdev(ordered)
    return {
        "count": len(ordered),
        "mean": round(statistics.fmean(ordered), 3),
        "median": statistics.median(ordered),
        "stdev": round(spread, 3),
        "finite": all(math.isfinite(v) for v in ordered),
        "mode": Counter(ordered).most_common(1)[0][0],
    }
""",
        {
            "summarize([1, 2, 2, 5])": {
                "count": 4,
                "mean": 2.5,
                "median": 2.0,
                "stdev": 1.5,
                "finite": True,
                "mode": 2,
            }
        },
    ),
    "csv": (
        """
import csv


def parse_csv(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter)
    return [dict(row) for row in reader if any(row.values())]
""",
        {"parse_csv('a,b\\n1,2\\n,\\n')": [{"a": "1", "b": "2"}]},
    ),
    "pivot": (
        """
from collections import defaultdict
from itertools import groupby
from operator import itemgetter


def pivot(records, index, column, value, aggregate=sum):
    table = defaultdict(lambda: defaultdict(list))
    for record in records:
        table[record[index]][record[column]].append(record[value])
    return {i: {c: aggregate(v) for c, v in row.items()} for i, row in table.items()}


def group(records, key):
    records = sorted(records, key=itemgetter(key))
    return {k: len(list(g)) for k, g in groupby(records, key=itemgetter(key))}
""",
        {
            "pivot([{'a': 1, 'b': 'x', 'c': 2}, {'a': 1, 'b': 'x', 'c': 3}], 'a', 'b', 'c')": {1: {"x": 5}},
            "group([{'k': 'b'}, {'k': 'a'}, {'k': 'b'}], 'k')": {"a": 1, "b": 2},
        },
    ),
    "nested json": (
        """
import json
from typing import Any, Iterator


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _walk(item, f"{path}[{i}]")
    else:
        yield path, value


def flatten(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as exc:
        raise ValueError(f"invalid JSON at {exc.lineno}:{exc.colno}: {exc.msg}") from exc
    return dict(_walk(data))
""",
        {'flatten(\'{"a": {"b": [1, 2]}}\')': {"a.b[0]": 1, "a.b[1]": 2}},
    ),
    "histogram": (
        """
import bisect


def histogram(values, edges=(0, 10, 100), *, labels=None):
    labels = labels or [f"<{e}" for e in edges] + [f">={edges[-1]}"]
    counts = [0] * (len(edges) + 1)
    for v in values:
        counts[bisect.bisect_right(edges, v)] += 1
    return dict(zip(labels, counts, strict=True))
""",
        {"histogram([-1, 5, 50, 500])": {"<0": 1, "<10": 1, "<100": 1, ">=100": 1}},
    ),
    "regression": (
        """
from math import sqrt
from statistics import correlation, linear_regression


def fit(xs, ys):
    (slope, intercept), r = linear_regression(xs, ys), correlation(xs, ys)
    residuals = [y - (slope * x + intercept) for x, y in zip(xs, ys)]
    rmse = sqrt(sum(e**2 for e in residuals) / len(xs))
    return tuple(round(v, 6) + 0.0 for v in (slope, intercept, r, rmse))
""",
        {"fit([1, 2, 3], [2, 4, 6])": (2.0, 0.0, 1.0, 0.0)},
    ),
    "sampling": (
        """
import random
import secrets
import uuid

_rng = random.Random(42)


def bootstrap(values, rounds=100, seed=None):
    rng = random.Random(seed) if seed is not None else _rng
    means = [sum(rng.choices(values, k=len(values))) / len(values) for _ in range(rounds)]
    return min(values) <= sum(means) / rounds <= max(values)


def token():
    return len(secrets.token_hex(8)), str(uuid.uuid5(uuid.NAMESPACE_DNS, "example.org"))
""",
        {
            "bootstrap([1, 2, 3], seed=1)": True,
            "token()": (16, "aad03681-8b63-5304-89e0-8ca8f49461b5"),
        },
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
    "fibonacci": (
        '''
def calculate_fibonacci(n: int) -> int:
    """Calculate the nth Fibonacci number."""
    if n <= 1:
        return n
    return calculate_fibonacci(n - 1) + calculate_fibonacci(n - 2)


if __name__ == "__main__":
    print(calculate_fibonacci(10))
''',
        {"calculate_fibonacci(10)": 55},
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
}
