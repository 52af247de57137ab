"""Modules as an agent writes them, of money and dates: each with calls and what they return."""

from __future__ import annotations

MODULES: dict[str, tuple[str, dict[str, object]]] = {
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
}
