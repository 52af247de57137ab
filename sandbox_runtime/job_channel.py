"""A worker's end of its job channel: descriptor 3, the one descriptor a program has beside 0, 1 and 2."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection

from sandbox_runtime import wire

JOB = 3
_MAX_FRAME = 64 << 20  # the service's own limits are lower; this bounds a fault of ours


_channel: list[socket.socket] = []  # of a session's worker, which keeps it for life


def receive(kind: wire.Kind) -> bytes:
    """The payload of the next frame, which the front has written and which must be of this kind. Does not
    return when the front has let go of this worker."""
    return _exactly(_length(_exactly(wire.HEADER.size), kind))


def receive_any(kinds: Collection[wire.Kind]) -> tuple[wire.Kind, bytes, int | None]:
    """The next frame's kind and payload, and the descriptor that came beside it."""
    if not _channel:
        _channel.append(socket.socket(fileno=JOB))
    header, descriptors, _, _ = socket.recv_fds(_channel[0], wire.HEADER.size, 1)
    if not header:
        os._exit(0)
    header += _exactly(wire.HEADER.size - len(header))
    number = header[-1]
    kind = next((kind for kind in kinds if kind == number), None)
    if kind is None:
        raise wire.WireError(f"frame {number} where {', '.join(each.name for each in kinds)} belongs")
    return kind, _exactly(_length(header, kind)), descriptors[0] if descriptors else None


def send(message: bytes) -> None:
    """Write all of it."""
    view = memoryview(message)
    while view:
        view = view[os.write(JOB, view) :]


def _length(header: bytes, kind: wire.Kind) -> int:
    length: int
    length, found = wire.HEADER.unpack(header)
    if found != kind or length > _MAX_FRAME:
        raise wire.WireError(f"frame {found} of {length} bytes where {kind.name} belongs")
    return length


def _exactly(size: int) -> bytes:
    data = os.read(JOB, size) if size else b""
    if len(data) == size:
        return data
    chunks = [data]
    missing = size - len(data)
    while missing:
        chunk = os.read(JOB, missing)
        if not chunk:
            os._exit(0)  # the front let go of this worker
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)
