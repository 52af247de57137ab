"""``function``: what the module of a loaded function may say, which is ordinary Python.

All of the language but template strings, over an allow-list of the standard library. Decorators, nested
functions and generators need no table: a decorator is a call, and what a frame or a function hands out is an
attribute. So what is refused is a list of names: builtins, imports, special names, interpreter attributes.

The judge is half of the fence. It sees names and texts; what is made up at run time meets the builtins of
``function_builtins``, which check again. The jail is the wall behind both.
"""

from __future__ import annotations

from sandbox_runtime.policy.function_imports import IMPORTS, REFUSED_IMPORTS
from sandbox_runtime.policy.function_names import (
    FUNCTION_ATTRIBUTES,
    FUNCTION_FUNCTIONS,
    FUNCTION_NOT_ALLOWED,
    FUNCTION_REFUSED_BUILTINS,
    PROTOCOL_SWITCHES,
    SPECIAL_ATTRIBUTES,
    SPECIAL_BINDINGS,
    SPECIAL_NAMES,
    SPECIAL_REASONS,
)
from sandbox_runtime.policy.shape import AllBut, Only, Policy, words

_NODES = words(
    "Module FunctionDef AsyncFunctionDef ClassDef Return Delete Assign TypeAlias AugAssign AnnAssign",
    "For AsyncFor While If With AsyncWith withitem Match match_case Raise Try TryStar ExceptHandler Assert",
    "Import ImportFrom alias Global Nonlocal Expr Pass Break Continue",
    "BoolOp NamedExpr BinOp UnaryOp Lambda arguments arg IfExp Dict Set ListComp SetComp",
    "DictComp GeneratorExp",
    "comprehension Await Yield YieldFrom Compare Call keyword FormattedValue JoinedStr Constant Attribute",
    "Subscript Starred Name List Tuple Slice Load Store Del TypeVar ParamSpec TypeVarTuple",
    # TemplateStr, Interpolation: the runtime has no library that takes them (Python 3.14)
    "And Or Add Sub Mult MatMult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv Invert Not UAdd USub",
    "Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn",
    "MatchValue MatchSingleton MatchSequence MatchMapping MatchClass MatchStar MatchAs MatchOr",
)
_EXPRESSIONS_CALLED = words(
    "Name Attribute Call Subscript Lambda IfExp BoolOp NamedExpr Await",
    # no other expression yields anything callable
)
_ATTRIBUTES = frozenset(FUNCTION_ATTRIBUTES)
_MODULES = ", ".join(sorted(IMPORTS.keys() - {"__future__"}))

FUNCTION = Policy(
    name="function",
    version=1,
    nodes=_NODES,
    free_names=AllBut(FUNCTION_NOT_ALLOWED - SPECIAL_NAMES),  # special names have a table of their own
    # The runtime finds its own functions by no name of the program's.
    bindable_names=AllBut(PROTOCOL_SWITCHES),
    attributes=AllBut(_ATTRIBUTES),
    methods=AllBut(_ATTRIBUTES - {"format"}),  # function_rules looks at the template
    writable_attributes=AllBut(_ATTRIBUTES),
    callees=_EXPRESSIONS_CALLED,
    functions=AllBut(),
    imports=IMPORTS,
    judges_modules=True,
    special_bindings=Only(SPECIAL_BINDINGS),
    special_names=Only(SPECIAL_NAMES),
    special_attributes=Only(SPECIAL_ATTRIBUTES),
    conversions=words("s r a"),
    max_format_number=None,
    reasons={
        **FUNCTION_ATTRIBUTES,
        **SPECIAL_REASONS,
        **FUNCTION_REFUSED_BUILTINS,
        "type": "with three arguments it makes a class from names made up at run time",
        **dict.fromkeys(
            ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"), "called, it makes a class from a text"
        ),
        **{f"import {name}": reason for name, reason in REFUSED_IMPORTS.items()},
    },
    remedies={
        "name": f"use own variables, imports, exceptions, and {', '.join(sorted(FUNCTION_FUNCTIONS))}",
        "attribute": "read the public attributes of your own objects and of the modules you import",
        "attribute-write": "write attributes of your own objects; a module's names are its own",
        "function": "write a class statement",
        "import": f"there are {_MODULES}, each with the names that compute",
        "underscore": "choose another name; methods of operators and statements, and private names, are free",
        "binding": "choose another name",
        "call": "give the function a name and call that",
    },
)
