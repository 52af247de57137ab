"""Whom a token stands for."""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest

from service.access.key_text import checksum, make_key
from service.access.keyring import Keyring
from service.access.scopes import Scope
from service.errors import KeyExpired, KeyMalformed, KeyRevoked, KeyUnknown, Unauthorized
from service.limits.rates import UNLIMITED, read_rates
from service.secret import Secret
from tests.service.access.keys import new_key


def ring(*keys: object, **variables: str) -> Keyring:
    made = Keyring({name: Secret(text) for name, text in variables.items()})
    made.update(keys)  # type: ignore[arg-type]
    return made


def test_a_key_is_its_principal() -> None:
    key, text = new_key(scopes=[Scope.REST], policy="restricted")
    principal = ring(key).principal_of(text.text)
    assert principal.name == f"key:{key.id}"
    assert principal.scopes == {Scope.REST}
    assert principal.policy == "restricted"
    assert principal.keyed
    assert principal.sunset is None


def test_unknown_and_wrong_are_told_the_same() -> None:
    key, _ = new_key()
    body = f"sk_prod_{key.id}_{'A' * 32}"
    told = set()
    for token in (make_key("prod").text, f"{body}_{checksum(body)}"):
        with pytest.raises(KeyUnknown) as caught:
            ring(key).principal_of(token)
        told.add(caught.value.detail)
    assert len(told) == 1


def test_a_key_of_the_other_environment_is_unknown() -> None:
    key, text = new_key("prod")
    body = text.text.replace("sk_prod", "sk_test").rpartition("_")[0]
    with pytest.raises(KeyUnknown):
        ring(key).principal_of(f"{body}_{checksum(body)}")


def test_what_has_not_the_form_is_malformed() -> None:
    key, text = new_key()
    for token in (text.text[:-1] + ("a" if text.text[-1] != "a" else "b"), "sk_prod_x", "hunter2", text.id):
        with pytest.raises(KeyMalformed) as caught:
            ring(key).principal_of(token)
        assert token not in caught.value.detail


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"revoked": 1.0}, KeyRevoked),
        ({"expires": 1.0}, KeyExpired),
        ({"revoked": 1.0, "expires": 1.0}, KeyRevoked),
    ],
)
def test_a_key_that_is_over(members: dict[str, Any], error: type[Unauthorized]) -> None:
    key, text = new_key(**members)
    with pytest.raises(error):
        ring(key).principal_of(text.text)
    body = f"sk_prod_{key.id}_{'A' * 32}"  # only who knows the secret learns that the key is over
    with pytest.raises(KeyUnknown):
        ring(key).principal_of(f"{body}_{checksum(body)}")


def test_after_a_rotation_both_secrets_are_good_until_the_overlap_is_over() -> None:
    old, old_text = new_key()
    new_text = make_key("prod", old.id)
    end = time.time() + 60
    rotated = replace(
        old, digest=new_text.digest, previous=old.digest, previous_until=end, revision=old.revision + 1
    )
    both = ring(rotated)
    assert both.principal_of(new_text.text).sunset is None
    assert both.principal_of(old_text.text).sunset == end
    assert both.principal_of(old_text.text).name == both.principal_of(new_text.text).name
    over = ring(replace(rotated, previous_until=time.time() - 1))
    assert over.principal_of(new_text.text).sunset is None
    with pytest.raises(KeyExpired, match="rotated"):
        over.principal_of(old_text.text)


def test_a_change_counts_and_an_older_one_does_not() -> None:
    key, text = new_key()
    keyring = ring(key)
    keyring.update([replace(key, revoked=1.0, revision=key.revision + 1)])
    keyring.update([key])
    with pytest.raises(KeyRevoked):
        keyring.principal_of(text.text)


def test_a_database_that_was_put_back_has_all_keys_there_are_and_opens_nothing() -> None:
    (old, old_text), (new, new_text) = new_key(), new_key()
    keyring = ring(replace(old, revoked=1.0, revision=new.revision + 1), new)
    keyring.replace([old])
    assert keyring.principal_of(old_text.text).keyed
    with pytest.raises(KeyUnknown):
        keyring.principal_of(new_text.text)
    keyring.replace([])
    assert not keyring.empty


