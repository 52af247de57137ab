"""The codec of both channels: what goes in comes out, wherever the stream is cut; what is over a limit or out
of form is refused before it is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime import wire
from sandbox_runtime.wire import Exited, Failed, Frame, Kind, Ready, Spawn, WireError

LIMITS = {Kind.BIND: 64, Kind.RUN: 256, Kind.RESULT: 0}
LIMITED = list(LIMITS.items())
FRAMES = st.lists(
    st.sampled_from(LIMITED).flatmap(
        lambda row: st.builds(Frame, st.just(row[0]), st.binary(max_size=row[1]))
    ),
    max_size=6,
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), 1 << 63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
CONTROL_MESSAGES: tuple[wire.ControlMessage, ...] = (
    Spawn(3, "oneshot"),
    Ready(7, 2),
    Failed(7, "landlock", "no \N{SNOWMAN}"),
    Exited(7, 9, 0.25, 12 << 20, starved=True),
)


def stream_of(frames: list[Frame]) -> bytes:
    return b"".join(wire.encode(frame.kind, frame.payload) for frame in frames)


def broken(decoder: wire.Decoder, data: bytes) -> str:
    """What the decoder says when it refuses ``data``."""
    with pytest.raises(WireError) as caught:
        list(decoder.feed(data))
    return str(caught.value)


# -- frames ----------------------------------------------------------------------------------------------


@given(FRAMES)
def test_frames_come_out_as_they_went_in(frames: list[Frame]) -> None:
    decoder = wire.Decoder(LIMITS)
    assert list(decoder.feed(stream_of(frames))) == frames
    assert decoder.at_boundary


@given(FRAMES, st.data())
def test_any_two_cuts_of_the_stream_give_the_same_frames(frames: list[Frame], data: st.DataObject) -> None:
    stream = stream_of(frames)
    first = data.draw(st.integers(0, len(stream)))
    second = data.draw(st.integers(first, len(stream)))
    decoder = wire.Decoder(LIMITS)
    pieces = (stream[:first], stream[first:second], stream[second:])
    assert [frame for piece in pieces for frame in decoder.feed(piece)] == frames


def test_every_cut_point_leaves_a_frame_half_read_until_the_rest_comes() -> None:
    frames = [Frame(Kind.BIND, b"x" * 9), Frame(Kind.RESULT, b""), Frame(Kind.RUN, b"y" * 20)]
    stream = stream_of(frames)
    ends = {0, 14, 19, len(stream)}
    for cut in range(len(stream) + 1):
        decoder = wire.Decoder(LIMITS)
        before = list(decoder.feed(stream[:cut]))
        assert decoder.at_boundary == (cut in ends), cut
        assert before + list(decoder.feed(stream[cut:])) == frames, cut


def test_one_byte_at_a_time() -> None:
    frames = [Frame(Kind.RUN, bytes(range(256))), Frame(Kind.BIND, b"")]
    decoder = wire.Decoder(LIMITS)
    assert [frame for byte in stream_of(frames) for frame in decoder.feed(bytes([byte]))] == frames


@pytest.mark.parametrize(("kind", "limit"), LIMITED)
def test_a_frame_of_the_limit_passes(kind: Kind, limit: int) -> None:
    frame = Frame(kind, b"x" * limit)
    assert list(wire.Decoder(LIMITS).feed(wire.encode(kind, frame.payload))) == [frame]


@pytest.mark.parametrize(("kind", "limit"), LIMITED)
@pytest.mark.parametrize("over", [1, 2, 0xFFFF_FFFF])
def test_one_byte_over_the_limit_is_refused_from_the_header_alone(kind: Kind, limit: int, over: int) -> None:
    length = min(limit + over, 0xFFFF_FFFF)
    decoder = wire.Decoder(LIMITS)
    said = broken(decoder, wire.HEADER.pack(length, kind))
    assert said == f"{kind.name} of {length} bytes is above the limit of {limit}"
    assert decoder.at_boundary, "the decoder has kept bytes of a frame that it refused"


@pytest.mark.parametrize("kind", sorted(set(range(256)) - set(LIMITS)))
def test_a_kind_that_is_not_expected_is_refused_from_the_header_alone(kind: int) -> None:
    assert (
        broken(wire.Decoder(LIMITS), wire.HEADER.pack(0, kind)) == f"frame kind {kind} is not expected here"
    )


def test_four_bytes_of_header_say_nothing_yet() -> None:
    assert list(wire.Decoder(LIMITS).feed(b"\xff\xff\xff\xff")) == []


def test_frames_before_a_bad_one_are_delivered() -> None:
    decoder = wire.Decoder(LIMITS)
    frames = decoder.feed(wire.encode(Kind.BIND, b"good") + wire.HEADER.pack(0, 99))
    assert next(frames) == Frame(Kind.BIND, b"good")
    with pytest.raises(WireError, match=r"^frame kind 99 is not expected here$"):
        next(frames)


@pytest.mark.parametrize("more", [b"", wire.encode(Kind.BIND, b"good")])
def test_after_an_error_the_decoder_refuses_everything(more: bytes) -> None:
    decoder = wire.Decoder(LIMITS)
    broken(decoder, wire.HEADER.pack(0, 99))
    assert broken(decoder, more) == "used after an error: frame kind 99 is not expected here"


@given(st.binary(max_size=600))
def test_arbitrary_bytes_give_frames_or_a_wire_error(data: bytes) -> None:
    decoder = wire.Decoder(LIMITS)
    try:
        frames = list(decoder.feed(data))
    except WireError:
        return
    assert data.startswith(stream_of(frames))
    assert decoder.at_boundary == (data == stream_of(frames))


@given(JSON_VALUES)
def test_an_object_comes_out_and_everything_else_is_refused(value: Any) -> None:
    frame = Frame(Kind.BIND, json.dumps(value).encode())
    if isinstance(value, dict):
        assert wire.decode_object(frame).keys() == value.keys()
        return
    with pytest.raises(WireError, match=r"^BIND: expected an object, got "):
        wire.decode_object(frame)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"\xff", b"{} {}", b"NaN", b"[" * 100_000, b'{"a":' * 100_000, b'{"a":"\xed\xa0\x80"}'],
)
def test_what_is_not_json_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError, match=r"^DONE: not JSON: "):
        wire.decode_object(Frame(Kind.DONE, payload))


# -- control messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", CONTROL_MESSAGES, ids=lambda message: type(message).__name__)
def test_a_control_message_comes_out_as_it_went_in(message: wire.ControlMessage) -> None:
    assert wire.decode_control(wire.encode_control(message)) == message


@pytest.mark.parametrize("message", CONTROL_MESSAGES, ids=lambda message: type(message).__name__)
def test_a_control_message_without_one_of_its_members_is_refused(message: wire.ControlMessage) -> None:
    body = json.loads(wire.encode_control(message))
    for name in body:
        with pytest.raises(WireError):
            wire.decode_control(json.dumps({key: body[key] for key in body if key != name}).encode())


@pytest.mark.parametrize("message", CONTROL_MESSAGES, ids=lambda message: type(message).__name__)
def test_a_control_message_with_an_unknown_member_is_refused(message: wire.ControlMessage) -> None:
    body = json.loads(wire.encode_control(message)) | {"more": 1}
    with pytest.raises(WireError, match="more"):
        wire.decode_control(json.dumps(body).encode())


@pytest.mark.parametrize("message", CONTROL_MESSAGES, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("wrong", [None, True, [], {}, "wrong", 1.5])
def test_a_member_of_another_type_is_refused(message: wire.ControlMessage, wrong: object) -> None:
    body = json.loads(wire.encode_control(message))
    refused = 0
    for name in body.keys() - {"t"}:
        if type(body[name]) is type(wrong):
            continue
        with pytest.raises(WireError, match=f"control message: {name} is"):
            wire.decode_control(json.dumps(body | {name: wrong}).encode())
        refused += 1
    assert refused > 0


@pytest.mark.parametrize("name", ["", "SPAWN", "stop", None, 1, [], {}])
def test_an_unknown_type_of_control_message_is_refused(name: object) -> None:
    with pytest.raises(WireError, match=r"^control message: "):
        wire.decode_control(json.dumps({"t": name, "count": 1}).encode())


@given(JSON_VALUES | st.fixed_dictionaries({"t": st.sampled_from(["spawn", "exited"]), "count": JSON_VALUES}))
def test_arbitrary_json_is_a_control_message_or_a_wire_error(value: Any) -> None:
    try:
        message = wire.decode_control(json.dumps(value).encode())
    except WireError:
        return
    assert json.loads(wire.encode_control(message)) == value


@given(st.binary(max_size=64))
def test_arbitrary_bytes_as_a_control_message_are_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        wire.decode_control(data)
