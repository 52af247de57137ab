"""Attempts to leave ``restricted`` for the interpreter around it.

Each attack is a complete program that puts its prize in ``loot``. Three things are asserted of it: the judge
refuses it where the ``$`` stands; a control run, with the fence it meets taken away, shows that the attack
works; and where the runtime's own builtins are a second fence, that the attack fails on that one too.
"""

from __future__ import annotations

import builtins

import pytest

from sandbox_runtime.policy import restricted_builtins
from tests.sandbox_runtime.policy.policy_cases import (
    assert_refused,
    is_prize,
    since_3_12,
    since_3_14,
    unmark,
    wide,
)


def execute(source: str, names: dict[str, object]) -> object:
    """The loot of a program that nobody judged."""
    namespace: dict[str, object] = {"__builtins__": names, "data": []}
    exec(compile(source, "main.py", "exec", dont_inherit=True), namespace)  # noqa: S102 - the control
    return namespace.get("loot")


# Stopped by the judge alone: with the restricted builtins in place they reach their prize.
BY_THE_TREE = [
    pytest.param("loot = ().$__class__.__base__", "underscore", id="class of a value"),
    pytest.param("loot = ().$__class__.__mro__[1].__subclasses__()[0]", "underscore", id="subclasses"),
    pytest.param("loot = (lambda: 0).$__globals__", "underscore", id="globals of a function"),
    pytest.param("loot = (lambda: 0).$__builtins__", "underscore", id="builtins of a function"),
    pytest.param("loot = (lambda: 0).$__code__", "underscore", id="code of a function"),
    pytest.param("loot = print.$__self__", "underscore", id="module of a builtin"),
    pytest.param("loot = [].append.$__self__.__class__.__base__", "underscore", id="self of a method"),
    pytest.param("loot = $__builtins__", "underscore", id="builtins by name"),
    pytest.param("loot = str.$mro()[1]", "attribute", id="mro"),
    pytest.param("loot = list[int].$mro()[-1]", "attribute", id="mro of a generic alias"),
    pytest.param("loot = {}.keys().$mapping", "attribute", id="mapping of a view"),
    pytest.param("loot = (x for x in data).$gi_code", "attribute", id="code of a generator"),
    pytest.param("loot = (x for x in data).$gi_frame", "attribute", id="frame of a generator"),
    pytest.param(
        """
        walker = (walker.$gi_frame.f_back.f_back for _ in [0])
        loot = next(walker)
        """,
        "attribute",
        id="frame of the caller through a generator that looks at itself",
    ),
    pytest.param(
        "def f():\n  $yield g.gi_frame.f_back\ng = f()\nloot = next(g)", "node", id="frame through yield"
    ),
    pytest.param(
        """
        try: 1 / 0
        except ArithmeticError as e: loot = e.$__traceback__.tb_frame
        """,
        "underscore",
        id="frame of a traceback",
    ),
    pytest.param(
        """
        try:
            try: 1 / 0
            except ArithmeticError: [].pop()
        except IndexError as e: loot = e.$__context__.__traceback__
        """,
        "underscore",
        id="traceback of the context",
    ),
    pytest.param(
        """
        try: 1 / 0
        except ArithmeticError as e: error = e
        match error:
            case $Exception(__traceback__=loot): pass
        """,
        "node",
        id="class pattern reads an attribute",
    ),
    pytest.param(
        "match ():\n  case $tuple(__class__=found): loot = found.__base__", "node", id="class pattern"
    ),
    pytest.param("$async def f(): pass\nc = f()\nloot = c.cr_frame\nc.close()", "node", id="coroutine"),
    pytest.param("$async def f(): yield\nloot = f().ag_frame", "node", id="async generator"),
    pytest.param("loot = '{0.__class__.__base__}'.$format('')", "attribute", id="str.format"),
    pytest.param("loot = '{a.__class__.__base__}'.$format_map({'a': ''})", "attribute", id="str.format_map"),
    pytest.param(
        "loot = [*map(str.$format, ['{0.__class__.__base__}'], [1])][0]", "attribute", id="str.format mapped"
    ),
    pytest.param("loot = f'{().$__class__.__base__}'", "underscore", id="f-string"),
    pytest.param(
        "f'{0:{(loot := ().$__class__.__base__) and str()}}'", "underscore", id="format specification"
    ),
    pytest.param(
        "loot = f'{f'{().$__class__.__base__}'}'", "underscore", id="nested f-string", marks=since_3_12
    ),
    pytest.param(
        "loot = $t'{().__class__.__base__}'.values[0]", "node", id="template string", marks=since_3_14
    ),
    pytest.param("loot = (lambda x=().$__class__.__base__: x)()", "underscore", id="lambda default"),
    pytest.param("def f(x=().$__class__.__base__): return x\nloot = f()", "underscore", id="def default"),
    pytest.param("loot = [*(x.$__class__.__base__ for x in [()])][0]", "underscore", id="star argument"),
    pytest.param(
        "[(loot := x.$__class__.__base__) for x in [()]]", "underscore", id="walrus in comprehension"
    ),
    pytest.param("@($lambda f: f.__code__)\ndef loot(): pass", "part", id="decorator"),
    pytest.param(f"loot = ().$__{wide('c')}lass__.__base__", "underscore", id="name not normalised"),
    pytest.param(
        "def f(): pass\nf.$count = f\nloot = f.__dict__ and f.__code__", "attribute-write", id="write"
    ),
    pytest.param(
        "def f(): return 1\nf.$__code__ = (lambda: ().__class__.__base__).__code__\nloot = f()",
        "underscore",
        id="code replaced",
    ),
    pytest.param(
        "def f(x, y=1): return x\nf.$__defaults__ += (f.__code__,)\nloot = f.__defaults__[1]",
        "underscore",
        id="augmented attribute",
    ),
    pytest.param(
        "def f(): pass\nfor f.$__name__ in ['x']: pass\nloot = f.__code__", "underscore", id="loop target"
    ),
    pytest.param(
        "$try: raise ValueError\nexcept* ValueError as e: loot = e.__class__", "node", id="exception group"
    ),
    pytest.param("$type X = ().__class__.__base__\nloot = X.__value__", "node", id="type", marks=since_3_12),
    pytest.param(
        "def f[$T: ().__class__.__base__](): return T\nloot = f().__bound__",
        "node",
        id="bound of a type variable",
        marks=since_3_12,
    ),
    pytest.param(
        "$__builtins__['loot'] = print.__self__\nloot = __builtins__['loot']", "underscore", id="poison"
    ),
    pytest.param("$global __builtins__\nloot = __builtins__", "underscore", id="global"),
    pytest.param("x: ().$__class__ = 0\nloot = __annotations__['x'].__base__", "underscore", id="annotation"),
]