def test_keys_of_the_environment() -> None:
    keyring = ring(LARS_AUTH_TOKEN="rest-secret", STARGATE_API_KEY="write-secret")
    rest, write = keyring.principal_of("rest-secret"), keyring.principal_of("write-secret")
    assert (rest.name, write.name) == ("env:LARS_AUTH_TOKEN", "env:STARGATE_API_KEY")
    assert rest.scopes == {Scope.REST}
    assert write.scopes == {Scope.FUNCTIONS_WRITE}
    for token in ("rest-secre", "rest-secret ", "REST-SECRET", "\xe9"):
        with pytest.raises(KeyUnknown):
            keyring.principal_of(token)


def test_one_text_in_two_variables_is_one_key_with_both_scopes() -> None:
    keyring = ring(LARS_AUTH_TOKEN="same", STARGATE_API_KEY="same")
    assert keyring.principal_of("same").scopes == {Scope.REST, Scope.FUNCTIONS_WRITE}


def test_a_variable_may_hold_what_looks_like_a_key() -> None:
    text = make_key("prod").text
    assert ring(STARGATE_API_KEY=text).principal_of(text).scopes == {Scope.FUNCTIONS_WRITE}


def test_whether_anybody_may_do_something() -> None:
    """A key of the scope, or a variable, that is still good."""
    writer, _ = new_key(scopes=[Scope.REST, Scope.FUNCTIONS_WRITE])
    reader, _ = new_key(scopes=[Scope.REST])
    over = replace(writer, spec=replace(writer.spec, expires=time.time() - 1))
    later = replace(writer, spec=replace(writer.spec, expires=time.time() + 60))
    revoked = replace(writer, revoked=time.time())
    for keyring, may in (
        (ring(), False),
        (ring(reader), False),
        (ring(reader, writer), True),
        (ring(later), True),
        (ring(over), False),
        (ring(revoked), False),
        (ring(LARS_AUTH_TOKEN="secret"), False),
        (ring(STARGATE_API_KEY="secret"), True),
    ):
        assert keyring.has_key_for(Scope.FUNCTIONS_WRITE) is may


def test_it_is_empty_until_there_has_been_a_key() -> None:
    key, _ = new_key(revoked=1.0)
    assert ring().empty
    assert not ring(key).empty
    assert not ring(LARS_AUTH_TOKEN="x").empty


def test_a_key_brings_its_limits_and_one_without_any_the_value_that_says_so() -> None:
    own = read_rates(["9/minute"])
    (plain, plain_text), (limited, limited_text) = new_key(rates=read_rates([])), new_key(rates=own)
    keyring = ring(plain, limited)
    assert keyring.principal_of(plain_text.text).rates is UNLIMITED
    assert keyring.principal_of(limited_text.text).rates == own


def steps(keyring: Keyring, token: str) -> list[str]:
    """Every function that is called to judge the token, in order."""
    called: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            called.append(getattr(argument, "__name__", "") if event == "c_call" else frame.f_code.co_name)

    gc.disable()  # a collection in between would be noted too
    sys.setprofile(note)
    try:
        keyring.principal_of(token)
    except KeyUnknown:
        pass
    finally:
        sys.setprofile(None)
        gc.enable()
    return called[:-1]  # the last is what ends the noting


def test_unknown_and_wrong_take_the_same_steps() -> None:
    """So they take the same time. With and without keys of the environment; the second time too."""
    key, _ = new_key()
    body = f"sk_prod_{key.id}_{'A' * 32}"
    wrong = f"{body}_{checksum(body)}"
    for keyring in (ring(key), ring(key, LARS_AUTH_TOKEN="x")):
        unknown = make_key("prod").text
        for _ in range(2):
            assert steps(keyring, unknown) == steps(keyring, wrong)
    assert len(steps(keyring, wrong)) > 8
