"""A module's linear memory, made here instead of by wasmtime, so that a refused growth is noticed.

wasmtime's own limiter refuses without a word: `memory.grow` is -1 for the module, and nobody else hears of it. What is
mapped is what wasmtime maps itself: the whole reservation and the guard behind it without any right, and of that as
much readable and writable as the memory has. An access beyond it traps as before.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import wasmtime

_NO_ACCESS: Final = 0  # mprotect(2), PROT_NONE
_NORESERVE: Final = 0x4000  # mmap(2), MAP_NORESERVE on x86_64 and aarch64
_FAILED: Final = ctypes.c_void_p(-1).value
_DONE: Final = 0  # a null pointer where an error could stand


class _Linear(ctypes.Structure):
    """`wasmtime_linear_memory_t`, its pointers to functions as addresses."""

    _fields_ = (
        ("env", ctypes.c_void_p),
        ("get", ctypes.c_void_p),
        ("grow", ctypes.c_void_p),
        ("finalizer", ctypes.c_void_p),
    )


class Memory:
    """The one memory of an engine's one instance, never larger than `most` bytes. Keep it as long as the engine."""

    def __init__(self, config: wasmtime.Config, most: int) -> None:
        """Make `config` take its memory from here."""
        from wasmtime import _ffi as ffi  # part of the C interface for which there is no class (wasmtime/config.h)

        self.refused = False
        """The memory was to be larger than it may be, at the start or later."""
        self._most, self._ffi, self._libc = most, ffi, _libc()
        self._base = self._size = self._reserved = 0
        self._new = ffi.wasmtime_new_memory_callback_t(self._made)
        self._get = ffi.wasmtime_memory_get_callback_t(self._told)
        self._grow = ffi.wasmtime_memory_grow_callback_t(self._grown)
        self._creator = ffi.wasmtime_memory_creator_t(None, self._new)
        config.memory_init_cow = False  # known to memories alone that wasmtime maps itself
        ffi.wasmtime_config_host_memory_creator_set(config.ptr(), ctypes.byref(self._creator))

    def _made(
        self, env: int | None, shape: object, minimum: int, maximum: int, reserved: int, guard: int, made: object
    ) -> int:
        if self._base or minimum > self._most:
            self.refused = True
            return self._error()
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE
        reserved = max(reserved, minimum)
        base = self._libc.mmap(None, reserved + guard, _NO_ACCESS, flags, -1, 0)
        if base in (None, _FAILED):
            return self._error()
        self._base, self._reserved = int(base), reserved
        linear = ctypes.cast(made, ctypes.POINTER(_Linear)).contents  # type: ignore[arg-type]  # a pointer of ctypes'
        linear.env, linear.finalizer = None, None  # the process ends with its one memory
        linear.get, linear.grow = _address(self._get), _address(self._grow)
        return self._sized(minimum)

    def _told(self, env: int | None, size: object, capacity: object) -> int:
        for place, value in ((size, self._size), (capacity, self._reserved)):
            ctypes.cast(place, ctypes.POINTER(ctypes.c_size_t))[0] = value  # type: ignore[arg-type]  # as above
        return self._base

    def _grown(self, env: int | None, size: int) -> int:
        if size > self._most:
            self.refused = True
            return self._error()
        return self._sized(size) if size <= self._reserved else self._error()

    def _sized(self, size: int) -> int:
        if self._libc.mprotect(self._base, size, mmap.PROT_READ | mmap.PROT_WRITE) != 0:
            return self._error()
        self._size = size
        return _DONE

    def _error(self) -> int:
        """Return an error, which is wasmtime's from then on."""
        return _address(self._ffi.wasmtime_error_new(ctypes.create_string_buffer(b"memory is limited")))


def _address(pointer: object) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0  # type: ignore[arg-type]  # a pointer of ctypes'


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return libc
