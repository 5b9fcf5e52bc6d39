"""`wirken permissions`: the approvals that are remembered, what one may add or take back, and what would be decided."""

from __future__ import annotations

import re

import click

from wirken.cli import daemon, gateway, records
from wirken.cli.explain import explain_command
from wirken.cli.sessions import AS_JSON, here, when
from wirken.domain import limits
from wirken.domain.ids import DEFAULT_AGENT, OWNER, TERMINAL, agent_id, channel_id
from wirken.ipc.calls.operator import Acknowledged, ApproveGrant, GrantRows, ListGrants, RevokeGrant


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Return the seconds that `7d` or `12h` means; 0 for nothing."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", value.strip())
    seconds = 0 if match is None else int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]
    if value and not 0 < seconds <= limits.GRANT_LIFETIME:
        raise click.BadParameter("Give a number and s, m, h or d; at most 30d.", ctx, param)
    return seconds


_AGENT = click.option("--agent", default=DEFAULT_AGENT, show_default=True, help="For which agent.")
_PRINCIPAL = click.option("--principal", default=OWNER, show_default=True, help="For whom.")
_CHANNEL = click.option("--channel", default=TERMINAL, show_default=True, help="On which channel.")


@click.group("permissions")
def command() -> None:
    """List, grant and revoke remembered approvals; explain what would be decided.

    A grant belongs to an action, an agent, a person and a channel, and lives for 30 days. Tier 3 actions are asked
    for every time; nothing can be stored for them.
    """


command.add_command(explain_command)


@command.command("list")
@AS_JSON
def list_command(as_json: bool) -> None:
    """List the live grants."""
    paths, out = here(as_json)
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        grants = gateway.ask(paths.operator_socket, ListGrants(), GrantRows).grants
    rows = [
        (
            grant.action_key,
            grant.agent,
            grant.principal,
            grant.channel,
            grant.session or "all",
            when(grant.expires),
            "" if grant.uses is None else str(grant.uses),
            grant.by,
        )
        for grant in grants
    ]
    header = ("ACTION", "AGENT", "PRINCIPAL", "CHANNEL", "SESSION", "EXPIRES", "USES", "BY")
    out.show(grants, out.table(header, rows) if rows else ["Nothing is granted."])


@command.command("approve")
@click.argument("key")
@_AGENT
@_PRINCIPAL
@_CHANNEL
@click.option("--for", "lifetime", default="", callback=_seconds, help="How long, such as 7d or 12h; at most 30d.")
@click.option("--uses", type=click.IntRange(1, limits.GRANT_USES), default=None, help="How often; else without limit.")
@click.option("--session", default="", help="Only in this session (its whole id).")
@AS_JSON
def approve_command(
    key: str,
    agent: str,
    principal: str,
    channel: str,
    lifetime: int,
    uses: int | None,
    session: str,
    as_json: bool,
) -> None:
    """Remember KEY (such as shell:ls) as approved, for 30 days if nothing else is said. A Tier 3 key is refused."""
    paths, out = here(as_json)
    question = ApproveGrant(agent_id(agent), principal, channel_id(channel), key, lifetime, uses or 0, session)
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        reply = gateway.ask(paths.operator_socket, question, Acknowledged)
    out.show(reply, [reply.said])


@command.command("revoke")
@click.argument("key")
@_AGENT
@_PRINCIPAL
@_CHANNEL
@click.option("--session", default="", help="Only what counts in this session; else in all.")
@AS_JSON
def revoke_command(key: str, agent: str, principal: str, channel: str, session: str, as_json: bool) -> None:
    """Take back the grants for KEY."""
    paths, out = here(as_json)
    question = RevokeGrant(agent_id(agent), principal, channel_id(channel), key, session)
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        reply = gateway.ask(paths.operator_socket, question, Acknowledged)
    out.show(reply, [reply.said])
