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
                calls.ListCredentials,
                calls.Unlock,
                calls.OfferKey,
                calls.Protect,
            }
        ),
    }
)
"""Every other role (runner, runner-2, web, …) is a plain child: its own identity, and how the vault is."""


class NotYours(Refused):
    """The role on this pair has no business asking that."""

    hint = "Each process may ask the vault for its own part only (docs/vault.md)."


def check(role: RoleName, question: calls.VaultQuestion) -> None:
    """Raises `NotYours` unless the role may ask this kind of question."""
    if type(question) not in ASKS.get(role, _CHILD):
        raise NotYours(f"The vault does not answer {type(question).__name__} to the role '{role}'.")