# Stopped twice: by the judge, and by a name that is not there at run time.
BY_TREE_AND_BUILTINS = [
    pytest.param("import $os\nloot = os", "import", id="import"),
    pytest.param("import $os as math\nloot = math", "import", id="import under another name"),
    pytest.param("$from os import path as loot", "import", id="from import"),
    pytest.param("$from builtins import *\nloot = open", "import", id="star import"),
    pytest.param("loot = $__import__('os')", "underscore", id="import function"),
    pytest.param("$class loot: pass", "node", id="class"),
    pytest.param(
        "$class loot(dict):\n  def __getattr__(self, name): return name", "node", id="class with hook"
    ),
    pytest.param("loot = $type('loot', (), {})", "name", id="class by type"),
    pytest.param("loot = $object", "name", id="object"),
    pytest.param("loot = $getattr((), '__class__').__base__", "name", id="getattr"),
    pytest.param("loot = [*map($getattr, [()], ['__class__'])][0].__base__", "name", id="getattr mapped"),
    pytest.param("loot = $eval('().__class__.__base__')", "name", id="eval"),
    pytest.param("$exec('import os; global loot; loot = os')", "name", id="exec"),
    pytest.param("loot = $compile('1', 'x', 'eval')", "name", id="compile"),
    pytest.param("loot = $globals()", "name", id="globals"),
    pytest.param("loot = $vars()", "name", id="vars"),
    pytest.param("loot = $vars(str)", "name", id="vars of a class"),
    pytest.param(
        "loot = $open('/etc/passwd').read()", "name", id="open", marks=pytest.mark.filterwarnings("ignore")
    ),
    pytest.param(f"loot = ${wide('o')}pen", "name", id="open not normalised"),
    pytest.param("f = $open\nloot = f", "name", id="open under another name"),
    pytest.param("loot = $input", "name", id="input"),
    pytest.param("loot = $breakpoint", "name", id="breakpoint"),
    pytest.param("loot = $memoryview", "name", id="memoryview"),
    pytest.param("loot = $BaseException", "name", id="root of the exceptions"),
    pytest.param("loot = $ImportError", "name", id="exception that imports when it is printed"),
]


@pytest.mark.parametrize(("marked", "rule"), BY_THE_TREE + BY_TREE_AND_BUILTINS)
def test_judge_refuses(marked: str, rule: str) -> None:
    assert_refused(marked, rule)


@pytest.mark.parametrize(("marked", "rule"), BY_THE_TREE)
def test_control_without_the_judge(marked: str, rule: str) -> None:
    assert is_prize(execute(unmark(marked)[0], restricted_builtins()))


@pytest.mark.parametrize(("marked", "rule"), BY_TREE_AND_BUILTINS)
def test_control_without_any_fence(marked: str, rule: str) -> None:
    assert is_prize(execute(unmark(marked)[0], dict(vars(builtins))))


@pytest.mark.parametrize(("marked", "rule"), BY_TREE_AND_BUILTINS)
def test_restricted_builtins_are_a_second_fence(marked: str, rule: str) -> None:
    with pytest.raises((NameError, ImportError)):
        execute(unmark(marked)[0], restricted_builtins())
