"""Names of scopes, families and all of them."""

from __future__ import annotations

import pytest

from service.access.scopes import USUAL, Scope, in_order, read_scopes


def test_scopes_by_name_family_and_all() -> None:
    assert read_scopes(["execute", "rest"]) == {Scope.EXECUTE, Scope.REST}
    assert read_scopes(["functions:*"]) == {
        Scope.FUNCTIONS_READ,
        Scope.FUNCTIONS_CALL,
        Scope.FUNCTIONS_WRITE,
    }
    assert read_scopes(["*"]) == frozenset(Scope)
    assert read_scopes([]) == frozenset()


@pytest.mark.parametrize(
    "name", ["", "Execute", "functions", "functions:", "execute:", "rest ", "**", "execute:*x"]
)
def test_no_other_name_is_a_scope(name: str) -> None:
    with pytest.raises(ValueError, match="is not a scope; choose from execute, generate"):
        read_scopes(["rest", name])


def test_what_operators_do_is_never_given_unasked() -> None:
    assert frozenset(Scope) - USUAL == {Scope.FUNCTIONS_WRITE, Scope.METRICS, Scope.ADMIN}


def test_they_are_shown_in_one_order() -> None:
    assert in_order([Scope.ADMIN, Scope.EXECUTE, Scope.REST]) == ["execute", "rest", "admin"]
