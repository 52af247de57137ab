"""The names a plan meets: what the runtime gives it, the methods it may call, and why others are missing.

A method's table does not know on which object it is called, so a name here must be harmless on everything
that a plan can hold: JSON values, sets, iterators, and the objects that the runtime gives it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox_runtime.policy.builtin_names import PLAN_FUNCTIONS
from sandbox_runtime.policy.shape import words

GIVEN = words("ctx plan store session_store make_response")
REPLY = "REPLY"

# Not begin, commit, rollback or close: the transaction is the runtime's.
STORE_METHODS = words(
    "insert insert_many get replace update merge_patch json_patch delete",
    "list search find count update_where delete_where embed expand",
    "etag collection_etag",
)
SESSION_METHODS = words("collection exists names drop")

# Each returns at most about as much as it was given. The exceptions, join and replace, have no substitute.
_VALUE_METHODS = words(
    # str
    "capitalize casefold count endswith find index isalnum isalpha isascii isdecimal isdigit islower",
    "isnumeric isspace istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind",
    "rindex rpartition rsplit rstrip split splitlines startswith strip swapcase title upper",
    # list, tuple
    "append clear copy count extend index insert pop remove reverse sort",
    # dict
    "clear copy fromkeys get items keys pop popitem setdefault update values",
    # set, frozenset
    "add discard difference intersection isdisjoint issubset issuperset symmetric_difference union",
    # float
    "is_integer",
)

METHODS = STORE_METHODS | SESSION_METHODS | _VALUE_METHODS

_WIDTH = "it makes text of any length out of one number; use an f-string such as f'{n:04d}'"
_NO_EXCEPTIONS = "a plan neither raises nor catches; it answers with make_response(status, body)"
_TRANSACTION = "the transaction is the runtime's: a reply of 400 and above rolls it back"

REASONS: Mapping[str, str] = {
    # methods
    "center": _WIDTH,
    "ljust": _WIDTH,
    "rjust": _WIDTH,
    "zfill": _WIDTH,
    "expandtabs": _WIDTH,
    "encode": "bytes have no JSON form; where a URL is to be escaped, use bytes(text, 'utf-8')",
    "begin": _TRANSACTION,
    "commit": _TRANSACTION,
    "rollback": _TRANSACTION,
    # builtins
    "ascii": "it shows the insides of an object; use str",
    "repr": "it shows the insides of an object; use str",
    "format": "its template or specification is made up at run time; use an f-string",
    "hash": "it tells the interpreter's hash seed, which other sessions share, and addresses of objects",
    "print": "nobody reads a plan's output; put it into the reply",
    "iter": "with a function it never ends; for, next and comprehensions need no iter",
    "pow": "one small call keeps a processor busy for hours",
    "Exception": _NO_EXCEPTIONS,
    "ValueError": _NO_EXCEPTIONS,
    "KeyError": _NO_EXCEPTIONS,
    "TypeError": _NO_EXCEPTIONS,
}

REMEDIES: Mapping[str, str] = {
    "name": f"use own variables, {', '.join(sorted(GIVEN))}, {', '.join(sorted(PLAN_FUNCTIONS))}",
    "function": "call make_response or a method, write a comprehension instead of passing functions around",
    "binding": "choose another name for the variable",
    "attribute": (
        "read members with value['name'] or value.get('name'); of methods there are those of the store "
        f"({', '.join(sorted(STORE_METHODS))}), of session_store ({', '.join(sorted(SESSION_METHODS))}) and "
        "the plain ones of text, lists, dictionaries and sets, each called on the spot"
    ),
    "import": "remove it and use the allowed builtins",
}
