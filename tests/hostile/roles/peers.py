"""Attacks in the words of our own protocols: posing as another role, and asking for what the row does not give.

They use what the process holds: its pair with the vault, its link to the gateway, its own identity. The run without
walls asks the same as the owner's terminal does, over the sockets that no view shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import struct
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from tests.hostile.roles.attack import Act, Scene, Thwarted

from wirken.cli import gateway
from wirken.domain.actions import Outside, Place
from wirken.domain.errors import Refused
from wirken.domain.ids import OPERATIONS, RoleName
from wirken.domain.secret import Secret
from wirken.gateway.reaching import Line
from wirken.ipc import handshake, peer
from wirken.ipc.calls import channels, egress, runner, senders
from wirken.ipc.calls import operator as ask
from wirken.ipc.calls import vault as calls
from wirken.ipc.calls.policy import PolicyReport, ShowPolicy
from wirken.ipc.frames import Inbound
from wirken.ipc.link import Link
from wirken.ipc.vault_client import VaultClient
from wirken.ipc.vault_client_async import AsyncVaultClient
from wirken.ipc.vault_wire import read_answer

T = TypeVar("T")
_SECONDS: Final = 5.0
_SHOUTS: Final = 64
_FORGED: Final = runner.WirePermit("default/terminal/main", 0, "00" * 32)


def _held(kind: type[T]) -> list[T]:
    """Return the objects of a class that this process has: whoever runs code in it finds them like this."""
    return [one for one in gc.get_objects() if type(one) is kind]


def _one(kind: type[T]) -> T:
    found = _held(kind)
    if not found:
        raise Thwarted("none-held")
    return found[0]


def _there(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine in the loop of the real process."""
    loops = [one for one in gc.get_objects() if isinstance(one, asyncio.AbstractEventLoop) and one.is_running()]
    if not loops:
        work.close()
        raise Thwarted("none-held")
    return asyncio.run_coroutine_threadsafe(work, loops[0]).result(_SECONDS)


def _vault(question: calls.VaultQuestion, reply: type[T]) -> Act:
    def attack(scene: Scene) -> None:
        _ask_vault(scene, question, reply)

    return attack


def _ask_vault(scene: Scene, question: calls.VaultQuestion, reply: type[T]) -> T:
    if scene.role == "bare":
        client = VaultClient.connect(Path(scene.sockets, "vault.sock"))
        try:
            return client.call(question, reply)
        finally:
            client.close()
    return _there(_one(AsyncVaultClient).call(question, reply))


def _other_identity(scene: Scene) -> None:
    """Ask for an identity and name another role with the question."""
    client = _one(AsyncVaultClient)
    body = msgspec.msgpack.encode({"type": "identity", "role": "gateway", "name": "gateway"})
    payload = _there(client._in_turn(struct.pack(">I", len(body)) + body))
    own = "channel-telegram" if scene.role == "channel" else scene.role
    if read_answer(payload, calls.IdentityReply).role == own:
        raise Thwarted("own-identity")


def _rewritten_past(scene: Scene) -> None:
    """Have another head signed for rows that are signed already."""
    last = _ask_vault(scene, calls.LastHead(OPERATIONS), calls.HeadReply)
    question = calls.SignHead("gateway", OPERATIONS, last.seq, "ab" * 32)
    _ask_vault(scene, question, calls.Signature)


def _gateway(question: msgspec.Struct, reply: type[T]) -> Act:
    def attack(scene: Scene) -> None:
        _ask_gateway(scene, question, reply)

    return attack


def _ask_gateway(scene: Scene, question: msgspec.Struct, reply: type[T]) -> T:
    if scene.role == "bare":
        return gateway.ask(Path(scene.sockets, "operator.sock"), question, reply)  # type: ignore[arg-type]  # any kind
    return _there(_live(scene).call(question, reply))


def _live(scene: Scene, other: str = "gateway") -> Link:
    """Return the process's connected link to another role."""
    links = [one for one in _held(Link) if one.peer == other and not one.closed.is_set()]
    if not links or scene.role == other:
        raise Thwarted("none-held")
    return links[0]


