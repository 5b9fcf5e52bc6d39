"""`wirken senders`: which platform account belongs to whom, and what that person may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import click

from wirken.cli import daemon, gateway, records
from wirken.cli.output import Output
from wirken.cli.sessions import AS_JSON, here, when
from wirken.domain.errors import UsageError
from wirken.domain.people import Role, Standing
from wirken.ipc.calls.operator import Acknowledged, OperatorQuestion
from wirken.ipc.calls.senders import (
    AllowSender,
    BlockSender,
    ListSenders,
    OfferPairing,
    PairingCode,
    RemoveSender,
    SenderRow,
    SenderRows,
)

T = TypeVar("T")
_Command = TypeVar("_Command", bound=Callable[..., object])

_ACCOUNT: Final = click.argument("account", metavar="CHANNEL:ID")
_AS: Final = click.option("--as", "name", default="", metavar="NAME", help="Who that is. Default: the account itself.")
_CHANNEL: Final = click.option("--channel", default="", help="With a code: good on this channel only.")


def _role(*, owner: bool) -> Callable[[_Command], _Command]:
    roles = [role.value for role in Role if owner or role is not Role.OWNER]
    return click.option(
        "--role", type=click.Choice(roles), default=Role.USER.value, show_default=True, help="What they may do."
    )


@click.group("senders")
def command() -> None:
    """Say who writes: map accounts of chat platforms to people.

    Whoever is not on the list is refused politely, without any model being asked. An owner may do everything, an
    approver may answer approvals, a user converses and has tools, a guest converses without any tools.
    """


@command.command("list")
@AS_JSON
def list_command(as_json: bool) -> None:
    """List the accounts that are known."""
    _show("", as_json, "Nobody has written, and nobody is admitted.")


@command.command("pending")
@AS_JSON
def pending_command(as_json: bool) -> None:
    """List who wrote and waits for your decision."""
    _show(Standing.PENDING.value, as_json, "Nobody waits.")


@command.command("allow")
@click.argument("account", metavar="[CHANNEL:ID]", required=False)
@_AS
@_role(owner=True)
@click.option("--pairing", is_flag=True, help="Make a one-time code to hand out, instead of naming the account.")
@_CHANNEL
@AS_JSON
def allow_command(account: str | None, name: str, role: str, pairing: bool, channel: str, as_json: bool) -> None:
    """Admit an account, such as telegram:12345, or change who it is."""
    if pairing:
        if account is not None:
            raise UsageError("A code is for whoever sends it.", hint="Give either CHANNEL:ID or --pairing.")
        _pair(name, role, channel, as_json)
        return
    if account is None or channel:
        raise UsageError("Whom to admit is said as CHANNEL:ID.", hint="`wirken senders pending` shows who wrote.")
    platform, sender = _split(account)
    _do(AllowSender(channel=platform, sender=sender, principal=name, role=role), as_json)


@command.command("block")
@_ACCOUNT
@AS_JSON
def block_command(account: str, as_json: bool) -> None:
    """Neither hear nor answer an account any more."""
    channel, sender = _split(account)
    _do(BlockSender(channel=channel, sender=sender), as_json)


@command.command("remove")
@_ACCOUNT
@AS_JSON
def remove_command(account: str, as_json: bool) -> None:
    """Forget an account; it is unknown again."""
    channel, sender = _split(account)
    _do(RemoveSender(channel=channel, sender=sender), as_json)


@command.command("pair")
@_AS
@_role(owner=False)
@_CHANNEL
@AS_JSON
def pair_command(name: str, role: str, channel: str, as_json: bool) -> None:
    """Make a one-time code: who sends it to the bot, as a message of its own, is admitted."""
    _pair(name, role, channel, as_json)


def _pair(name: str, role: str, channel: str, as_json: bool) -> None:
    given, out = _asked(OfferPairing(role=role, principal=name, channel=channel), PairingCode, as_json)
    out.show(given, [given.code, f"Good once, until {when(given.expires)}. Send it to the bot in a direct message."])


def _do(question: OperatorQuestion, as_json: bool) -> None:
    reply, out = _asked(question, Acknowledged, as_json)
    out.show(reply, [reply.said])


def _show(standing: str, as_json: bool, nobody: str) -> None:
    found, out = _asked(ListSenders(standing), SenderRows, as_json)
    header = ("ACCOUNT", "STANDING", "PERSON", "ROLE", "NAME", "LAST SEEN", "NOT HEARD")
    lines = out.table(header, [_cells(row) for row in found.senders]) if found.senders else [nobody]
    out.show(found.senders, lines)


def _cells(row: SenderRow) -> tuple[str, ...]:
    seen = when(row.last_seen) if row.last_seen else "never"
    account = f"{row.channel}:{row.sender}"
    return account, row.standing, row.principal or "-", row.role or "-", row.name or "-", seen, str(row.turned_away)


def _asked(question: OperatorQuestion, reply: type[T], as_json: bool) -> tuple[T, Output]:
    paths, out = here(as_json)
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        return gateway.ask(paths.operator_socket, question, reply), out


def _split(account: str) -> tuple[str, str]:
    channel, colon, sender = account.partition(":")
    if not channel or not colon or not sender:
        raise UsageError("An account is named CHANNEL:ID, such as telegram:12345.")
    return channel, sender
