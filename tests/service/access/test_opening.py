"""What a service does that has no key yet."""

from __future__ import annotations

import pytest

from service.access.opening import OpeningRefused, check_opening, is_local_host, is_loopback

LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::1%lo"]
OTHERS = ["0.0.0.0", "::", "192.168.1.4", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "", "localhost", "x"]


@pytest.mark.parametrize("address", LOOPBACK)
def test_on_loopback_without_a_key_it_is_open(address: str) -> None:
    assert is_loopback(address)
    assert check_opening(address, has_keys=False)
    assert not check_opening(address, has_keys=True)


@pytest.mark.parametrize("address", OTHERS)
def test_on_any_other_address_it_does_not_start_without_a_key(address: str) -> None:
    assert not is_loopback(address)
    assert not check_opening(address, has_keys=True)
    with pytest.raises(OpeningRefused, match="lars keys add") as caught:
        check_opening(address, has_keys=False)
    assert f"LARS_HOST={address}" in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1",
        "127.0.0.1:8000",
        "[::1]",
        "[::1]:8000",
        "::1",
        "app.localhost:1",
    ],
)
def test_names_of_this_machine(host: str) -> None:
    assert is_local_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[::2]:80",
        "10.0.0.1",
        "0.0.0.0",
        "lars:80",
        "127.0.0.1:80:80",
        "notlocalhost",
    ],
)
def test_names_of_others(host: str) -> None:
    assert not is_local_host(host)
