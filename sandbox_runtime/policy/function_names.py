"""Names in the module of a loaded function: special methods, attributes and builtins that it has or has not.

What makes a name dangerous here is that it leads from an object of the program to one of the interpreter
(a frame, a code object, the namespace of another module), or that it reads an attribute whose name the judge
has not seen.
"""

from __future__ import annotations

import builtins
import types
from collections.abc import Mapping

from sandbox_runtime.policy.builtin_names import REFUSED_BUILTINS
from sandbox_runtime.policy.shape import words

# Methods that a class may define: operators and statements call them, on its own objects.
SPECIAL_METHODS = words(
    "__init__ __post_init__ __repr__ __str__ __bytes__ __format__ __hash__ __bool__ __call__",
    "__eq__ __ne__ __lt__ __le__ __gt__ __ge__",
    "__len__ __length_hint__ __iter__ __next__ __reversed__ __contains__ __getitem__ __setitem__ __delitem__",
    "__missing__ __class_getitem__",
    "__enter__ __exit__ __aenter__ __aexit__ __aiter__ __anext__ __await__",
    "__add__ __sub__ __mul__ __matmul__ __truediv__ __floordiv__ __mod__ __divmod__ __pow__",
    "__lshift__ __rshift__ __and__ __xor__ __or__",
    "__radd__ __rsub__ __rmul__ __rmatmul__ __rtruediv__ __rfloordiv__ __rmod__ __rdivmod__ __rpow__",
    "__rlshift__ __rrshift__ __rand__ __rxor__ __ror__",
    "__iadd__ __isub__ __imul__ __imatmul__ __itruediv__ __ifloordiv__ __imod__ __ipow__",
    "__ilshift__ __irshift__ __iand__ __ixor__ __ior__",
    "__neg__ __pos__ __abs__ __invert__ __int__ __float__ __complex__ __index__",
    "__round__ __trunc__ __floor__ __ceil__ __copy__ __deepcopy__",
)
SPECIAL_BINDINGS = SPECIAL_METHODS | words("__all__ __author__ __doc__ __license__ __slots__ __version__")
SPECIAL_NAMES = SPECIAL_BINDINGS | words("__name__ __qualname__")
SPECIAL_ATTRIBUTES = SPECIAL_METHODS | words("__name__ __qualname__ __doc__ __cause__ __notes__")

# Private names of the standard library that are documented, or that everybody writes.
KNOWN_PRIVATE = words(
    "_asdict _replace _make _fields _field_defaults",  # namedtuple
    "_name_ _value_ _missing_ _generate_next_value_ _ignore_ _member_map_ _member_names_ _value2member_map_",
)

_FRAME = "it leads from a running function to its frame, and from there to everything"
_CODE = "it is a part of a code object"
_FUNCTION = "it is a part of a function object"
_LOOP = "it hands out the event loop, which opens connections and starts processes"
_TEMPLATE = (
    "a template reads attributes of its arguments out of the judge's sight, unless it is a literal "
    "or a name that is assigned one literal"
)

_KINDS: tuple[tuple[type, str, str], ...] = (
    (types.FrameType, "f_", _FRAME),
    (types.TracebackType, "tb_", _FRAME),
    (types.GeneratorType, "gi_", _FRAME),
    (types.CoroutineType, "cr_", _FRAME),
    (types.AsyncGeneratorType, "ag_", _FRAME),
    (types.CodeType, "co_", _CODE),
)

# All that interpreter objects have, with the names that later and earlier Pythons know them by.
INTERPRETER_ATTRIBUTES: Mapping[str, str] = {
    **{name: why for kind, prefix, why in _KINDS for name in vars(kind) if name.startswith(prefix)},
    **dict.fromkeys(
        words(
            "f_back f_builtins f_code f_generator f_globals f_lasti f_lineno f_locals f_trace f_trace_lines",
            "f_trace_opcodes gi_code gi_frame gi_running gi_suspended gi_yieldfrom cr_await cr_code cr_frame",
            "cr_origin cr_running cr_suspended ag_await ag_code ag_frame ag_running ag_suspended",
            "tb_frame tb_lasti tb_lineno tb_next",
        ),
        _FRAME,
    ),
    **dict.fromkeys(
        words(
            "func_closure func_code func_defaults func_dict func_doc func_globals func_name",
            "im_class im_func im_self cell_contents",
        ),
        _FUNCTION,
    ),
}

# In the body of a protocol they do what runtime_checkable does.
PROTOCOL_SWITCHES = words("_is_protocol _is_runtime_protocol")

FUNCTION_ATTRIBUTES: Mapping[str, str] = {
    **INTERPRETER_ATTRIBUTES,
    "format": _TEMPLATE,
    "format_map": _TEMPLATE,
    "mro": "it leads from a class to those of the interpreter; name the class itself",
    "register": "ABC.register makes any object an instance of a class, so that patterns read its attributes; "
    "call the method add",
    "with_traceback": "a traceback leads to frames",
    "get_stack": _FRAME,
    "print_stack": _FRAME,
    "get_coro": _FRAME,
    "get_loop": _LOOP,
    "_loop": _LOOP,
    "_get_loop": _LOOP,
    "_coro": _FRAME,
    "obj": "an AttributeError hands out by it what the program may never have named; use another name",
    **dict.fromkeys(
        words("_convert_ _create_ _check_for_existing_members_ _find_data_type_ _find_new_ _get_mixins_"),
        "it makes enumerations from texts and from the names of other modules; write a class",
    ),
    **dict.fromkeys(PROTOCOL_SWITCHES, "it lets isinstance read attributes by the names of a class"),
    "_inst": "it lets annotations be called",
}

