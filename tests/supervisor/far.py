"""``python -m tests.supervisor.far DIRECTORY``, in a network namespace of its own where it may do as it
likes: a service is told to end while callers ask whose packets take long. Prints what became of them.

Every packet passes through here and is delayed, those of a handshake too, which no relay of bytes would do.
There is one address, on one end of a veth pair. What is sent to its neighbour, who does not exist, comes out
at the other end, and is put back there with both addresses exchanged: whoever connects to the neighbour
reaches this machine, and is the neighbour to it. A checksum is the same with addresses exchanged.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import json
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

from tests.supervisor.asking import Tally, ask_on
from tests.supervisor.serving import serving, wait_until

ROUND_TRIP = 0.4  # seconds
NO_NETWORK = 77
_ADDRESS, _NEIGHBOUR = "10.9.0.1", "10.9.0.2"
_CALLERS = 64
_IPV4 = 0x0800
_SIOCETHTOOL, _TX_CHECKSUMS = 0x8946, 0x17  # linux/ethtool.h: packets are whole when they leave
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4
_COMMANDS = (
    "link set lo up",
    "link add near type veth peer name far",
    f"address add {_ADDRESS}/24 dev near",
    "link set near up",
    "link set far up",
    f"neighbour add {_NEIGHBOUR} lladdr 02:00:00:00:00:02 dev near",
)


def make_network() -> socket.socket:
    """The far end. OSError or CalledProcessError where the kernel has no such devices."""
    for command in _COMMANDS:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)
    far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_IPV4))
    far.bind(("far", _IPV4))
    off = ctypes.create_string_buffer(struct.pack("II", _TX_CHECKSUMS, 0))
    fcntl.ioctl(far, _SIOCETHTOOL, struct.pack("16sP", b"near", ctypes.addressof(off)))
    # The service is to have no more than it has elsewhere.
    ctypes.CDLL(None).prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    return far


def delay(far: socket.socket) -> None:
    """Send each packet back, half a round trip later."""
    on_their_way: deque[tuple[float, bytes]] = deque()
    while True:
        now = time.monotonic()
        while on_their_way and on_their_way[0][0] <= now:
            far.send(on_their_way.popleft()[1])
        patience = on_their_way[0][0] - now if on_their_way else None
        if select.select([far], [], [], patience)[0]:
            packet, (_, _, kind, *_) = far.recvfrom(65_536)
            if kind != socket.PACKET_OUTGOING:
                on_their_way.append((time.monotonic() + ROUND_TRIP / 2, _back(packet)))


def _back(packet: bytes) -> bytes:
    to, source, head = packet[:6], packet[6:12], packet[12:26]
    return source + to + head + packet[30:34] + packet[26:30] + packet[34:]


async def ask(directory: Path) -> dict[str, object]:
    """Callers in every stage of a connection when the service is told to end."""
    variables = {"LARS_HOST": _ADDRESS, "LARS_AUTH_TOKEN": "k" * 32, "LARS_FRONTS": "2"}
    with serving(directory, **variables) as service:
        tally, port = Tally(), int(service.url.rpartition(":")[2])
        callers = []
        for number in range(_CALLERS):
            one = ask_on(port, tally, once=number % 4 > 0, host=_NEIGHBOUR)
            callers.append(asyncio.create_task(one))
            await asyncio.sleep(2 * ROUND_TRIP / _CALLERS)  # so that each is somewhere else
        await asyncio.to_thread(wait_until, lambda: tally.answers[200] > 2 * _CALLERS, "the load")
        service.popen.send_signal(signal.SIGTERM)
        await asyncio.gather(*callers)
        status = await asyncio.to_thread(service.popen.wait, 20)
    return {
        "answers": tally.answers,
        "lost": tally.lost,
        "turned away": tally.turned_away,
        "exit status": status,
    }


def main() -> int:
    """Exit status: 0, or NO_NETWORK."""
    try:
        far = make_network()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return NO_NETWORK
    threading.Thread(target=delay, args=(far,), daemon=True).start()
    sys.stdout.write(json.dumps(asyncio.run(ask(Path(sys.argv[1])))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
