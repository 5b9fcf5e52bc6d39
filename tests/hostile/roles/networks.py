"""Attacks on the network and on sockets of this machine: reaching out, being reached, rare families."""

from __future__ import annotations

import socket
from typing import Final

from tests.hostile.roles.attack import Act, Scene, Thwarted

_SECONDS: Final = 2.0
_AF_ALG, _AF_VSOCK, _NETLINK_AUDIT = 38, 40, 9


def _tcp(address: str, port: int) -> None:
    with socket.socket() as one:
        one.settimeout(_SECONDS)
        one.connect((address, port))


def _unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(_SECONDS)
        one.connect(path)


def _connects(name: str) -> Act:
    return lambda scene: _unix(f"{scene.sockets}/{name}")


def _udp(scene: Scene) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"stolen", (scene.address, 9999))


def _listen(scene: Scene) -> None:
    """Open a port: bind, listen, and be a listener."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        _check_listening(one)


def _listen_unbound(scene: Scene) -> None:
    """Listen without bind, which gives a port of the kernel's choice."""
    with socket.socket() as one:
        one.listen()
        _check_listening(one)


def _check_listening(one: socket.socket) -> None:
    if not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise Thwarted("not-listening")


def _listen_udp(scene: Scene) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))


def _listen_unix(scene: Scene) -> None:
    """Offer a socket that another process of ours might be led to."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("\0wirken-left-by-an-attack")
        one.listen()
        _check_listening(one)


def _makes(family: int, kind: int, protocol: int = 0) -> Act:
    return lambda scene: socket.socket(family, kind, protocol).close()


def _datagrams(scene: Scene) -> None:
    """A pair of datagram sockets can be pointed at any named socket later."""
    for one in socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM):
        one.close()


FORKED: Final[dict[str, Act]] = {
    "dial-operator": _connects("operator.sock"),
    "dial-vault": _connects("vault.sock"),
    "dial-supervisor": _connects("supervisor.sock"),
    "dial-gateway": _connects("gateway.sock"),
    "dial-relay": _connects("relay-runner.sock"),
    "dial-channels-relay": _connects("relay-channel-telegram.sock"),
    "dial-other-channels-relay": _connects("relay-channel-slack.sock"),
    "dial-docker": lambda scene: _unix("/run/docker.sock"),
    "dial-bus": lambda scene: _unix("/run/dbus/system_bus_socket"),
    "dial-ssh-agent": lambda scene: _unix(f"{scene.home}/agent.sock"),
    "dial-abstract": lambda scene: _unix(f"\0{scene.abstract}"),
    "dial-internet-443": lambda scene: _tcp(scene.address, 443),
    "dial-internet-25": lambda scene: _tcp(scene.address, 25),
    "send-udp": _udp,
    "dial-page": lambda scene: _tcp("127.0.0.1", scene.page),
    "dial-loopback": lambda scene: _tcp("127.0.0.1", scene.other),
    "listen-tcp": _listen,
    "listen-unbound": _listen_unbound,
    "listen-udp": _listen_udp,
    "listen-unix": _listen_unix,
    "raw-socket": _makes(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "packet-socket": _makes(socket.AF_PACKET, socket.SOCK_RAW),
    "netlink-route": _makes(socket.AF_NETLINK, socket.SOCK_RAW),
    "netlink-audit": _makes(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_AUDIT),
    "vsock": _makes(_AF_VSOCK, socket.SOCK_STREAM),
    "alg-socket": _makes(_AF_ALG, socket.SOCK_SEQPACKET),
    "datagram-pair": _datagrams,
}
