"""The decision on every request."""

from __future__ import annotations

import time

import pytest

from service.access.gate import PUBLIC_NAMES, Gate, Headers, Need, Open
from service.access.keyring import Keyring
from service.access.principal import Key
from service.access.scopes import Scope
from service.errors import ControlUnavailable, KeyMalformed, KeyMissing, KeyUnknown, LarsError, ScopeMissing
from tests.service.access.keys import new_key

ALL = (*Scope, *Open)
Caller = tuple[Headers, str]  # and the address
LOCAL = [(b"host", b"127.0.0.1:8000")]


def gate(*keys: Key, local: bool = True, public: tuple[Need, ...] = tuple(PUBLIC_NAMES.values())) -> Gate:
    keyring = Keyring()
    keyring.update(keys)
    return Gate(keyring, public, local=local)


def caller(*headers: tuple[bytes, bytes], address: str = "127.0.0.1") -> Caller:
    return [*headers] or LOCAL, address


def bearing(token: str, address: str = "127.0.0.1") -> Caller:
    return [*LOCAL, (b"x-api-key", token.encode())], address


def outcome(of: Gate, who: Caller, need: Need) -> str | type[LarsError]:
    try:
        return of.admit(*who, need).name
    except LarsError as error:
        return type(error)


def test_an_open_service_lets_its_own_machine_do_all_but_what_always_needs_a_key() -> None:
    refused = {need for need in ALL if outcome(gate(), caller(), need) is KeyMissing}
    assert refused == {Scope.FUNCTIONS_WRITE, Scope.ADMIN}
    assert {outcome(gate(), caller(), need) for need in ALL if need not in refused} == {"anonymous"}


@pytest.mark.parametrize(
    "who",
    [
        caller(address="10.0.0.7"),
        caller(address=""),
        caller((b"host", b"evil.example")),
    ],
)
def test_an_open_service_is_closed_to_other_machines_and_other_names(who: Caller) -> None:
    kept = {need for need in ALL if outcome(gate(), who, need) is KeyMissing}
    assert kept == set(ALL) - {Open.HEALTH}


def test_in_an_open_service_tokens_tell_callers_apart() -> None:
    names = {outcome(gate(), bearing(token), Scope.REST) for token in ("alice", "bob", "alice")}
    assert len(names) == 2
    assert all(str(name).startswith("bearer:") for name in names)
    assert not any("alice" in str(name) for name in names)


def test_in_an_open_service_what_looks_like_a_key_is_judged_as_one() -> None:
    _, text = new_key()
    assert outcome(gate(), bearing(text.text), Scope.REST) is KeyUnknown
    assert outcome(gate(), bearing(text.text[:-2]), Scope.REST) is KeyMalformed


def test_in_an_open_service_a_key_may_be_the_first_whatever_it_is_for_and_wherever_it_comes_from() -> None:
    """It is said to be unknown, not missing: it may have just been made."""
    _, text = new_key()
    kept = {outcome(gate(), bearing(text.text), need) for need in ALL if need is not Open.HEALTH}
    assert kept == {KeyUnknown}
    for who in (bearing(text.text, "10.0.0.7"), caller((b"host", b"x"), (b"x-api-key", text.text.encode()))):
        assert outcome(gate(), who, Scope.REST) is KeyUnknown


def test_as_soon_as_one_key_exists_it_is_required() -> None:
    service = gate()
    assert outcome(service, caller(), Scope.EXECUTE) == "anonymous"
    key, text = new_key(scopes=Scope)
    service.keyring.update([key])
    wanted = {need for need in ALL if outcome(service, caller(), need) is KeyMissing}
    assert wanted == set(Scope) - {Scope.FUNCTIONS_READ, Scope.FUNCTIONS_CALL}
    assert {outcome(service, bearing(text.text), need) for need in ALL} == {"anonymous", f"key:{key.id}"}


def test_a_service_for_others_is_never_open() -> None:
    assert outcome(gate(local=False), caller(), Scope.EXECUTE) is KeyMissing


@pytest.mark.parametrize("scope", Scope)
def test_a_key_may_do_what_its_scope_says_and_what_is_public(scope: Scope) -> None:
    key, text = new_key(scopes=[scope])
    allowed = {
        need for need in ALL if outcome(gate(key, public=()), bearing(text.text), need) == f"key:{key.id}"
    }
    assert allowed == {scope, Open.HEALTH, Open.DOCS}
    public = gate(key)
    assert outcome(public, bearing(text.text), Scope.FUNCTIONS_READ) == f"key:{key.id}"


def test_a_missing_scope_is_named() -> None:
    key, text = new_key(scopes=[Scope.REST])
    with pytest.raises(ScopeMissing, match="has the scopes rest, and this needs execute") as caught:
        gate(key).admit(*bearing(text.text), Scope.EXECUTE)
    assert caught.value.extra == {"scope": "execute"}
    assert 'scope="execute"' in caught.value.headers["WWW-Authenticate"]


def test_closed_to_the_public_everything_needs_a_key() -> None:
    key, _ = new_key()
    assert {outcome(gate(key, public=()), caller(), need) for need in ALL} == {KeyMissing}


def test_probes_are_answered_whatever_key_they_bring() -> None:
    key, _ = new_key()
    assert outcome(gate(key), bearing("sk_prod_typo"), Open.HEALTH) == "anonymous"
    assert outcome(gate(key), bearing("sk_prod_typo"), Open.DOCS) is KeyMalformed


def test_when_keys_cannot_be_read_nobody_comes_in() -> None:
    key, text = new_key()
    stale = gate(key)
    stale.fresh_until = time.monotonic() - 1
    assert outcome(stale, bearing(text.text), Scope.REST) is ControlUnavailable
    assert outcome(stale, caller(), Open.HEALTH) == "anonymous"
    empty = gate()
    empty.fresh_until = time.monotonic() - 1
    assert outcome(empty, caller(), Scope.REST) is ControlUnavailable
    empty.seen()
    assert outcome(empty, caller(), Scope.REST) == "anonymous"