_CLASS_ITSELF = "it hands out the class of an object; use type(value), or .__class__.__name__ for its name"
_RUNS_UNSEEN = "it is called where the text of the program shows no call"
_COPIES = "copy would take any callable and any attribute from it; define __copy__ or __deepcopy__"
_DESCRIPTOR = "it changes what reading an attribute means; use property"
_ATTRIBUTES = "it changes or reaches any attribute by a name made up at run time"
_METACLASS = "it belongs to metaclasses"
_NAMESPACE = "it hands out a namespace as a dictionary"

SPECIAL_REASONS: Mapping[str, str] = {
    "__class__": _CLASS_ITSELF,
    **dict.fromkeys(
        words("__base__ __bases__ __mro__ __subclasses__ __mro_entries__ __prepare__"), _METACLASS
    ),
    **dict.fromkeys(words("__instancecheck__ __subclasscheck__ __subclasshook__"), _METACLASS),
    **dict.fromkeys(words("__getattr__ __getattribute__ __setattr__ __delattr__ __dir__"), _ATTRIBUTES),
    **dict.fromkeys(words("__get__ __set__ __delete__ __set_name__ __objclass__"), _DESCRIPTOR),
    **dict.fromkeys(words("__reduce__ __reduce_ex__ __getstate__ __setstate__ __getnewargs__"), _COPIES),
    **dict.fromkeys(words("__del__ __init_subclass__ __getnewargs_ex__ __weakref__"), _RUNS_UNSEEN),
    **dict.fromkeys(words("__dict__ __globals__ __builtins__ __annotations__ __annotate__"), _NAMESPACE),
    **dict.fromkeys(
        words("__code__ __closure__ __defaults__ __kwdefaults__ __func__ __wrapped__"), _FUNCTION
    ),
    **dict.fromkeys(words("__traceback__"), "a traceback leads to frames"),
    "__context__": "it leads to errors inside the standard library; use __cause__",
    "__self__": "it leads from a method to its object, and from a builtin to its module",
    "__new__": "it makes objects past __init__; define __init__, or keep one instance in a module variable",
    "__match_args__": "patterns read what it names, out of the judge's sight; use dataclass or NamedTuple",
    "__module__": "the standard library looks modules up by it",
    "__import__": "it imports by a name made up at run time",
    "__origin__": "it leads from an annotation to its class",
    "__file__": "a function has no files",
}

_CODE_TEXT = "it runs text as code"
_NO_TERMINAL = "a function has no terminal; it takes arguments and returns a value"
_NO_PROCESS = "a function has no process to end; return, or raise an exception"
_ANY_ATTRIBUTE = (
    "it lists what an object has, the interpreter's own included; use dataclasses.fields or asdict"
)

FUNCTION_REFUSED_BUILTINS: Mapping[str, str] = {
    "open": "a function has no files; take texts as arguments and return them",
    "exec": _CODE_TEXT,
    "eval": f"{_CODE_TEXT}; json.loads reads data",
    "compile": f"{_CODE_TEXT}; re.compile is another function",
    "__import__": SPECIAL_REASONS["__import__"],
    "globals": _NAMESPACE,
    "locals": _NAMESPACE,
    "vars": f"{_NAMESPACE}; use dataclasses.asdict",
    "dir": _ANY_ATTRIBUTE,
    "input": _NO_TERMINAL,
    "breakpoint": _NO_TERMINAL,
    "help": _NO_TERMINAL,
    "exit": _NO_PROCESS,
    "quit": _NO_PROCESS,
    "SystemExit": _NO_PROCESS,
    "KeyboardInterrupt": _NO_PROCESS,
    **dict.fromkeys(words("copyright credits license"), _NO_TERMINAL),
    # traceback imports the module that an ImportError names, and quotes the file that a SyntaxError names.
    **{
        name: REFUSED_BUILTINS[name]
        for name in words("ImportError ModuleNotFoundError SyntaxError IndentationError TabError")
    },
}

FUNCTION_FUNCTIONS = words(
    # numbers
    "abs bin bool chr complex divmod float hex int max min oct ord pow range round sum",
    # text and bytes
    "ascii bytearray bytes format memoryview repr str",
    # collections and iteration
    "aiter all anext any dict enumerate filter frozenset iter len list map next reversed set",
    "slice sorted tuple",
    "zip",
    # questions about a value; getattr and type are the checked ones of function_builtins
    "callable getattr hasattr hash id isinstance issubclass type",
    # classes
    "classmethod delattr object property setattr staticmethod super",
    # constants
    "Ellipsis NotImplemented",
    # output
    "print",
)
FUNCTION_EXCEPTIONS = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type)
    and issubclass(value, BaseException)
    and name not in FUNCTION_REFUSED_BUILTINS
    and not name.startswith("_")
)

FUNCTION_BUILTINS = FUNCTION_FUNCTIONS | FUNCTION_EXCEPTIONS

# A builtin that a later Python adds is refused until it is sorted into one of the tables above.
FUNCTION_NOT_ALLOWED = frozenset(FUNCTION_REFUSED_BUILTINS) | (frozenset(vars(builtins)) - FUNCTION_BUILTINS)


def attribute_fault(name: str) -> str | None:
    """Why an attribute may not be reached by a name that is a text, or None: for getattr and its like."""
    if name in FUNCTION_ATTRIBUTES:
        return FUNCTION_ATTRIBUTES[name]
    if name.startswith("__") and name.endswith("__") and name not in SPECIAL_ATTRIBUTES:
        return SPECIAL_REASONS.get(name, "it is not in the table of special names")
    return None
