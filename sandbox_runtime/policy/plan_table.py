"""``plan``: what a planner may write to answer every request of one shape.

A plan is straight-line code with branches and bounded loops over ``ctx`` and the session's store, and it
assigns ``REPLY``. It is run again and again in a session's worker, so it has nothing to keep anything in: no
functions or classes, no attribute to write, no output. What the runtime gives it must be made for one run:
the judge cannot tell ``body['x'] = 1`` from ``plan['x'] = 1`` under another name.

What has a use in a plan stays although it can ask for much (``*``, join, range, a list that grows while it is
walked): the jail's limits end that. What has no other effect than asking for much is refused.
"""

from __future__ import annotations

from sandbox_runtime.policy.builtin_names import PLAN_FUNCTIONS
from sandbox_runtime.policy.plan_names import GIVEN, METHODS, REASONS, REMEDIES, REPLY
from sandbox_runtime.policy.shape import AllBut, Only, Policy, words

_NODES = words(
    "Module Expr Pass",
    "Assign AugAssign NamedExpr",
    # AnnAssign: keeps annotations, or code that makes them, in the namespace
    # Delete: pop does it, and no name has to go
    "If For Break Continue",
    # While, AsyncFor: nothing in their text bounds them
    "Match match_case MatchValue MatchSingleton MatchSequence MatchMapping MatchStar MatchAs MatchOr",
    # MatchClass: reads attributes by name without an Attribute node
    # FunctionDef, AsyncFunctionDef, Lambda, Return: recursion, defaults that last, frames
    # ClassDef, TypeAlias, Global, Nonlocal: there is one scope and no type but the built-in ones
    # Try, TryStar, Raise, Assert: whatever fails rolls the request back; a handler would hide it
    # With, AsyncWith, Await, Yield, YieldFrom: nothing here can be entered, awaited or resumed
    "Import ImportFrom alias",  # allowed as nodes, so that the refusal names the module: the table is empty
    "BoolOp And Or UnaryOp Not UAdd USub",
    # Invert: of no use outside bit fields
    "BinOp Add Sub Mult Div FloorDiv BitOr BitAnd BitXor",
    # Mod: on text it is a template, with widths. Pow, LShift: numbers that fill the memory. RShift, MatMult
    "Compare Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn",
    "IfExp Call keyword Attribute Subscript Slice Starred Name Load Store",
    "Constant JoinedStr FormattedValue Dict List Set Tuple",
    # TemplateStr, Interpolation: hand the parts of a t-string out as objects (Python 3.14)
    "ListComp SetComp DictComp GeneratorExp comprehension",
)
_MAX_FORMAT_NUMBER = 99

PLAN = Policy(
    name="plan",
    version=1,
    nodes=_NODES,
    absent_parts={"comprehension": ("is_async",)},
    free_names=Only(GIVEN | PLAN_FUNCTIONS),
    # What is given keeps its meaning everywhere, so the table of functions says what a call really calls.
    bindable_names=AllBut(GIVEN | PLAN_FUNCTIONS),
    attributes=Only(),  # methods are called on the spot; JSON has members, not attributes
    methods=Only(METHODS),
    writable_attributes=Only(),
    callees=words("Name Attribute"),
    functions=Only(PLAN_FUNCTIONS | {"make_response"}),
    imports={},
    conversions=words("s"),  # not r and a: they show the insides of the runtime's objects
    max_format_number=_MAX_FORMAT_NUMBER,
    must_assign=REPLY,
    reasons=REASONS,
    remedies=REMEDIES,
)