def _egress(caller: egress.Caller | None, role: str) -> Act:
    def attack(scene: Scene) -> None:
        question = egress.JudgeEgress(role=role, host="example.com", port=443, caller=caller)
        try:
            ruling = _ask_gateway(scene, question, egress.EgressRuling)
        except Refused:
            raise Thwarted("not-allowed") from None
        if ruling.verdict != "allowed":
            raise Thwarted("not-allowed")

    return attack


def _converse(scene: Scene) -> None:
    """Send a message as a surface does; who may not is disconnected."""
    link = _live(scene)

    async def say() -> bool:
        link.send(Inbound("attack-1", "attack", "hello"))
        try:
            async with asyncio.timeout(1.0):
                await link.closed.wait()
        except TimeoutError:
            return True
        return False

    if not _there(say()):
        raise Thwarted("dropped")


def _identity(scene: Scene) -> handshake.Identity:
    if scene.role in ("bare", "gateway"):
        raise Thwarted("none-held")
    reply = _ask_vault(scene, calls.Identity(), calls.IdentityReply)
    return handshake.Identity(RoleName(reply.role), Secret(reply.seed), reply.gateway_key)


async def _dial(scene: Scene, identity: handshake.Identity) -> None:
    link = await peer.dial(Path(scene.sockets, "gateway.sock"), identity, _one(Link).receiver)
    link.close()


def _pose(role: str) -> Act:
    """Prove one's own key, and claim another role."""

    def attack(scene: Scene) -> None:
        own = _identity(scene)
        _there(_dial(scene, handshake.Identity(RoleName(role), own.seed, own.gateway_key)))

    return attack


def _wrong_key(scene: Scene) -> None:
    own = _identity(scene)
    _there(_dial(scene, handshake.Identity(own.role, Secret(os.urandom(32)), own.gateway_key)))


def _guess_on(scene: Scene) -> None:
    """Prove oneself with one's own key once all of the above has failed: who guesses is locked out by then."""
    _there(_dial(scene, _identity(scene)))


class _Plain:
    """The handshake by hand, so that a message can be sent again."""

    def __init__(self, scene: Scene) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(f"{scene.sockets}/gateway.sock")

    def say(self, message: bytes) -> None:
        self.sock.sendall(struct.pack(">I", len(message)) + message)

    def hear(self) -> bytes:
        head = self.sock.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            raise Thwarted("turned-away")
        return self.sock.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)


def _replay(scene: Scene) -> None:
    """Send what a handshake that worked had sent, once more."""
    own, nonce = _identity(scene), os.urandom(handshake.NONCE)
    first = _Plain(scene)
    first.say(handshake.hello(own.role, nonce))
    proof = handshake.prove(own, nonce, first.hear())
    first.say(proof)
    assert first.hear() == handshake.WELCOME
    first.sock.close()
    second = _Plain(scene)
    second.say(handshake.hello(own.role, nonce))
    second.hear()
    second.say(proof)
    second.hear()


def _no_handshake(scene: Scene) -> None:
    """Begin with a frame as if one had been let in."""
    _identity(scene)
    stranger = _Plain(scene)
    stranger.say(b"\x00" * 48)
    stranger.hear()


def _forged_relay(scene: Scene) -> None:
    """Ask the relay for a host in the name of a call that nobody permitted."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(_SECONDS)
        one.connect(f"{scene.sockets}/relay-runner.sock")
        caller = msgspec.msgpack.encode(egress.Caller(_FORGED))
        request = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"
        one.sendall(struct.pack(">I", len(caller)) + caller + request)
        if one.recv(64).split(b" ")[1:2] != [b"200"]:
            raise Thwarted("not-allowed")


def _relayed(host: str) -> Act:
    """Ask the relay for a host over the channel's own socket."""

    def attack(scene: Scene) -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(_SECONDS)
            one.connect(f"{scene.sockets}/relay-channel-telegram.sock")
            one.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            if one.recv(64).split(b" ")[1:2] != [b"200"]:
                raise Thwarted("not-allowed")

    return attack


def _reach(path: str) -> Act:
    """Have the supervisor start a runner that sees this path."""

    def attack(scene: Scene) -> None:
        line = _one(Line)
        outside = (Outside(path.format(data=scene.data, home=scene.home), True),)
        place = Place(f"{scene.data}/agents/default/workspace", "bubblewrap", outside=outside)

        async def enter() -> None:
            async with line.runner(place):
                pass

        _there(enter())

    return attack


