"""A small classic-BPF machine: what the kernel would answer to a system call under a seccomp program."""

from __future__ import annotations

import struct


def verdict(program: bytes, arch: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Run `program` (struct sock_filter[]) over a struct seccomp_data and return its 32-bit answer.

    Raises `ValueError` for an instruction that the filters here never use, or a run off the end.
    """
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, arch, 0, *(value & 0xFFFF_FFFF_FFFF_FFFF for value in padded))
    code = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    loaded = at = 0
    while at < len(code):
        operation, yes, no, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (loaded,) = struct.unpack_from("<I", data, value)
            case 0x54:
                loaded &= value
            case 0x15:
                at += yes if loaded == value else no
            case 0x35:
                at += yes if loaded >= value else no
            case 0x45:
                at += yes if loaded & value else no
            case 0x06:
                return int(value)
            case _:
                raise ValueError(f"instruction {operation:#x}")
    raise ValueError("ran off the end")
