"""Modules as an agent writes them, of data, money and dates: each with calls and what they return."""

from __future__ import annotations

MODULES: dict[str, tuple[str, dict[str, object]]] = {
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
    "loan": (
        '''
from decimal import ROUND_HALF_UP, Decimal, getcontext

getcontext().prec = 28
CENT = Decimal("0.01")


def monthly_payment(principal: str, annual_rate: str, years: int) -> str:
    """Payment of an annuity loan.

    >>> monthly_payment("1000", "12", 1)
    '88.85'
    """
    p, r, n = Decimal(principal), Decimal(annual_rate) / 1200, years * 12
    if r == 0:
        return str((p / n).quantize(CENT, rounding=ROUND_HALF_UP))
    factor = (1 + r) ** n
    return str((p * r * factor / (factor - 1)).quantize(CENT, rounding=ROUND_HALF_UP))
''',
        {"monthly_payment('1000', '12', 1)": "88.85", "monthly_payment('1200', '0', 1)": "100.00"},
    ),
    "cash flow": (
        """
def npv(rate: float, cashflows: list[float]) -> float:
    return sum(cf / (1 + rate) ** t for t, cf in enumerate(cashflows))


def irr(cashflows: list[float], low: float = -0.99, high: float = 10.0, *, tolerance: float = 1e-9) -> float:
    while (high - low) > tolerance:
        mid = (low + high) / 2
        if npv(mid, cashflows) > 0: low = mid
        else: high = mid
    else:
        pass
    return round(mid, 6)
""",
        {"irr([-100, 110])": 0.1},
    ),
    "portfolio": (
        """
from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Position:
    symbol: str
    quantity: float
    price: float

    @property
    def value(self) -> float:
        return self.quantity * self.price


@dataclass
class Portfolio:
    positions: list[Position] = field(default_factory=list)
    _cache: dict[str, float] = field(default_factory=dict, repr=False)

    def add(self, position: Position) -> "Portfolio":
        self.positions.append(position)
        self._cache.clear()
        return self

    def weights(self) -> dict[str, float]:
        if not self._cache:
            total = sum(p.value for p in self.positions) or 1.0
            self._cache = {p.symbol: p.value / total for p in self.positions}
        return self._cache


def analyse(rows: list[dict]) -> dict:
    portfolio = Portfolio()
    for row in rows:
        portfolio.add(Position(**row))
    return {"weights": portfolio.weights(), "first": asdict(portfolio.positions[0])}
""",
        {
            "analyse([dict(symbol='A', quantity=1, price=3), dict(symbol='B', quantity=1, price=1)])": {
                "weights": {"A": 0.75, "B": 0.25},
                "first": {"symbol": "A", "quantity": 1, "price": 3},
            }
        },
    ),
    "currency": (
        """
RATES = {"EUR": 1.0, "USD": 1.1, "JPY": 150}


class UnknownCurrency(KeyError):
    def __init__(self, code):
        super().__init__(code)
        self.code = code

    def __str__(self):
        return f"unknown currency: {self.code!r}"


def convert(amount, source, target, rates=RATES):
    for code in (source, target):
        if code not in rates:
            raise UnknownCurrency(code)
    return "{:,.2f} {}".format(amount / rates[source] * rates[target], target)


def safe(amount, source, target):
    try:
        return convert(amount, source, target)
    except UnknownCurrency as e:
        return {"error": str(e), "type": type(e).__name__}
""",
        {
            "safe(1000, 'EUR', 'JPY')": "150,000.00 JPY",
            "safe(1, 'EUR', 'X')": {"error": "unknown currency: 'X'", "type": "UnknownCurrency"},
        },
    ),
    "workdays": (
        """
import datetime as dt
from datetime import date, timedelta

HOLIDAYS = {date(2024, 1, 1)}


def workdays_between(start: str, end: str) -> int:
    first = dt.datetime.strptime(start, "%Y-%m-%d").date()
    last = date.fromisoformat(end)
    days = (first + timedelta(days=i) for i in range((last - first).days + 1))
    return sum(1 for d in days if d.weekday() < 5 and d not in HOLIDAYS)


def to_utc(stamp: str) -> str:
    return dt.datetime.fromisoformat(stamp).astimezone(dt.timezone.utc).isoformat()
""",
        {
            "workdays_between('2024-01-01', '2024-01-07')": 4,
            "to_utc('2024-05-01T12:00:00+02:00')": "2024-05-01T10:00:00+00:00",
        },
    ),
    "calendar": (
        """
import calendar
import time


def last_friday(year: int, month: int) -> int:
    return max(week[calendar.FRIDAY] for week in calendar.monthcalendar(year, month))


def stamp(seconds: float = 0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
""",
        {"last_friday(2024, 5)": 31, "stamp()": "1970-01-01T00:00:00Z"},
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
}
