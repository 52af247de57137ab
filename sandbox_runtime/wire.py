"""The wire between the service and its jailed children. Sans-I/O: bytes in, frozen values out.

Two channels, both sockets made by us before any foreign byte exists:

* control (AF_UNIX SOCK_SEQPACKET, one per front and zygote): one JSON object per message::

    front  -> zygote   {"t":"spawn","count":n,"kind":"oneshot"|"session"|"contract"}
    worker -> front    {"t":"ready","serial":s,"pid":p}      + descriptors: job socket, pidfd, stdout, stderr
    worker -> front    {"t":"failed","serial":s,"step":…,"message":…}
    zygote -> front    {"t":"exited","serial":s,"status":w,"cpu":seconds,"memory_peak":bytes,
                        "starved":bool}

  A worker holds this socket only until it has said one of its two words; foreign code never sees it.

* job (AF_UNIX SOCK_STREAM, one per worker), length-prefixed frames::

    0        4      5
    +--------+------+-------------------+
    | length | kind | payload           |     length: u32 little-endian, bytes of payload
    +--------+------+-------------------+

    front  -> worker   BIND {limits}   RUN {program}   [DATA raw JSON text]      (a one-shot worker)
    worker -> front    [RESULT raw JSON text]          DONE {report}

    front  -> worker   BIND {limits} + directory, then CALL {…} or OPERATE {…} [+ file], again and again
                                                                                 (a session's worker)
    worker -> front    [BODY raw JSON text]            REPLY {…}  for each

    front  -> worker   BIND {limits} + directory, then MODULE {…} once for each digest and
                       INSPECT {…} or INVOKE {…} [DATA raw JSON text], again and again
                                                                                 (a contract's worker)
    worker -> front    INSPECTION {…}  or  [BODY raw JSON text] OUTCOME {…}      for each

  The program's own bytes travel in frames of their own and never share a dict with the envelope. From the
  moment a worker has read RUN, everything it sends is the program's word: it is bounded before it is
  buffered, checked for form, and believed about this one request only.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

import orjson

from sandbox_runtime.domain import WorkerKind

HEADER = struct.Struct("<IB")
CONTROL_MESSAGE_BYTES = 64 * 1024
READY_DESCRIPTORS = 4
FORK = "fork"  # the one step whose failure leaves no process, so no exit follows
STARVED = "memory"  # no step: it was killed for want of memory before it was ready
MAX_ENVELOPE_BYTES = 256 * 1024


class Kind(IntEnum):
    """What a frame carries."""

    BIND = 1
    RUN = 2
    DATA = 3
    CALL = 4
    OPERATE = 5
    MODULE = 6
    INSPECT = 7
    INVOKE = 8
    RESULT = 16
    DONE = 17
    BODY = 18
    REPLY = 19
    INSPECTION = 20
    OUTCOME = 21
    ASK = 32
    FORGET = 33
    ANSWER = 34


class WireError(ValueError):
    """The peer broke the protocol. Its channel is unusable from here on."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame."""

    kind: Kind
    payload: bytes


def encode(kind: Kind, payload: bytes) -> bytes:
    """The bytes of one frame."""
    return HEADER.pack(len(payload), kind) + payload


def encode_json(kind: Kind, value: object) -> bytes:
    """The bytes of one frame whose payload is ``value`` as JSON."""
    return encode(kind, orjson.dumps(value))


