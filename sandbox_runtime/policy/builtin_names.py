"""Python's builtins, sorted into those a restricted program has and those it does not, each with the reason.

A restricted program gets an own ``__builtins__`` that holds the allowed ones and nothing else, so a name that
the judge overlooked is still a NameError when it runs. A plan gets fewer still, in the same way.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping

from sandbox_runtime.policy.shape import words

ALLOWED_FUNCTIONS = words(
    # numbers
    "abs bin bool chr complex divmod float hex int max min oct ord pow range round sum",
    # text
    "ascii bytes format repr str",
    # collections and iteration
    "all any dict enumerate filter frozenset iter len list map next reversed set slice sorted tuple zip",
    # questions about a value
    "callable hash isinstance issubclass",
    # output
    "print",
)

ALLOWED_EXCEPTIONS = words(
    "Exception ArithmeticError AssertionError AttributeError BufferError EOFError FloatingPointError",
    "IndexError KeyError LookupError MemoryError NameError NotImplementedError OverflowError",
    "RecursionError RuntimeError StopIteration TypeError UnboundLocalError ValueError ZeroDivisionError",
    "UnicodeError UnicodeDecodeError UnicodeEncodeError UnicodeTranslateError",
    "OSError IOError ConnectionError FileExistsError FileNotFoundError PermissionError TimeoutError",
)

PLAN_FUNCTIONS = words(
    # numbers
    "abs bool divmod float int max min range round sum",
    # text, and its bytes: percent escapes in a Location are made of them
    "str bytes",
    # collections and iteration
    "all any dict enumerate filter frozenset len list map next reversed set sorted tuple zip",
    # questions about a value
    "isinstance",
)

_ANY_ATTRIBUTE = "it reaches any attribute by a name made up at run time"
_NAMESPACE = "it hands out a namespace as a dictionary"
_CODE = "it runs text as code"
_CLASSES = "it is of use only in class definitions, which are refused"
_LEAVES = "it ends or outlives the program rather than reporting an error"
_INTERACTIVE = "it belongs to the interactive prompt"
_ASYNC = "there is no async code here"
_WARNING = "nothing here can issue or filter warnings"
_RARE_OS = "no system call of a program here can raise it; OSError covers the rest"

REFUSED_BUILTINS: Mapping[str, str] = {
    "getattr": _ANY_ATTRIBUTE,
    "setattr": _ANY_ATTRIBUTE,
    "delattr": _ANY_ATTRIBUTE,
    "hasattr": _ANY_ATTRIBUTE,
    "dir": "it lists the attributes that the policy keeps out of reach",
    "vars": _NAMESPACE,
    "globals": _NAMESPACE,
    "locals": _NAMESPACE,
    "eval": _CODE,
    "exec": _CODE,
    "compile": _CODE,
    "open": "it opens files",
    "input": "a restricted program takes its input from the variable data",
    "type": "it makes classes, and leads from a value to its class",
    "object": "it is the root of every class",
    "super": _CLASSES,
    "property": _CLASSES,
    "classmethod": _CLASSES,
    "staticmethod": _CLASSES,
    "id": "it tells the address of an object; compare identity with 'is'",
    "memoryview": "it gives raw access to the memory of another object",
    "bytearray": "a buffer that can shrink while it is in use; bytes and list do its work",
    "aiter": _ASYNC,
    "anext": _ASYNC,
    "StopAsyncIteration": _ASYNC,
    "breakpoint": "it starts a debugger",
    "help": _INTERACTIVE,
    "copyright": _INTERACTIVE,
    "credits": _INTERACTIVE,
    "license": _INTERACTIVE,
    "exit": _INTERACTIVE,
    "quit": _INTERACTIVE,
    # Catching one of these keeps a program alive that is being told to end; "except:" has the same effect,
    # but then nothing names it, and the wall clock ends the program from outside.
    "BaseException": _LEAVES,
    "SystemExit": _LEAVES,
    "KeyboardInterrupt": _LEAVES,
    "GeneratorExit": _LEAVES,
    "BaseExceptionGroup": "except* is refused, so there is nothing to group for",
    "ExceptionGroup": "except* is refused, so there is nothing to group for",
    # traceback imports the module that an ImportError names, and quotes the file that a SyntaxError names.
    "ImportError": "printing it imports the module it names; nothing here can be imported",
    "ModuleNotFoundError": "printing it imports the module it names; nothing here can be imported",
    "SyntaxError": "printing it quotes the file it names; nothing here compiles text",
    "IndentationError": "printing it quotes the file it names; nothing here compiles text",
    "TabError": "printing it quotes the file it names; nothing here compiles text",
    "SystemError": "it reports a fault of the interpreter",
    "ReferenceError": "there are no weak references here",
    "PythonFinalizationError": "it reports the end of the interpreter",
    "EnvironmentError": "an old name of OSError",
    "BlockingIOError": _RARE_OS,
    "BrokenPipeError": _RARE_OS,
    "ChildProcessError": _RARE_OS,
    "ConnectionAbortedError": _RARE_OS,
    "ConnectionRefusedError": _RARE_OS,
    "ConnectionResetError": _RARE_OS,
    "InterruptedError": _RARE_OS,
    "IsADirectoryError": _RARE_OS,
    "NotADirectoryError": _RARE_OS,
    "ProcessLookupError": _RARE_OS,
    "Warning": _WARNING,
    "BytesWarning": _WARNING,
    "DeprecationWarning": _WARNING,
    "EncodingWarning": _WARNING,
    "FutureWarning": _WARNING,
    "ImportWarning": _WARNING,
    "PendingDeprecationWarning": _WARNING,
    "ResourceWarning": _WARNING,
    "RuntimeWarning": _WARNING,
    "SyntaxWarning": _WARNING,
    "UnicodeWarning": _WARNING,
    "UserWarning": _WARNING,
    "Ellipsis": "write ... instead",
    "NotImplemented": "it is of use only in the methods of a class",
}

ALLOWED_BUILTINS = ALLOWED_FUNCTIONS | ALLOWED_EXCEPTIONS

# A builtin that a later Python adds is refused until it is sorted into one of the tables above.
NOT_ALLOWED_BUILTINS = frozenset(REFUSED_BUILTINS) | (frozenset(vars(builtins)) - ALLOWED_BUILTINS)


def restricted_builtins() -> dict[str, object]:
    """A fresh ``__builtins__`` for one restricted program: the allowed builtins by name.

    There is no ``__import__`` and no ``__build_class__``: the statements fail at run time as well.
    """
    return {name: getattr(builtins, name) for name in sorted(ALLOWED_BUILTINS)}


def plan_builtins() -> dict[str, object]:
    """A fresh ``__builtins__`` for one run of a plan. No exceptions: a plan neither raises nor catches."""
    return dict(_PLAN_BUILTINS)


_PLAN_BUILTINS = {name: getattr(builtins, name) for name in sorted(PLAN_FUNCTIONS)}
