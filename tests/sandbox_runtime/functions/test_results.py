# ruff: noqa: E501 - a program of one line stays one line
"""What a function may return, and what its caller gets of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_runtime.functions.loaded import IMPORTS, Mod

BEFORE = (
    IMPORTS
    + """
class Color(enum.Enum):
    RED = "red"
class Level(enum.IntEnum):
    LOW = 1
class Word(str): ...
class Odd(dict):
    def items(self): raise KeyError
    def __iter__(self): raise KeyError
class Point(NamedTuple):
    x: int
@dataclass
class Item:
    name: str
    when: date
"""
)
VALUES: tuple[tuple[str, Any], ...] = (
    ("None", None),
    ("[1, 2.5, 'a', True, None]", [1, 2.5, "a", True, None]),
    ("2 ** 80", 2**80),
    ("-5", -5),
    ("(1, (2,))", [1, [2]]),
    ("{3}", [3]),
    ("frozenset()", []),
    ("{'a': {1: 2, None: 3}}", {"a": {"1": 2, "null": 3}}),
    ("{date(2020, 1, 2): {5}}", {"2020-01-02": [5]}),
    ("{Color.RED: 1}", {"red": 1}),
    ("Item('a', date(2020, 1, 2))", {"name": "a", "when": "2020-01-02"}),
    ("[Item('a', date(2020, 1, 2))]", [{"name": "a", "when": "2020-01-02"}]),
    ("datetime(2020, 1, 2, 3, 4, 5)", "2020-01-02T03:04:05"),
    ("time(3, 4)", "03:04:00"),
    ("timedelta(hours=1, seconds=0.5)", "PT3600.5S"),
    ("-timedelta(days=1)", "-P1D"),
    ("Decimal('1.10')", "1.10"),
    ("b'ab'", "YWI="),
    ("bytearray(b'ab')", "YWI="),
    ("memoryview(b'ab')", "YWI="),
    ("UUID(int=1)", "00000000-0000-0000-0000-000000000001"),
    ("[Color.RED, Level.LOW, Word('w')]", ["red", 1, "w"]),
    ("Point(1)", [1]),
    ("(n * n for n in range(3))", [0, 1, 4]),
    ("map(str, [1])", ["1"]),
    ("range(3)", [0, 1, 2]),
    ("deque([1])", [1]),
    ("{'a': 1}.keys()", ["a"]),
    ("Counter('aab')", {"a": 2, "b": 1}),
    ("Odd(a=1)", {"a": 1}),
    ("iter({'a': {2}}.items())", [["a", [2]]]),
)
REFUSED = (
    ("float('nan')", "the result is not JSON: Out of range float values are not JSON compliant"),
    ("[float('-inf')]", "the result is not JSON: Out of range float values are not JSON compliant"),
    ("Decimal('NaN')", "the result is not JSON: Decimal('NaN') cannot be written as JSON"),
    ("object()", "the result is not JSON: a object cannot be written as JSON"),
    ("[Item]", "the result is not JSON: a type cannot be written as JSON"),
    ("print", "the result is not JSON: a builtin_function_or_method cannot be written as JSON"),
    ("{(1,): 1}", "the result is not JSON: a tuple cannot be a key of a JSON object"),
    ("{date(2020, 1, 2): 1, '2020-01-02': 2}", "the result is not JSON: two keys of a dict become"),
    ("{1: 1, '1': 2}", "the result is not JSON: two keys of a dict become"),
    ("'\\ud800'", "the result is not JSON: 'utf-8' codec can't encode character"),
    ("'x' * 2000", "the result is not JSON: its JSON is longer than 1000 bytes"),
    ("'\\x00' * 400", "the result is not JSON: its JSON has 2402 bytes, the limit is 1000"),
    ("iter(int, 1)", "the result is not JSON: its JSON is longer than 1000 bytes"),
    ("functools.reduce(lambda x, _: [x], range(5000), 1)", "the result is not JSON: it is nested too deeply"),
    (
        "functools.reduce(lambda x, _: [x, x], range(50), 1)",
        "the result is not JSON: its JSON is longer than",
    ),
    ("functools.reduce(lambda x, _: {'a': x, 'b': x}, range(50), 1)", "the result is not JSON: its JSON is"),
)


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_what_can_be_written(expression: str, value: Any) -> None:
    assert Mod(f"{BEFORE}def f(): return {expression}").value() == value


@pytest.mark.parametrize(("expression", "message"), REFUSED)
def test_what_cannot_is_the_functions_fault(expression: str, message: str) -> None:
    fault = Mod(f"{BEFORE}def f():\n return {expression}", limit=1000).fault()
    line = BEFORE.count("\n") + 1
    assert (fault.type, fault.message[: len(message)], fault.line) == ("ResultError", message, line)


def test_a_list_that_holds_itself_is_refused() -> None:
    fault = Mod("def f():\n x = []\n x.append(x)\n return x").fault()
    assert fault.message == "the result is not JSON: it is nested too deeply, or holds itself"


def test_a_generator_may_fail_in_its_midst() -> None:
    fault = Mod("def f():\n yield 1\n raise KeyError('two')").fault()
    assert (fault.type, fault.message, fault.line) == ("KeyError", "'two'", 3)


def test_a_generator_of_more_than_the_items_that_are_taken() -> None:
    fault = Mod("def f():\n while True: yield 1").fault()
    assert fault.message == "the result is not JSON: the generator has more than 100000 items"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("async def f(): return {1}", [1]),
        ("import asyncio\nasync def f():\n await asyncio.sleep(0.001)\n return 1", 1),
        ("import asyncio\nasync def f(): return await asyncio.gather(*(asyncio.sleep(0, n) for n in range(3)))", [0, 1, 2]),
        ("async def f():\n yield 1\n yield 2", [1, 2]),
        ("async def g(): return 1\ndef f(): return g()", 1),
        (
            "import asyncio\nasync def f():\n try: await asyncio.wait_for(asyncio.sleep(9), 0.001)\n except TimeoutError: return 'late'",
            "late",
        ),
        ("import asyncio\nasync def f():\n asyncio.create_task(asyncio.sleep(99))\n return 1", 1),
        (
            "import asyncio\nasync def f():\n q = asyncio.Queue()\n asyncio.create_task(q.put(5))\n return await q.get()",
            5,
        ),
    ],
)  # fmt: skip
def test_asynchronous_functions_run_to_their_end(text: str, value: Any) -> None:
    module = Mod(text)
    assert [module.value() for _ in range(2)] == [value] * 2


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("import asyncio\nasync def f(): await asyncio.Event().wait()", "RuntimeError"),
        ("async def f():\n while True: yield 1", "ResultError"),
        ("async def f(): raise SystemExit(3)", "SystemExit"),
        ("import asyncio\nasync def f(): raise asyncio.CancelledError", "CancelledError"),
    ],
)
def test_asynchronous_functions_that_do_not(text: str, kind: str) -> None:
    module = Mod(text)
    assert [module.fault().type for _ in range(2)] == [kind] * 2
