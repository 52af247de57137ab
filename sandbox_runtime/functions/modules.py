"""The modules that one worker has: each judged, compiled and run once, in a namespace that stays."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable, Mapping

from sandbox_runtime import policy
from sandbox_runtime.function import NO_FUNCTION, Fault, Module
from sandbox_runtime.functions.annotations import Forms
from sandbox_runtime.functions.failure import fault_of, in_doubt
from sandbox_runtime.functions.library import sha256
from sandbox_runtime.functions.signature import Function, NotUsable, function_of, underlying
from sandbox_runtime.job import Refusal

_MANY_NAMES = 1000


class Refused(Exception):
    """The policy does not allow the module."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Failed(Exception):
    """The module, or the function in it, is not what can be called. ``names``: the functions that can be.
    ``last``: the worker is in doubt."""

    def __init__(self, fault: Fault, names: tuple[str, ...] = (), *, last: bool = False) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.names = names
        self.last = last


class Loaded:
    """One module that has been run, and its functions that have been called."""

    def __init__(self, module: types.ModuleType, file: str) -> None:
        self.namespace: Mapping[str, object] = vars(module)
        self.file = file
        self.forms = Forms(self.namespace)
        self._functions: dict[str, Function] = {}

    def function(self, name: str) -> Function:
        """Failed when there is none of that name, or none that JSON can call."""
        found = self._functions.get(name)
        if found is None:
            found = self._functions[name] = self._find(name)
        return found

    def names(self) -> tuple[str, ...]:
        """The functions that it defines, but those that begin with an underscore."""
        found = [name for name in list(self.namespace) if not name.startswith("_") and self._is_own(name)]
        return tuple(found[:_MANY_NAMES])

    def _is_own(self, name: str) -> bool:
        written = underlying(self.namespace.get(name))
        return written is not None and written.__code__.co_filename == self.file

    def _find(self, name: str) -> Function:
        if name.startswith("_") or not self._is_own(name):
            why = f"the module has no function {name[:100]!r} of its own that may be called"
            raise Failed(Fault(NO_FUNCTION, why), self.names())
        try:
            return function_of(self.namespace[name], self.forms)
        except NotUsable as error:
            written = underlying(self.namespace[name])
            line = written.__code__.co_firstlineno if written else None
            raise Failed(Fault("SignatureError", error.why[:500], line, error.parameter)) from error


class Modules:
    """Those of one worker, by the digest of their text."""

    def __init__(self) -> None:
        self._texts: dict[str, Module] = {}
        self._loaded: dict[str, Loaded] = {}
        self._own: dict[str, types.ModuleType] = {}  # those that sys.modules has by their names

    def add(self, module: Module) -> None:
        """What the front has sent. It is looked at when it is first asked for."""
        self._texts[module.digest] = module

    def get(self, digest: str) -> Loaded:
        """The module, run if it has not been. Refused, or Failed when running it fails."""
        found = self._loaded.get(digest)
        if found is None:
            if digest not in self._texts:
                raise Failed(Fault("NotFound", "the module's text was never sent"))
            found = self._run(self._texts[digest])
            self._loaded[digest] = found
            del self._texts[digest]
        return found

    def _run(self, module: Module) -> Loaded:
        if sha256(module.text) != module.digest:
            raise Failed(Fault("DigestMismatch", "the text is not that of the digest"))
        file = f"{module.name}.py"
        _judge(module)
        # What the library has keeps its name; that of a file no import statement can say.
        name = module.name if sys.modules.get(module.name) is self._own.get(module.name) else file
        made = types.ModuleType(name)
        vars(made)["__builtins__"] = own_builtins(module.policy)
        vars(made)["__file__"] = file
        code = _compiled(module, file)
        # dataclasses and typing look a class's module up by its name.
        sys.modules[name] = self._own[name] = made
        try:
            exec(code, vars(made))  # noqa: S102 - judged just now, in the jail
        except BaseException as error:  # noqa: BLE001 - the module may raise anything
            raise Failed(fault_of(error, file), last=in_doubt(error)) from None
        return Loaded(made, file)


def _judge(module: Module) -> None:
    rules = policy.POLICIES.get(module.policy)
    if rules is None:
        raise Failed(Fault("PolicyError", f"there is no policy {module.policy[:100]!r}"))
    verdict = policy.judge(_source(module), rules, max_bytes=module.max_code)
    if isinstance(verdict, policy.Rejected):
        raise Refused(Refusal(verdict.rule, verdict.message, verdict.line, verdict.column, verdict.remedy))
    if isinstance(verdict, policy.Invalid):
        raise Failed(_unreadable(verdict.error))


def _compiled(module: Module, file: str) -> types.CodeType:
    """Some errors of syntax (a return outside a function) are the compiler's and not the parser's."""
    try:
        return compile(_source(module), file, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Failed(_unreadable(error)) from error
    except BaseException as error:  # noqa: BLE001 - constants as long as the memory are folded here
        raise Failed(fault_of(error, file), last=in_doubt(error)) from None


def _source(module: Module) -> str:
    return module.text.removeprefix("\ufeff")


def _unreadable(error: SyntaxError) -> Fault:
    return Fault(type(error).__name__, str(error.msg)[:500], error.lineno)


def own_builtins(name: str) -> dict[str, object]:
    """Fresh ones for one module, as the policy ``name`` gives them: what it changes in them it changes for
    itself."""
    if policy.POLICIES[name].whole_language:
        return dict(vars(builtins))
    make: Callable[[], dict[str, object]] = getattr(policy, f"{name}_builtins")
    return make()