def decode_object(frame: Frame) -> dict[str, object]:
    """The payload as a JSON object. WireError when it is not one."""
    try:
        value = orjson.loads(frame.payload)
    except orjson.JSONDecodeError as error:
        raise WireError(f"{frame.kind.name}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise WireError(f"{frame.kind.name}: expected an object, got {type(value).__name__}")
    return value


def check_json(text: bytes) -> None:
    """WireError unless ``text`` is JSON that every reader of a reply can take."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "infinity" not in error.msg:
            raise WireError(f"not JSON: {error}") from error
        _check_json_of_large_numbers(text)


def _check_json_of_large_numbers(text: bytes) -> None:
    # orjson reads no integer above 1e308. This looks at the form alone, so digits cost nothing to convert;
    # json reads lone surrogates too, which orjson then refuses to write.
    try:
        orjson.dumps(json.loads(text, parse_int=len, parse_float=len, parse_constant=_no_constant))
    except (ValueError, RecursionError, orjson.JSONEncodeError) as error:
        raise WireError(f"not JSON: {error}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class Decoder:
    """Frames out of a byte stream. A kind not in ``limits``, or a length above its limit, is a WireError
    raised from the header alone, before any of the payload is buffered."""

    def __init__(self, limits: Mapping[Kind, int]) -> None:
        self._limits = {int(kind): limit for kind, limit in limits.items()}
        self._buffer = bytearray()
        self._broken: str | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every frame that ``data`` completes."""
        if self._broken is not None:
            raise WireError(f"used after an error: {self._broken}")
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    @property
    def at_boundary(self) -> bool:
        """Whether no frame is half read."""
        return not self._buffer

    def _next(self) -> Frame | None:
        if len(self._buffer) < HEADER.size:
            return None
        length, kind = HEADER.unpack_from(self._buffer)
        if kind not in self._limits:
            self._fail(f"frame kind {kind} is not expected here")
        if length > self._limits[kind]:
            self._fail(f"{Kind(kind).name} of {length} bytes is above the limit of {self._limits[kind]}")
        end = HEADER.size + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[HEADER.size : end])
        del self._buffer[:end]
        return Frame(Kind(kind), payload)

    def _fail(self, why: str) -> None:
        self._broken = why
        self._buffer.clear()
        raise WireError(why)


@dataclass(frozen=True, slots=True)
class Spawn:
    """A front asks a zygote for ``count`` more workers."""

    count: int
    kind: WorkerKind


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has taken ``jail.worker_steps``. ``pid`` is its own view; fronts kill by pidfd."""

    serial: int
    pid: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker could not finish its jail and has ended itself."""

    serial: int
    step: str
    message: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The zygote has reaped a worker. ``status`` is a wait(2) status, ``cpu`` seconds of user plus system
    time, ``memory_peak`` bytes of resident memory. ``starved``: it was killed as the memory that all workers
    share was used up."""

    serial: int
    status: int
    cpu: float
    memory_peak: int
    starved: bool


ControlMessage = Spawn | Ready | Failed | Exited
_TYPES: Mapping[str, type[Spawn] | type[Ready] | type[Failed] | type[Exited]] = {
    "spawn": Spawn,
    "ready": Ready,
    "failed": Failed,
    "exited": Exited,
}
_NAMES = {cls: name for name, cls in _TYPES.items()}


def encode_control(message: ControlMessage) -> bytes:
    """One control message's bytes."""
    body: dict[str, object] = {name: getattr(message, name) for name in message.__slots__}
    body["t"] = _NAMES[type(message)]
    return orjson.dumps(body)


def decode_control(data: bytes) -> ControlMessage:
    """The inverse. WireError when a member is missing, unknown or of another type."""
    try:
        body = orjson.loads(data)
        cls = _TYPES[body.pop("t")]
        message = cls(**body)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise WireError(f"control message: {error!r}") from error
    for name, kind in _MEMBERS[cls].items():
        value = getattr(message, name)
        if isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
            raise WireError(f"control message: {name} is {value!r}")
    return message


_MEMBERS: Mapping[type, Mapping[str, type | tuple[type, ...]]] = {
    Spawn: {"count": int, "kind": str},
    Ready: {"serial": int, "pid": int},
    Failed: {"serial": int, "step": str, "message": str},
    Exited: {"serial": int, "status": int, "cpu": (int, float), "memory_peak": int, "starved": bool},
}
