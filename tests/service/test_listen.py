"""Which socket is served: one that is named, one that is passed, a new one. What cannot be served is said."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from service.access.opening import check_opening
from service.listen import Address, ListenError, curl_of, inherited, open_listener, reach_of, url_of

ANY = Address("127.0.0.1", 0)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def refused(descriptor: int) -> str:
    with pytest.raises(ListenError) as caught:
        inherited(descriptor, "LARS_FD")
    return str(caught.value)


def test_without_one_that_is_inherited_a_new_one_is_made() -> None:
    passed_to_another = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}
    for environ in ({}, passed_to_another, {"LISTEN_PID": str(os.getpid())}):
        made = open_listener(ANY, environ)
        with made.socket as listener:
            assert made.own
            assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_one_that_is_named_is_served_and_no_child_inherits_it(listener: socket.socket) -> None:
    copy = os.dup(listener.fileno())
    os.set_inheritable(copy, True)
    found = open_listener(Address("127.0.0.1", 1, copy), {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
    with found.socket as served:
        assert (found.own, served.fileno()) == (False, copy)
        assert url_of(served) == f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert not served.get_inheritable()


def test_what_is_not_open_or_no_socket() -> None:
    reader, writer = os.pipe()
    assert refused(reader) == (
        f"LARS_FD names descriptor {reader}, which is no socket; "
        "start the service with a listening socket there"
    )
    os.close(writer)
    os.close(reader)
    assert "which is not open" in refused(reader)


@pytest.mark.parametrize(
    ("family", "kind", "why"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "does not listen"),
        (socket.AF_INET, socket.SOCK_DGRAM, "is no stream socket"),
        (socket.AF_UNIX, socket.SOCK_SEQPACKET, "is no stream socket"),
        (socket.AF_NETLINK, socket.SOCK_RAW, "is a socket of family 16"),
    ],
)
def test_a_socket_that_cannot_be_served(
    family: socket.AddressFamily, kind: socket.SocketKind, why: str
) -> None:
    with socket.socket(family, kind) as unfit:
        assert refused(unfit.fileno()) == (
            f"LARS_FD names descriptor {unfit.fileno()}, which {why}; "
            "pass a listening stream socket (TCP, or of a path)"
        )
        assert unfit.fileno() >= 0, "it is left as it was"


def test_several_sockets_are_refused() -> None:
    with pytest.raises(ListenError, match="LISTEN_FDS=2: one socket can be served; keep one ListenStream="):
        open_listener(ANY, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"})


@pytest.mark.parametrize("name", ["\0lars-listen", "path"])
def test_a_socket_of_a_path_is_of_this_machine(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = name if name.startswith("\0") else str(tmp_path_factory.mktemp("at") / name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        shown = path.replace("\0", "@")
        assert url_of(listener) == f"unix:{shown}"
        option = f"--abstract-unix-socket {path[1:]}" if name[0] == "\0" else f"--unix-socket {path}"
        assert curl_of(listener) == f"-s {option} http://localhost"
        assert check_opening(reach_of(listener), has_keys=False)
