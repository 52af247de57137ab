"""The one change that a compiled filter needs inside a worker: its own pid.

``seccomp/worker.json`` allows signals to the worker itself, whose pid is known only after fork. The profile
says ``PLACEHOLDER_PID`` instead, and the program is compiled once with that number in it.
"""

from __future__ import annotations

import struct

PLACEHOLDER_PID = 0x4C415253
_PID_MAX_LIMIT = 1 << 22  # include/linux/threads.h

# struct sock_filter of linux/filter.h: u16 code, u8 jt, u8 jf, u32 k.
_INSTRUCTION = struct.Struct("=HBBI")
_JEQ = 0x15  # BPF_JMP | BPF_JEQ | BPF_K


def bind_pid(program: bytes, pid: int) -> bytes:
    """The program with ``pid`` wherever it compares with the placeholder.

    seccomp compares 64-bit arguments as two words. The placeholder is the lower one; its upper word is
    compared with 0, which is right for every pid. ValueError when the placeholder does not occur, or occurs
    in anything but a test for equality, or ``pid`` is none.
    """
    if not 0 < pid <= _PID_MAX_LIMIT:
        raise ValueError(f"pid {pid}: expected 1 to {_PID_MAX_LIMIT}")
    if len(program) % _INSTRUCTION.size:
        raise ValueError(f"BPF program of {len(program)} bytes: expected a multiple of {_INSTRUCTION.size}")
    bound = bytearray(program)
    places = 0
    for number, (code, if_true, if_false, value) in enumerate(_INSTRUCTION.iter_unpack(program)):
        if value != PLACEHOLDER_PID:
            continue
        if code != _JEQ:
            raise ValueError(
                f"BPF instruction {number}: code {code:#x} with the placeholder pid is no comparison"
            )
        _INSTRUCTION.pack_into(bound, number * _INSTRUCTION.size, code, if_true, if_false, pid)
        places += 1
    if not places:
        raise ValueError(f"BPF program of {len(program)} bytes: the placeholder pid does not occur in it")
    return bytes(bound)