def _unhashed(scene: Scene) -> None:
    """Order a call whose hash is not that of its permit."""
    _there(_live(scene, "runner").call(runner.Run(_FORGED, b'{"tool":"exec"}'), runner.Ran))


def _garbage(scene: Scene) -> None:
    """Shout at the supervisor over the descriptor that it watches."""
    if "--control-fd" not in sys.argv:
        raise Thwarted("none-held")
    control = int(sys.argv[sys.argv.index("--control-fd") + 1])
    with socket.socket(fileno=os.dup(control)) as one:
        for _ in range(_SHOUTS):
            with contextlib.suppress(BlockingIOError):
                one.send(b"walls\n!R" + b"\xff" * 16_384, socket.MSG_DONTWAIT)


HERE: Final[dict[str, Act]] = {
    "vault-own-identity": _identity,
    "vault-other-identity": _other_identity,
    "vault-peer-key": _vault(calls.PeerKey("runner"), calls.KeyReply),
    "vault-agent-key": _vault(calls.AgentKey("default"), calls.KeyReply),
    "vault-last-head": _vault(calls.LastHead(OPERATIONS), calls.HeadReply),
    "vault-sign-head": _vault(calls.SignHead("default", "default/terminal/x", 0, "00" * 32), calls.Signature),
    "vault-rewrite-past": _rewritten_past,
    "vault-bound-credential": _vault(calls.CredentialFor("bound"), calls.CredentialReply),
    "vault-other-credential": _vault(calls.CredentialFor("other"), calls.CredentialReply),
    "vault-channels-secret": _vault(calls.CredentialFor("channel.telegram.token"), calls.CredentialReply),
    "vault-other-channels-secret": _vault(calls.CredentialFor("channel.slack.bot_token"), calls.CredentialReply),
    "vault-list": _vault(calls.ListCredentials(), calls.CredentialRows),
    "vault-add": _vault(calls.AddCredential("planted", b"x"), calls.Done),
    "vault-set-aside": _vault(calls.SetAside("third"), calls.Done),
    "vault-remove": _vault(calls.RemoveCredential("third"), calls.Done),
    "vault-protect": _vault(calls.Protect("keyfile"), calls.Done),
    "gateway-status": _gateway(ask.GatewayStatus(), ask.GatewayReport),
    "gateway-grants": _gateway(ask.ListGrants(), ask.GrantRows),
    "gateway-policy": _gateway(ShowPolicy(), PolicyReport),
    "gateway-pairing": _gateway(senders.OfferPairing(role="user"), senders.PairingCode),
    "gateway-other-rows": _gateway(ask.ReadRows("default/terminal/main", 0), ask.RowPage),
    "gateway-own-rows": _gateway(ask.ReadRows("default/webchat/main", 0), ask.RowPage),
    "gateway-files-from": _gateway(channels.FilesFrom("7"), channels.FilesTaken),
    "gateway-watch": _gateway(ask.WatchApprovals(), ask.ApprovalRows),
    "gateway-egress": _egress(None, "channel-telegram"),
    "gateway-egress-forged": _egress(egress.Caller(_FORGED), "runner"),
    "gateway-converse": _converse,
    "pose-as-channel": _pose("channel-telegram"),
    "pose-as-web": _pose("web"),
    "pose-as-runner": _pose("runner"),
    "pose-as-outbound": _pose("outbound"),
    "replay-handshake": _replay,
    "wrong-key": _wrong_key,
    "pose-as-other-channel": _pose("channel-slack"),
    "pose-as-gateway": _pose("gateway"),
    "pose-as-operator": _pose("operator"),
    "no-handshake": _no_handshake,
    "guess-on": _guess_on,
    "relay-forged-call": _forged_relay,
    "relay-other-host": _relayed("example.com:443"),
    "relay-address": _relayed("93.184.216.34:443"),
    "relay-other-port": _relayed("api.telegram.org:22"),
    "shout-at-supervisor": _garbage,
    "reach-etc": _reach("/etc/passwd"),
    "reach-vault": _reach("{data}/vault/vault.db"),
    "reach-ssh": _reach("{home}/.ssh/id_ed25519"),
    "order-unhashed-call": _unhashed,
}
