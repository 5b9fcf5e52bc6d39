"""`wirken permissions`: the approvals that are remembered, and what one may add or take back."""

from __future__ import annotations

import click

from wirken.cli import daemon, gateway, records
from wirken.cli.sessions import AS_JSON, here, when
from wirken.domain.ids import DEFAULT_AGENT, OWNER, TERMINAL, agent_id, channel_id
from wirken.ipc.calls.operator import Acknowledged, ApproveGrant, GrantRows, ListGrants, RevokeGrant

_AGENT = click.option("--agent", default=DEFAULT_AGENT, show_default=True, help="For which agent.")
_PRINCIPAL = click.option("--principal", default=OWNER, show_default=True, help="For whom.")
_CHANNEL = click.option("--channel", default=TERMINAL, show_default=True, help="On which channel.")


@click.group("permissions")
def command() -> None:
    """List, grant and revoke remembered approvals.

    A grant belongs to an action, an agent, a person and a channel, and lives for 30 days. Tier 3 actions are asked
    for every time; nothing can be stored for them.
    """


@command.command("list")
@AS_JSON
def list_command(as_json: bool) -> None:
    """List the live grants."""
    paths, out = here(as_json)
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        grants = gateway.ask(paths.operator_socket, ListGrants(), GrantRows).grants
    rows = [
        (grant.action_key, grant.agent, grant.principal, grant.channel, when(grant.expires), grant.by)
        for grant in grants
    ]
    header = ("ACTION", "AGENT", "PRINCIPAL", "CHANNEL", "EXPIRES", "BY")
    out.show(grants, out.table(header, rows) if rows else ["Nothing is granted."])


@command.command("approve")
@click.argument("key")
@_AGENT
@_PRINCIPAL
@_CHANNEL
@AS_JSON
def approve_command(key: str, agent: str, principal: str, channel: str, as_json: bool) -> None:
    """Remember KEY (such as shell:ls) as approved for 30 days. A Tier 3 key is refused."""
    paths, out = here(as_json)
    question = ApproveGrant(agent_id(agent), principal, channel_id(channel), key)
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        reply = gateway.ask(paths.operator_socket, question, Acknowledged)
    out.show(reply, [reply.said])


@command.command("revoke")
@click.argument("key")
@_AGENT
@_PRINCIPAL
@_CHANNEL
@AS_JSON
def revoke_command(key: str, agent: str, principal: str, channel: str, as_json: bool) -> None:
    """Take back the grant for KEY."""
    paths, out = here(as_json)
    question = RevokeGrant(agent_id(agent), principal, channel_id(channel), key)
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        reply = gateway.ask(paths.operator_socket, question, Acknowledged)
    out.show(reply, [reply.said])
