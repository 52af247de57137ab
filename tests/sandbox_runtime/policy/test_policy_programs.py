"""Plain programs that ``restricted`` accepts, run with its builtins to the right result."""

from __future__ import annotations

import pytest

from tests.sandbox_runtime.policy.policy_cases import assert_allowed, run


@pytest.mark.parametrize(
    ("source", "data", "result"),
    [
        pytest.param(
            "result = sum(data['numbers']) / len(data['numbers'])",
            {"numbers": [1, 2, 3, 4, 5]},
            3.0,
            id="mean",
        ),
        pytest.param('result = data["x"] + data["y"]', {"x": 1, "y": 2}, 3, id="sum of two"),
        pytest.param(
            """
            def is_prime(n):
                if n <= 1:
                    return False
                i = 2
                while i * i <= n:
                    if n % i == 0:
                        return False
                    i += 1
                return True

            result = []
            n = 2
            while len(result) < 10:
                if is_prime(n):
                    result.append(n)
                n += 1
            """,
            None,
            [2, 3, 5, 7, 11, 13, 17, 19, 23, 29],
            id="primes",
        ),
        pytest.param(
            """
            def fib(n, memo={}):
                if n < 2:
                    return n
                if n not in memo:
                    memo[n] = fib(n - 1) + fib(n - 2)
                return memo[n]
            result = fib(80)
            """,
            None,
            23416728348467685,
            id="recursion with a mutable default",
        ),
        pytest.param(
            """
            counts = {}
            for word in data.lower().split():
                counts[word.strip('.,')] = counts.get(word.strip('.,'), 0) + 1
            result = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:2]
            """,
            "The cat, the dog and the bird. A dog!",
            [("the", 3), ("a", 1)],
            id="word count",
        ),
        pytest.param(
            """
            by_city = {}
            for row in data:
                by_city.setdefault(row['city'], []).append(row['price'])
            result = {city: round(sum(p) / len(p), 2) for city, p in sorted(by_city.items()) if p}
            """,
            [{"city": "b", "price": 1}, {"city": "a", "price": 2.5}, {"city": "b", "price": 2}],
            {"a": 2.5, "b": 1.5},
            id="group by",
        ),
        pytest.param(
            "result = [f'{name!r:>6}|{x:08.3f}|{x:{width}.1%}' for name, x in data.items() for width in [7]]",
            {"a": 0.5},
            ["   'a'|0000.500|  50.0%"],
            id="f-strings",
        ),
        pytest.param(
            "result = '%s has %d (%.1f%%)' % ('a', 3, 12.5)", None, "a has 3 (12.5%)", id="percent format"
        ),
        pytest.param(
            "result = format(1234567.891, ',.2f') + format(255, 'x')", None, "1,234,567.89ff", id="format"
        ),
        pytest.param(
            """
            def kind(x):
                match x:
                    case {'type': 'point', 'at': [a, b], **rest}:
                        return ['point', a + b, rest]
                    case [first, *others] if others:
                        return ['list', first, len(others)]
                    case 0 | 1 | None:
                        return 'small'
                    case _ as other:
                        return other
            result = [kind(x) for x in data]
            """,
            [{"type": "point", "at": [1, 2], "z": 3}, [1, 2, 3], 1, "else"],
            [["point", 3, {"z": 3}], ["list", 1, 2], "small", "else"],
            id="match",
        ),
        pytest.param(
            """
            result = []
            for text in data:
                try:
                    result.append(10 // int(text))
                except ValueError as error:
                    result.append(error.args[0][:7])
                except (ZeroDivisionError, TypeError):
                    result.append('zero')
                else:
                    result.append('fine')
                finally:
                    result.append('|')
            """,
            ["5", "x", "0"],
            [2, "fine", "|", "invalid", "|", "zero", "|"],
            id="exceptions",
        ),
        pytest.param(
            """
            def check(x):
                if x < 0:
                    raise ValueError('negative') from None
                assert x < 10, 'large'
                return x
            result = []
            for x in data:
                try:
                    result.append(check(x))
                except Exception as error:
                    error.add_note('seen')
                    result.append(repr(error))
            """,
            [1, -1, 10],
            [1, "ValueError('negative')", "AssertionError('large')"],
            id="raise and assert",
        ),
        pytest.param(
            """
            def counter():
                count = 0
                def step(by=1, *args, scale=1, **options):
                    nonlocal count
                    count += by * scale + len(args) + len(options)
                    return count
                return step
            step = counter()
            result = [step(), step(2), step(1, 0, 0, scale=3, x=1)]
            """,
            None,
            [1, 3, 9],
            id="closure",
        ),
        pytest.param(
            """
            total = 0
            def add(n):
                global total
                total += n
            for n in range(5):
                add(n)
            result = total
            """,
            None,
            10,
            id="global",
        ),
        pytest.param(
            "first, *middle, (a, b) = data\nresult = {'first': first, 'middle': middle, 'b': b}",
            [1, 2, 3, [4, 5]],
            {"first": 1, "middle": [2, 3], "b": 5},
            id="unpacking",
        ),
        pytest.param(
            "pairs = {(x, y) for x in range(4) for y in range(x) if x + y > 3}\nresult = sorted(pairs)",
            None,
            [(3, 1), (3, 2)],
            id="set comprehension",
        ),
        pytest.param(
            "result = [y for x in data if (y := x * x) > 4]; last = y",
            [1, 2, 3],
            [9],
            id="walrus in a comprehension",
        ),
        pytest.param(
            "g = (x * x for x in range(4))\nresult = [next(g), *g, next(g, 'end')]",
            None,
            [0, 1, 4, 9, "end"],
            id="generator",
        ),
        pytest.param(
            "result = list(zip(*[[row[c] for c in 'ab'] for row in data]))",
            [{"a": 1, "b": 2}, {"a": 3, "b": 4}],
            [(1, 3), (2, 4)],
            id="transpose",
        ),
        pytest.param(
            "items = list(data)\ndel items[0], items[-1]\nitems[1:2] = ['x', 'y']\nresult = items[::-1]",
            [1, 2, 3, 4],
            ["y", "x", 2],
            id="delete and slice",
        ),
        pytest.param(
            "result = [abs(-1), pow(2, 10, 7), divmod(7, 2), round(2.567, 1), "
            "hex(255), bin(5), oct(8), ord('a'), chr(98)]",
            None,
            [1, 2, (3, 1), 2.6, "0xff", "0b101", "0o10", 97, "b"],
            id="number builtins",
        ),
        pytest.param(
            "result = [any(data), all(data), max(data, key=lambda x: -x), min(data), "
            "sorted(data, reverse=True), list(map(str, data)), "
            "list(filter(None, data)), list(enumerate(data, 1)), list(reversed(data))]",
            [0, 2, 1],
            [True, False, 0, 0, [2, 1, 0], ["0", "2", "1"], [2, 1], [(1, 0), (2, 2), (3, 1)], [1, 2, 0]],
            id="collection builtins",
        ),
        pytest.param(
            "result = [isinstance(x, (int, str)) and not isinstance(x, bool) for x in data]",
            [1, "a", True, None],
            [True, True, False, False],
            id="isinstance",
        ),
        pytest.param(
            "x: int = 3\n"
            "def f(a: int, b: list[int] | None = None) -> dict[str, int]:\n  return {'a': a}\n"
            "result = f(x)",
            None,
            {"a": 3},
            id="annotations",
        ),
        pytest.param(
            "result = (3).bit_length(), (0.5).as_integer_ratio(), "
            "int.from_bytes(b'\\x01\\x00', 'big'), 'é'.encode().hex()",
            None,
            (2, (1, 2), 256, "c3a9"),
            id="methods of numbers and text",
        ),
        pytest.param(
            "for _ in range(3):\n    pass\nelse:\n    result = 'done'\nwhile True:\n    break",
            None,
            "done",
            id="loop with else",
        ),
        pytest.param("ergebnis = 'ünïcode'\nresult = ergebnis.upper()", None, "ÜNÏCODE", id="unicode"),
        pytest.param("", None, None, id="empty"),
        pytest.param("# only a comment", None, None, id="comment"),
    ],
)
def test_program_runs_to_its_result(source: str, data: object, result: object) -> None:
    assert run(source, data).get("result") == result


def test_output(capsys: pytest.CaptureFixture[str]) -> None:
    run("print('a', 1, sep='-', end='!\\n')")
    assert capsys.readouterr().out == "a-1!\n"


def test_error_of_the_program_has_its_own_line() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        run("x = 1\n\ny = x / 0")
    frame = raised.traceback[-1]
    assert (str(frame.path).endswith("main.py"), frame.lineno + 1) == (True, 3)


def test_the_tree_is_the_program() -> None:
    verdict = assert_allowed("x = 1")
    assert compile(verdict.tree, "main.py", "exec").co_consts[0] == 1
