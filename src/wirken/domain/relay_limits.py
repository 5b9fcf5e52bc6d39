"""The numbers that bound what leaves the machine through the relay, each with its unit and its reason.

A part of `limits.py`, to which everything else belongs.
"""

from __future__ import annotations

from typing import Final

from wirken.domain.limits import APPROVAL_LONGEST

EGRESS_DOMAINS: Final = 256  # hosts in one list of the configuration; a person reads it in the prompt
RESOLVED_ADDRESSES: Final = 32  # addresses of one name that are looked at; the largest services answer with 16
RESOLVE_TIME: Final = 15.0  # seconds the machine's resolver has; its own tries take 5 each
RESOLVERS: Final = 8  # names resolved at once; each holds a thread, and the models' names have others
REACH_TIME: Final = 10.0  # seconds one address has to take a connection
REACH_TRIES: Final = 3  # addresses of one name that are tried
HOST: Final = 253  # characters of a host's name (RFC 1035, 2.3.4)
RELAY_CALLER: Final = 4096  # bytes of what the runner says before a connection: a permit and a program's name
RELAY_HEAD: Final = 16 * 1024  # bytes of a proxied request's head; servers take 8 to 16 kB
RELAY_HEADERS: Final = 100  # headers of one such request, as servers allow
RELAY_ASKING: Final = 15.0  # seconds for a request's head, and then for the first message of TLS
RELAY_PATIENCE: Final = APPROVAL_LONGEST + 60.0  # seconds the gateway has to decide; a person may be asked
RELAY_IDLE: Final = 300.0  # seconds without a byte either way; long polls and web sockets speak once a minute
RELAY_LONGEST: Final = 6 * 3600.0  # seconds of one connection; web sockets are made anew now and then
RELAY_BUFFER: Final = 64 * 1024  # bytes on their way in each direction; more leave the processor's cache and are slower
RELAY_BURST: Final = 16  # buffers passed on before others have their turn
RELAY_CONNECTIONS: Final = 240  # connections at once; each may hold a question to the gateway, below LINK_QUESTIONS
RELAY_SANDBOXES: Final = 128  # of them for sandboxes, so that no command keeps our own processes from their hosts
RELAY_PARALLEL: Final = 64  # of one call at once; package managers use 15 to 50
RELAY_PROCESS: Final = 16  # of one process of ours; seven of them fit beside RELAY_SANDBOXES, so none starves another
FORWARD_PARALLEL: Final = 12  # connections of an adapter to its platform; below RELAY_PROCESS, which sees an end later
FORWARD_WAITING: Final = 96  # further ones that wait for a place; a library's pool makes no more
FORWARD_LINGER: Final = 5.0  # seconds a library has to close its half once the relay has closed; then its place is free
RELAY_REFUSAL: Final = 1.0  # seconds a refused program has to read why
RELAY_SUMMARY: Final = 3600.0  # seconds in which further connections of our own processes are added up into one row
RELAY_USES: Final = 256  # hosts of our own processes that are counted apart in that time
RELAY_ROLE: Final = 64  # bytes of a process's name
EGRESS_ATTEMPTS: Final = 1000  # connections that one command may try; a large install makes some hundred
EGRESS_QUESTIONS: Final = 20  # hosts that one command may ask a person for; more is a flood
EGRESS_END: Final = 2.0  # seconds outbound has to say what passed, once a command has ended
CLIENT_HELLO: Final = 32 * 1024  # bytes of a first TLS message; with post-quantum keys it has 2 kB
