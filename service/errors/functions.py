"""Errors of loaded functions, told apart from the caller's and from the service's own."""

from __future__ import annotations

from service.errors.base import LarsError, RequestError


class FunctionError(LarsError):
    """The function is at fault: neither who calls it, nor the service."""


class FunctionFailed(FunctionError):
    """It ran and did not return a value. ``line``: the last in its module, None where none is known."""

    def __init__(self, kind: str, message: str, line: int | None) -> None:
        self.kind = kind
        where = "" if line is None else f" (line {line} of its module)"
        said = f": {message}" if message else ""
        super().__init__(
            f"the function raised {kind}{said}{where}",
            extra={"exception": {"type": kind, "message": message, "line": line}},
        )


class FunctionTimeout(FunctionError):
    """It ran past the deadline."""


class ModuleFailed(RequestError):
    """What is to be loaded cannot be: its module fails when it is imported, or the function has a signature
    that no request can fill."""

    def __init__(self, kind: str, message: str, line: int | None, parameter: str | None) -> None:
        where = "" if line is None else f" (line {line})"
        about = {"type": kind, "message": message, "line": line, "parameter": parameter}
        super().__init__(f"the module cannot be loaded: {kind}: {message}{where}", extra={"exception": about})
