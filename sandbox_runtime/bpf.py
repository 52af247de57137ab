"""The one change that a compiled filter needs inside a worker: its own pid.

``seccomp/worker.json`` allows signals to the worker itself, whose pid is known only after fork. The profile
says ``PLACEHOLDER_PID`` instead, and the program is compiled once with that number in it.
"""

from __future__ import annotations

import struct
from ctypes import Array, c_char

PLACEHOLDER_PID = 0x4C415253
_PID_MAX_LIMIT = 1 << 22  # include/linux/threads.h

# struct sock_filter of linux/filter.h: u16 code, u8 jt, u8 jf, u32 k.
_INSTRUCTION = struct.Struct("=HBBI")
_VALUE = struct.Struct("=I")
_VALUE_OFFSET = 4
_JEQ = 0x15  # BPF_JMP | BPF_JEQ | BPF_K


def bind_pid(program: bytes, pid: int) -> bytes:
    """The program with ``pid`` wherever it compares with the placeholder. ValueError as ``pid_offsets``."""
    bound = bytearray(program)
    write_pid(bound, pid_offsets(program), pid)
    return bytes(bound)


def pid_offsets(program: bytes) -> tuple[int, ...]:
    """The byte offsets at which the placeholder stands.

    seccomp compares 64-bit arguments as two words. The placeholder is the lower one; its upper word is
    compared with 0, which is right for every pid. ValueError when the placeholder does not occur, or occurs
    in anything but a test for equality.
    """
    if len(program) % _INSTRUCTION.size:
        raise ValueError(f"BPF program of {len(program)} bytes: expected a multiple of {_INSTRUCTION.size}")
    offsets = []
    for number, (code, _, _, value) in enumerate(_INSTRUCTION.iter_unpack(program)):
        if value != PLACEHOLDER_PID:
            continue
        if code != _JEQ:
            raise ValueError(
                f"BPF instruction {number}: code {code:#x} with the placeholder pid is no comparison"
            )
        offsets.append(number * _INSTRUCTION.size + _VALUE_OFFSET)
    if not offsets:
        raise ValueError(f"BPF program of {len(program)} bytes: the placeholder pid does not occur in it")
    return tuple(offsets)


def write_pid(program: bytearray | Array[c_char], offsets: tuple[int, ...], pid: int) -> None:
    """Put ``pid`` at the offsets, in place. ValueError when ``pid`` is none."""
    if not 0 < pid <= _PID_MAX_LIMIT:
        raise ValueError(f"pid {pid}: expected 1 to {_PID_MAX_LIMIT}")
    for offset in offsets:
        _VALUE.pack_into(program, offset, pid)
