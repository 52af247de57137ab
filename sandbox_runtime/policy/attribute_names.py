"""Attributes of all that a restricted program can get hold of: the allowed, and the refused with the reason.

Without imports and classes a program only ever meets objects of the built-in types, so their attributes can
be listed. One that is in neither table (a later Python's, say) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox_runtime.policy.shape import words

ATTRIBUTES = words(
    # str
    "capitalize casefold center count encode endswith expandtabs find index isalnum isalpha isascii",
    "isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower",
    "lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit",
    "rstrip split splitlines startswith strip swapcase title translate upper zfill",
    # bytes, besides those of str
    "decode fromhex hex",
    # int, float, complex
    "as_integer_ratio bit_count bit_length conjugate denominator from_bytes from_number fromhex hex imag",
    "is_integer numerator real to_bytes",
    # list, tuple
    "append clear copy count extend index insert pop remove reverse sort",
    # dict
    "clear copy fromkeys get items keys pop popitem setdefault update values",
    # set, frozenset
    "add clear copy difference difference_update discard intersection intersection_update isdisjoint",
    "issubset issuperset pop remove symmetric_difference symmetric_difference_update union update",
    # range, slice
    "count index indices start step stop",
    # Exceptions: add_note only appends to what the traceback prints; value is what a StopIteration carries.
    "add_note args value",
    # UnicodeError, OSError
    "encoding end object reason start",
    "errno filename strerror",
)

_TEMPLATE = "a template reads attributes of its arguments out of the judge's sight; use an f-string"
_FRAME = "it leads from a running function to its frame, and from there to everything"
_DRIVES = "generators are driven by for and next alone"

REFUSED_ATTRIBUTES: Mapping[str, str] = {
    "format": _TEMPLATE,
    "format_map": _TEMPLATE,
    "mro": "it leads from a class to object, the root of every class",
    "with_traceback": "a traceback leads to frames",
    "obj": "it hands out an object that the program may never have named",
    "name": "it tells names inside code that the program did not write",
    "mapping": "it is the dictionary itself behind its keys, values or items",
    "filename2": "no operation here has two files",
    "characters_written": "there is no non-blocking output here",
    "close": _DRIVES,
    "send": _DRIVES,
    "throw": _DRIVES,
}

# The attributes of interpreter objects, by what their names begin with.
REFUSED_PREFIXES: Mapping[str, str] = {
    "gi_": _FRAME,
    "cr_": _FRAME,
    "ag_": _FRAME,
    "f_": _FRAME,
    "tb_": _FRAME,
    "co_": "it is a part of a code object",
    "func_": "it is a part of a function object",
}
