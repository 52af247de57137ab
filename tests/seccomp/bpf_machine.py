"""What a compiled filter says of a call, worked out without a kernel.

The few instructions that libseccomp emits (linux/filter.h, seccomp_data of linux/seccomp.h), little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

X86_64 = 0xC000003E
AARCH64 = 0xC00000B7
I386 = 0x40000003

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_RET = 0x06
_INSTRUCTION = struct.Struct("<HBBI")


def errno_verdict(number: int) -> int:
    """SECCOMP_RET_ERRNO with this errno."""
    return _ERRNO | number


def verdict(program: bytes, arch: int, number: int, arguments: Sequence[int] = ()) -> int:
    """The value the filter returns for this call; arguments not given are 0."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, arch, 0, *padded)
    instructions = list(_INSTRUCTION.iter_unpack(program))
    accumulator = place = 0
    while True:
        code, if_true, if_false, operand = instructions[place]
        place += 1
        if code == 0x20:  # LD W ABS
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif code == 0x54:  # ALU AND K
            accumulator &= operand
        elif code == 0x05:  # JMP JA
            place += operand
        elif code == _RET:
            return int(operand)
        else:
            place += if_true if _holds(code, accumulator, operand) else if_false


def _holds(code: int, accumulator: int, operand: int) -> bool:
    tests = {0x15: accumulator == operand, 0x25: accumulator > operand, 0x35: accumulator >= operand}
    return tests[code]


def dye(program: bytes, errnos: Mapping[int, int]) -> bytes:
    """The same program returning other errnos, which no system call returns by itself.

    A call that fails with ENOSYS may have reached the kernel; one that fails with the dye has not.
    """
    dyed = bytearray(program)
    for place, (code, if_true, if_false, operand) in enumerate(_INSTRUCTION.iter_unpack(program)):
        if code == _RET and operand & 0xFFFF0000 == _ERRNO:
            replacement = errno_verdict(errnos[operand & 0xFFFF])
            _INSTRUCTION.pack_into(dyed, place * _INSTRUCTION.size, code, if_true, if_false, replacement)
    return bytes(dyed)
