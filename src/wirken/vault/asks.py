"""Who may ask what. What is not listed for a role is refused."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wirken.domain.errors import Refused
from wirken.domain.ids import RoleName
from wirken.ipc.calls import vault as calls

OPERATOR: Final = RoleName("operator")
GATEWAY: Final = RoleName("gateway")
OUTBOUND: Final = RoleName("outbound")

_CHILD: Final[frozenset[type]] = frozenset({calls.Identity, calls.VaultStatus})

ASKS: Final[Mapping[RoleName, frozenset[type]]] = MappingProxyType(
    {
        GATEWAY: _CHILD | {calls.PeerKey, calls.AgentKey, calls.SignHead, calls.LastHead},
        OUTBOUND: _CHILD | {calls.CredentialFor},
        OPERATOR: frozenset(
            {
                calls.VaultStatus,
                calls.AgentKey,
                calls.LastHead,
                calls.AddCredential,
                calls.RotateCredential,
                calls.RemoveCredential,
                calls.SetAside,
                calls.ListCredentials,
                calls.Unlock,
                calls.OfferKey,
                calls.Protect,
            }
        ),
    }
)
"""Every other role (runner, runner-2, web, …) is a plain child: its own identity, and how the vault is; an adapter,
`channel-<channel>`, also asks for its own secrets."""

_ADAPTER: Final = "channel-"
_OF_CHANNELS: Final = "channel."
"""What the names of adapters' secrets begin with; the channel's name and a dot follow. No channel's name has a dot."""


class NotYours(Refused):
    """The role on this pair has no business asking that."""

    hint = "Each process may ask the vault for its own part only (docs/vault.md)."


def check(role: RoleName, question: calls.VaultQuestion) -> None:
    """Raises `NotYours` unless the role may ask this kind of question."""
    own = _CHILD | {calls.CredentialFor} if role.startswith(_ADAPTER) else _CHILD
    if type(question) not in ASKS.get(role, own):
        raise NotYours(f"The vault does not answer {type(question).__name__} to the role '{role}'.")


def may_have(role: RoleName, name: str, bound: frozenset[str]) -> bool:
    """Return whether a role gets the value of the credential `name`: an adapter its channel's, and nobody else those;
    outbound what the configuration binds.
    """
    if role.startswith(_ADAPTER):
        channel = role.removeprefix(_ADAPTER)
        return bool(channel) and name.startswith(f"{_OF_CHANNELS}{channel}.")
    return role == OUTBOUND and name in bound and not name.startswith(_OF_CHANNELS)
