"""Run as a program in a network namespace of its own: resolve names by a name server that answers for one alone.

Prints what came of each name on the command line, then every name that the server was asked for.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading

from wirken.domain.errors import WirkenError
from wirken.outbound.resolve import Resolver, SystemLookup, is_own

KNOWN, ADDRESS = "a.example.org", "93.184.215.14"


def serve(server: socket.socket, asked: set[str]) -> None:
    """Answer questions for an IPv4 address (RFC 1035, 4.1) with ADDRESS where KNOWN is meant, else with nothing."""
    while True:
        question, peer = server.recvfrom(512)
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += question[at] + 1
        (kind,) = struct.unpack(">H", question[at + 1 : at + 3])
        asked.add(".".join(labels))
        found = ".".join(labels) == KNOWN and kind == 1
        head = question[:2] + b"\x81\x80\x00\x01" + struct.pack(">HHH", found, 0, 0)
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + socket.inet_aton(ADDRESS)
        server.sendto(head + question[12 : at + 5] + (record if found else b""), peer)


async def main(names: list[str]) -> None:
    lookup = SystemLookup()
    resolver = Resolver(lookup, {}, is_own)
    for name in names:
        try:
            print(name, *await resolver.addresses(name))
        except WirkenError as error:
            print(name, type(error).__name__)
    lookup.close()


if __name__ == "__main__":
    asked: set[str] = set()
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 53))
    threading.Thread(target=serve, args=(listening, asked), daemon=True).start()
    asyncio.run(main(sys.argv[1:]))
    print("asked", *sorted(asked))
