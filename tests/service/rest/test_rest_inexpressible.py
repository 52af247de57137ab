"""What has no rule is said to have none; nothing is guessed."""

from __future__ import annotations

import pytest

from service.errors import BadRequest
from service.rest.builtin import BuiltinPlanner
from service.rest.plan import NotExpressible
from service.rest.shape import Shape, path_template

PLANNER = BuiltinPlanner()


@pytest.mark.parametrize(
    ("shape", "missing"),
    [
        (Shape("POST", ("orders", "{id}", "cancel")), "action"),
        (
            Shape("POST", ("a",), body="object", media_type="application/vnd.api+json"),
            "vnd.api",
        ),
        (Shape("PATCH", ("a", "{id}", "b"), (), "array", "application/json"), "array in PATCH"),
        (Shape("GET", ("a",), dialect="postgrest"), "postgrest"),
    ],
)
def test_no_rule(shape: Shape, missing: str) -> None:
    """The message names what an LLM planner would add."""
    with pytest.raises(NotExpressible, match=missing) as caught:
        PLANNER.plan(shape)
    assert "a language model" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["_x", ".x", "a b", "{id}", "a/b", "a\\b", "a" * 129, "-a", "a'b", "a\nb", ""]
)
def test_no_collection(name: str) -> None:
    """A name that could be a file's, a URL's or the service's own is refused before there is a shape."""
    with pytest.raises(BadRequest):
        path_template((name,))
