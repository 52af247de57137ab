"""From a violation to a refusal that a person or a model can act on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox_runtime.policy.attribute_names import REFUSED_ATTRIBUTES, REFUSED_PREFIXES
from sandbox_runtime.policy.builtin_names import ALLOWED_FUNCTIONS, REFUSED_BUILTINS
from sandbox_runtime.policy.shape import Policy
from sandbox_runtime.policy.source import column, token_column
from sandbox_runtime.policy.verdict import Rejected
from sandbox_runtime.policy.violation import Violation

_MAX_SHOWN = 80

# Node or part -> how people call it, and what to write instead.
_CONSTRUCTS: Mapping[str, tuple[str, str]] = {
    "ClassDef": ("a class definition", "use dictionaries"),
    "AsyncFunctionDef": ("an async function", "write plain code"),
    "AsyncFor": ("an async loop", "write a plain loop"),
    "AsyncWith": ("an async with statement", "remove it"),
    "Await": ("await", "write plain code"),
    "Yield": ("yield", "collect the values in a list and return it"),
    "YieldFrom": ("yield from", "collect the values in a list and return it"),
    "FunctionDef": ("a function definition", "write the statements in line"),
    "Lambda": ("a lambda", "write the expression in line"),
    "Return": ("a return statement", "leave it out: there is no function to return from"),
    "Try": ("a try statement", "test for the condition first"),
    "Raise": ("a raise statement", "report the error as a value"),
    "Assert": ("an assertion", "test with if and report the error as a value"),
    "Delete": ("a del statement", "remove members with pop(key, None)"),
    "Global": ("a global statement", "remove it: there is one scope"),
    "Nonlocal": ("a nonlocal statement", "remove it: there is one scope"),
    "AnnAssign": ("an annotated assignment", "leave the annotation out"),
    "While": ("a while loop", "loop with for over a collection or a range"),
    "Pow": ("a power with **", "multiply"),
    "LShift": ("a shift with <<", "multiply"),
    "RShift": ("a shift with >>", "divide with //"),
    "Mod": ("the operator %", "use divmod for numbers and an f-string for text"),
    "With": ("a with statement", "remove it: nothing here is a context manager"),
    "TryStar": ("except*", "use except"),
    "MatchClass": ("a class pattern", "match any value and test it with isinstance in a guard"),
    "MatMult": ("matrix multiplication with @", "use nested loops or comprehensions"),
    "TypeAlias": ("a type statement", "remove it"),
    "TypeVar": ("a type parameter", "remove it"),
    "ParamSpec": ("a type parameter", "remove it"),
    "TypeVarTuple": ("a type parameter", "remove it"),
    "TemplateStr": ("a t-string", "use an f-string"),
    "Import": ("an import", "remove it"),
    "ImportFrom": ("an import", "remove it"),
    "ClassDef.keywords": ("a metaclass", "derive from ABC, Enum or another class"),
    "ClassDef.bases": ("a class derived from type", "derive from another class"),
    "FunctionDef.decorator_list": ("a decorator", "call the outer function by hand: f = wrap(f)"),
    "comprehension.is_async": ("an async comprehension", "write a plain comprehension"),
    "FormattedValue.conversion": ("the conversion of a field in an f-string", "leave out !r, !a and ="),
    "FormattedValue.format_spec": (
        "a computed or large width or precision in an f-string",
        "write a small number there, or none",
    ),
}


_WHAT_THERE_IS = f"compute from data with the allowed builtins: {', '.join(sorted(ALLOWED_FUNCTIONS))}"


def explain(violation: Violation, policy: Policy, source: str) -> Rejected:
    """The refusal that names the rule, the place and the remedy."""
    subject = violation.subject
    shown = subject if len(subject) <= _MAX_SHOWN else f"{subject[:_MAX_SHOWN]}..."
    message, remedy = _WORDS[violation.rule](shown, policy)
    locate = token_column if violation.at_end else column
    at = locate(source, violation.line, violation.byte)
    remedy = policy.remedies.get(violation.rule, remedy)
    return Rejected(violation.rule, f"policy {policy.name} refuses {message}", violation.line, at, remedy)


def unassigned(policy: Policy) -> Rejected:
    """The refusal of a program that may end without the variable it has to assign."""
    name = policy.must_assign
    message = f"policy {policy.name} refuses a program that may end without assigning {name}"
    remedy = f"write {name} = ... at the top level, or in every branch, else and case _ included"
    return Rejected("unassigned", message, None, None, remedy)


def _construct(subject: str, _policy: Policy) -> tuple[str, str]:
    phrase, remedy = _CONSTRUCTS.get(subject, ("this construct", "write it in simpler terms"))
    return f"{phrase} ({subject})", remedy


def _underscore(subject: str, policy: Policy) -> tuple[str, str]:
    if policy.judges_modules:
        return _reserved(subject, policy)
    remedy = (
        "drop the test: this is always the main program" if subject == "__name__" else "choose another name"
    )
    return f"the name '{subject}': names may not begin with an underscore", remedy


def _reserved(subject: str, policy: Policy) -> tuple[str, str]:
    if subject.endswith("__"):
        reason = policy.reasons.get(subject, "it is not in the table of special names")
        return f"the special name '{subject}': {reason}", "use the methods of operators and statements"
    reason = policy.reasons.get(subject, "this module never assigns it, so it is another's")
    return f"the private attribute '{subject}': {reason}", "use a public method"


def _name(subject: str, policy: Policy) -> tuple[str, str]:
    reason = policy.reasons.get(subject) or REFUSED_BUILTINS.get(subject, "it is not in the table of names")
    return f"the name '{subject}': {reason}", _WHAT_THERE_IS


def _binding(subject: str, policy: Policy) -> tuple[str, str]:
    reason = policy.reasons.get(subject, "the runtime supplies it")
    return f"binding the name '{subject}': {reason}", "choose another name for the variable"


def _attribute(subject: str, policy: Policy) -> tuple[str, str]:
    if policy.judges_modules and subject.startswith("_"):
        return _reserved(subject, policy)
    reason = (
        policy.reasons.get(subject)
        or REFUSED_ATTRIBUTES.get(subject)
        or next((why for prefix, why in REFUSED_PREFIXES.items() if subject.startswith(prefix)), None)
        or ("it may only be called on the spot" if policy.methods.admits(subject) else None)
        or "it is not in the table of attributes"
    )
    return f"the attribute '{subject}': {reason}", "use the public methods of the built-in types"


def _attribute_write(subject: str, _policy: Policy) -> tuple[str, str]:
    return f"writing the attribute '{subject}'", "keep state in variables and dictionaries"


def _call(subject: str, _policy: Policy) -> tuple[str, str]:
    return f"calling the result of this expression ({subject})", "give the function a name and call that"


def _function(subject: str, policy: Policy) -> tuple[str, str]:
    reason = policy.reasons.get(subject) or REFUSED_BUILTINS.get(
        subject, "it is not in the table of functions"
    )
    return f"calling '{subject}': {reason}", "call one of the functions in the table"


def _import(subject: str, policy: Policy) -> tuple[str, str]:
    known = (subject, subject.partition(".")[0])
    reason = next(
        (policy.reasons[key] for name in known if (key := f"import {name}") in policy.reasons), None
    )
    return (
        f"the import of '{subject}': {reason or 'it is not in the table of imports'}",
        "remove it and use the allowed builtins",
    )


def _literal(subject: str, _policy: Policy) -> tuple[str, str]:
    return f"the constant {subject}: it is a value of the request", "read the value from ctx"


_WORDS: Mapping[str, Callable[[str, Policy], tuple[str, str]]] = {
    "node": _construct,
    "part": _construct,
    "underscore": _underscore,
    "name": _name,
    "binding": _binding,
    "attribute": _attribute,
    "attribute-write": _attribute_write,
    "call": _call,
    "function": _function,
    "import": _import,
    "literal": _literal,
}
