"""Forgetting whom a channel that is gone knew, and what was granted there."""

from __future__ import annotations

from wirken.cli import daemon, gateway, records
from wirken.cli.output import Output
from wirken.config.paths import Paths
from wirken.ipc.calls.operator import Acknowledged, GrantRows, ListGrants, RevokeGrant
from wirken.ipc.calls.senders import ListSenders, RemoveSender, SenderRows


def forget_people(paths: Paths, out: Output, channel: str) -> int:
    """Forget a channel's accounts and take back its grants; return how many of both there were."""
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        return _accounts(paths, channel) + _grants(paths, channel)


def _accounts(paths: Paths, channel: str) -> int:
    count = 0
    while True:  # a list has its bound, and may have more behind it
        found = gateway.ask(paths.operator_socket, ListSenders(), SenderRows).senders
        mine = [row for row in found if row.channel == channel]
        for row in mine:
            gateway.ask(paths.operator_socket, RemoveSender(channel=row.channel, sender=row.sender), Acknowledged)
        if not mine:
            return count
        count += len(mine)


def _grants(paths: Paths, channel: str) -> int:
    grants = gateway.ask(paths.operator_socket, ListGrants(), GrantRows).grants
    mine = [grant for grant in grants if grant.channel == channel]
    for grant in mine:
        question = RevokeGrant(grant.agent, grant.principal, grant.channel, grant.action_key, grant.session)
        gateway.ask(paths.operator_socket, question, Acknowledged)
    return len(mine)
