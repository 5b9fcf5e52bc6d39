"""A value that cannot be shown, compared by timing, copied or stored by accident."""

from __future__ import annotations

from typing import NoReturn, final


@final
class Secret:
    """Bytes that leave only through `reveal()`; `grep -rn 'reveal('` lists every use.

    The buffer is ours alone and `wipe()` overwrites it. What Python copies on the way (the bytes that
    `reveal` returns, a decoded string) is out of reach; docs/enforcement.md says so.
    """

    __slots__ = ("_buffer",)

    def __init__(self, value: bytes | bytearray) -> None:
        self._buffer = bytearray()
        self._buffer += value

    def reveal(self) -> bytes:
        """Return the value. Raises `ValueError` once wiped."""
        if not self._buffer:
            raise ValueError("this Secret was wiped or never held a value")
        return bytes(self._buffer)

    def view(self) -> memoryview:
        """Return the buffer itself, for a system call that needs its address (mlock)."""
        return memoryview(self._buffer)

    def wipe(self) -> None:
        """Overwrite the buffer with zeros and forget it."""
        for index in range(len(self._buffer)):
            self._buffer[index] = 0
        self._buffer = bytearray()

    def matches(self, other: Secret) -> bool:
        """Compare in constant time. A Secret that holds nothing, or was wiped, matches none."""
        import hmac  # loads OpenSSL, 4 MB that most processes which hold a Secret do not need

        return bool(self) and hmac.compare_digest(self._buffer, other._buffer)

    def __bool__(self) -> bool:
        return len(self._buffer) > 0

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("compare Secrets with matches(), in constant time")

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret is a leak

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret stays in its process")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret stays in its process")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret stays in its process")

    def __copy__(self) -> NoReturn:
        raise TypeError("a Secret is not copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError("a Secret is not copied")

    def __iter__(self) -> NoReturn:
        raise TypeError("a Secret is not iterated")

    def __del__(self) -> None:
        self.wipe()
