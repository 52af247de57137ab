"""The policies themselves. Read this page first to learn what a program may say.

``program``     all of Python: the jail is the wall, and static findings are offered beside it.
``restricted``  calculation over ``data``: functions, loops, comprehensions, match and exceptions over the
                built-in types; no imports, classes, generators, async code or underscore names.
``plan``        what a planner writes for one shape of request: see plan_table.
``function``    the module of a loaded function, ordinary Python over an allow-list of the standard library:
                see function_table.

The table is a filter for correctness and a first fence. What it lets through still runs in the jail.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sandbox_runtime.policy.attribute_names import ATTRIBUTES
from sandbox_runtime.policy.builtin_names import NOT_ALLOWED_BUILTINS
from sandbox_runtime.policy.function_table import FUNCTION
from sandbox_runtime.policy.plan_table import PLAN
from sandbox_runtime.policy.shape import AllBut, Only, Policy, words

_STATEMENTS = frozenset(
    {
        "Module",
        "FunctionDef",
        # "AsyncFunctionDef": nothing here can be awaited, and a coroutine leads to its frame
        # "ClassDef": methods such as __getattr__ and __match_args__ change what the other tables mean
        "Return",
        "Delete",
        "Assign",
        # "TypeAlias": makes an object whose value is code that runs later, on attribute access
        "AugAssign",
        "AnnAssign",
        "For",
        # "AsyncFor": see AsyncFunctionDef
        "While",
        "If",
        # "With", "AsyncWith": no object here is a context manager
        "Match",
        "match_case",
        "Raise",
        "Try",
        "ExceptHandler",
        # "TryStar": without ExceptionGroup there is nothing to split
        "Assert",
        "Import",  # allowed as nodes, so that the refusal names the module: the import table is empty
        "ImportFrom",
        "alias",
        "Global",
        "Nonlocal",
        "Expr",
        "Pass",
        "Break",
        "Continue",
    }
)
_EXPRESSIONS = frozenset(
    {
        "BoolOp",
        "NamedExpr",
        "BinOp",
        "UnaryOp",
        "Lambda",
        "arguments",
        "arg",
        "IfExp",
        "Dict",
        "Set",
        "ListComp",
        "SetComp",
        "DictComp",
        "GeneratorExp",
        "comprehension",
        # "Await", "Yield", "YieldFrom": see AsyncFunctionDef; a generator function leads to its frame
        "Compare",
        "Call",
        "keyword",
        "FormattedValue",
        "JoinedStr",
        # "TemplateStr", "Interpolation": hand the parts of a t-string out as objects (Python 3.14)
        "Constant",
        "Attribute",
        "Subscript",
        "Starred",
        "Name",
        "List",
        "Tuple",
        "Slice",
        "Load",
        "Store",
        "Del",
        # "TypeVar", "ParamSpec", "TypeVarTuple": see TypeAlias
    }
)
_OPERATORS = words(
    "And Or Add Sub Mult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv Invert Not UAdd USub",
    "Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn",
    # MatMult: no built-in type implements it
)
_PATTERNS = words(
    "MatchValue MatchSingleton MatchSequence MatchMapping MatchStar MatchAs MatchOr",
    # MatchClass: reads attributes by name without an Attribute node
)
_ANY_CALLEE = words(
    "Name Attribute Call Subscript Lambda IfExp BoolOp NamedExpr",
    # no other expression yields anything callable
)

PROGRAM = Policy(name="program", version=1, whole_language=True)

RESTRICTED = Policy(
    name="restricted",
    version=1,
    nodes=_STATEMENTS | _EXPRESSIONS | _OPERATORS | _PATTERNS,
    absent_parts={
        "FunctionDef": ("decorator_list",),
        "comprehension": ("is_async",),
    },
    # A name that nobody binds and that is no builtin is the program's own NameError, as in CPython.
    free_names=AllBut(NOT_ALLOWED_BUILTINS),
    # Binding "list" or "open" harms nobody: the runtime finds its own functions by no name of the program's.
    bindable_names=AllBut(),
    attributes=Only(ATTRIBUTES),
    methods=Only(ATTRIBUTES),
    writable_attributes=Only(),  # no object here has an attribute worth writing
    callees=_ANY_CALLEE,
    functions=AllBut(),
    imports={},
    conversions=words("s r a"),
    max_format_number=None,
)

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {policy.name: policy for policy in (PROGRAM, RESTRICTED, PLAN, FUNCTION)}
)
