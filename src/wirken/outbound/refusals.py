"""What a program is told that reaches nothing: a status, a reason that its own error message shows, and a sentence."""

from __future__ import annotations

from typing import Final

from wirken.domain.text import brief

ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"

_STATUS: Final = {
    "malformed": "400 Bad Request",
    "method_not_allowed": "405 Method Not Allowed",
    "resolution_failed": "502 Bad Gateway",
    "unreachable": "502 Bad Gateway",
    "busy": "429 Too Many Requests",
    "": "503 Service Unavailable",
}


def refusal(why: str, said: str) -> bytes:
    """Return the answer for a verdict, or for `unreachable`, `busy`, or nothing (`""`: Wirken itself is not ready).

    The reason stands in the status line too, because most programs show that line and nothing else.
    """
    status = _STATUS.get(why, "403 Forbidden")
    body = f"Wirken did not connect: {brief(said)}\n".encode("ascii", "replace")
    head = (
        f"HTTP/1.1 {status} by Wirken{f' ({why})' if why else ''}\r\n"
        f"Content-Type: text/plain; charset=us-ascii\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
