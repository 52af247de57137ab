"""What a write's body must be, as far as its type tells: the rest is the store's to refuse."""

from __future__ import annotations

from service.errors import BadRequest, FieldError, LarsError, UnsupportedMediaType
from service.rest.context import FORM
from service.rest.plan import NotExpressible
from service.rest.shape import Shape

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
PATCHES = (JSON, MERGE_PATCH, JSON_PATCH)
ACCEPT_PATCH = ", ".join(PATCHES)


def need_object(shape: Shape) -> None:
    """The body is one JSON object."""
    need_json(shape)
    if shape.body_kind != "object":
        raise wrong_body(shape, "a JSON object")


def need_object_or_array(shape: Shape) -> None:
    """The body is one JSON object, or an array for several."""
    need_json(shape)
    if shape.body_kind not in ("object", "array"):
        raise wrong_body(shape, "a JSON object, or an array of objects")


def need_patch(shape: Shape) -> None:
    """The body is a patch: an object, or for JSON Patch an array of operations."""
    if shape.media_type not in ("", FORM, *PATCHES):
        raise UnsupportedMediaType(
            f"Content-Type is {shape.media_type}, PATCH takes {ACCEPT_PATCH}; send one of these",
            headers={"Accept-Patch": ACCEPT_PATCH},
        )
    kind = "array" if shape.media_type == JSON_PATCH else "object"
    if shape.body_kind != kind:
        raise wrong_body(shape, f"a JSON {kind}")


def need_json(shape: Shape) -> None:
    """The body, if there is one, is plain JSON, or a form where the dialect reads forms."""
    if shape.media_type in ("", JSON, FORM):
        return
    if shape.media_type in PATCHES:
        raise UnsupportedMediaType(f"Content-Type is {shape.media_type}, which is for PATCH; send {JSON}")
    raise NotExpressible(f"what a document of type {shape.media_type} means as a record")


def wrong_body(shape: Shape, expected: str) -> LarsError:
    """The error for a body of another type."""
    given = "is empty" if shape.body_kind == "none" else f"is of type {shape.body_kind}"
    error = FieldError("body", given, f"send {expected}")
    return BadRequest(str(error), extra={"errors": [error.as_json()]})
