"""What contracts, modules, functions and their paths may be called. Pure."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection
from dataclasses import replace
from typing import Final, get_args

from service.errors import FieldError, ValidationFailed
from service.functions.values import FunctionSpec, Improvement, Method

MAX_NAME: Final = 100
MAX_PATH: Final = 512
MAX_SEGMENTS: Final = 16
_HASH: Final = re.compile(r"[0-9a-fA-F]{40,64}")
# ASCII alone: a module is a file, and file systems differ in what they take for the same letter.
_MODULE: Final = re.compile(rf"(?!_+\Z)[A-Za-z_][A-Za-z0-9_]{{0,{MAX_NAME - 1}}}")
_SEGMENT: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]+")  # RFC 3986, unreserved
IMPROVED: Final = "improved"  # below it are the paths of improvements, and no others
_OF_HASHES: Final = frozenset(("agent", "function"))  # /agent/HASH/NAME is every function's


def read_hash(text: str) -> str | None:
    """A visible_pixel_hash in lower case; None for what is none."""
    return text.lower() if _HASH.fullmatch(text) else None


def is_module(text: str) -> bool:
    """Whether a module may have this name: it is a file's, without .py."""
    return _MODULE.fullmatch(text) is not None and not keyword.iskeyword(text)


def is_function(text: str) -> bool:
    """Whether a function may have this name and be called from outside. In the form to which Python brings
    every identifier (NFKC), or the module would have it under another."""
    return (
        len(text) <= MAX_NAME
        and text.isidentifier()
        and not text.startswith("_")
        and not keyword.iskeyword(text)
        and unicodedata.normalize("NFKC", text) == text
    )


def read_path(text: str, reserved: Collection[str] = ()) -> str | None:
    """An endpoint's path without a slash at its end; None for what may be none. ``reserved``: what no path
    may begin with."""
    path = text.removesuffix("/")
    segments = path.split("/")[1:]
    if not path.startswith("/") or len(path) > MAX_PATH or len(segments) > MAX_SEGMENTS:
        return None
    if not all(_SEGMENT.fullmatch(segment) for segment in segments) or segments[0] in reserved:
        return None
    taken = segments[0] in _OF_HASHES and len(segments) > 1 and read_hash(segments[1]) is not None
    return None if taken else path


def read_spec(spec: FunctionSpec, reserved: Collection[str] = ()) -> FunctionSpec:
    """``spec`` with its hash and path as they are kept. ValidationFailed with every member that cannot be;
    ``reserved``: what no path may begin with."""
    contract, path = read_hash(spec.hash), read_path(spec.path, reserved)
    errors = [
        *([] if contract else [_hash_error(spec.hash)]),
        *([] if is_function(spec.name) else [_function_error(spec.name)]),
        *([] if is_module(spec.module) else [_module_error(spec.module)]),
        *_place_errors(spec, path, reserved),
        *([] if spec.method in get_args(Method) else [_method_error(spec.method)]),
    ]
    if errors or contract is None or path is None:
        raise ValidationFailed(errors)
    return replace(spec, hash=contract, path=path)


def improved_path(kind: str, name: str) -> str:
    """Where an improvement is served."""
    return f"/{IMPROVED}/{kind}/{name}"


def _place_errors(spec: FunctionSpec, path: str | None, reserved: Collection[str]) -> list[FieldError]:
    if spec.improvement is None:
        return [] if path else [_path_error(spec.path, reserved)]
    if spec.improvement not in get_args(Improvement):
        return [_improvement_error(spec.improvement)]
    if is_function(spec.name) and path != improved_path(spec.improvement, spec.name):
        return [
            FieldError("function_name", "cannot be in a path", "send ASCII letters, digits and _", spec.name)
        ]
    return []


def read_module_place(contract: str, module: str) -> tuple[str, str]:
    """Hash and name of a module as they are kept. ValidationFailed."""
    found = read_hash(contract)
    errors = [
        *([] if found else [_hash_error(contract)]),
        *([] if is_module(module) else [_module_error(module)]),
    ]
    if errors or found is None:
        raise ValidationFailed(errors)
    return found, module


def _hash_error(value: str) -> FieldError:
    return FieldError("visible_pixel_hash", "is no hash", "send 40 to 64 hexadecimal digits", value)


def _module_error(value: str) -> FieldError:
    remedy = (
        f"send 1 to {MAX_NAME} of A-Z a-z 0-9 _, no digit first, not only _, no word of Python's, and no .py"
    )
    return FieldError("module_name", "is no name of a module", remedy, value, MAX_NAME)


def _function_error(value: str) -> FieldError:
    remedy = f"send the name of a function, at most {MAX_NAME} characters, without _ at its beginning"
    return FieldError("function_name", "is no name of a function that can be called", remedy, value, MAX_NAME)


def _path_error(value: str, reserved: Collection[str]) -> FieldError:
    others = f"; the first is not {', '.join(sorted(reserved))}" if reserved else ""
    remedy = (
        f"send / and 1 to {MAX_SEGMENTS} segments of A-Z a-z 0-9 . _ ~ -, at most {MAX_PATH} characters"
        f"{others}; /agent/HASH and /function/HASH are the service's"
    )
    return FieldError("endpoint_path", "cannot be the path of a function", remedy, value, MAX_PATH)


def _improvement_error(value: str) -> FieldError:
    kinds = ", ".join(get_args(Improvement))
    return FieldError("improvement_type", "is not one that there is", f"send one of {kinds}", value)


def _method_error(value: str) -> FieldError:
    return FieldError(
        "method", "is not one that functions have", f"send {', '.join(get_args(Method))}", value
    )
