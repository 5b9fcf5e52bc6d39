"""`wirken policy`: which gates are in force beside the tiers, and what of limits and budgets is used."""

from __future__ import annotations

from collections.abc import Iterator

import click

from wirken.cli import daemon, gateway, records
from wirken.cli.output import Line, Output, Styled
from wirken.cli.sessions import AS_JSON, here, when
from wirken.domain.money import amount, written
from wirken.ipc.calls.policy import BudgetRow, NetworkRow, PolicyReport, PriceRow, RulesRow, ShowPolicy, ToolRow


@click.group("policy")
def command() -> None:
    """Show the policy. It is set in config.toml: [policy], [limits] and [budgets.NAME]."""


@command.command("show")
@AS_JSON
def show_command(as_json: bool) -> None:
    """Show which tools may be used, the limits, and the budgets with their use."""
    paths, out = here(as_json)
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        report = gateway.ask(paths.operator_socket, ShowPolicy(), PolicyReport)
    out.show(report, described(report, out))


def described(report: PolicyReport, out: Output) -> Iterator[Line]:
    """Yield the report as lines."""
    for rules in report.rules:
        yield from _rules(rules)
    yield ""
    yield from out.table(("TOOL", "MAY BE USED"), map(_tool, report.tools))
    yield ""
    rows = [
        (use.what, use.whose, str(use.per_minute or "no limit"), str(use.left) if use.per_minute else "")
        for use in report.limits
    ]
    yield from out.table(("LIMIT", "OF EACH", "IN A MINUTE", "LEFT FOR THE BUSIEST"), rows)
    yield ""
    header = ("COMMANDS OF", "ON CHANNEL", "NETWORK", "HOSTS WITHOUT A QUESTION")
    yield from out.table(header, map(_network, report.network))
    yield ""
    columns = ("BUDGET", "AGENT", "PERSON", "USED", "OF", "UNIT", "PER", "MODE", "BEGINS ANEW")
    yield from out.table(columns, map(_budget, report.budgets)) if report.budgets else ["No budgets."]
    if any(row.unit == "money" for row in report.budgets):
        yield ""
        yield from out.table(("A MILLION TOKENS OF", "INPUT", "CACHED", "OUTPUT"), map(_price, report.prices))


def _rules(rules: RulesRow) -> Iterator[Line]:
    yield (Styled(rules.source, "bold"), f"  sha256 {rules.sha256}" if rules.sha256 else "")
    if rules.trouble:
        yield (Styled("  refuses everything", "red"), f": {rules.trouble}")
        return
    allowed = "all tools" if rules.allowed is None else ", ".join(rules.allowed) or "no tool"
    yield f"  allowed: {allowed}"
    yield f"  blocked: {', '.join(rules.blocked) or 'none'}"
    if rules.idle:
        yield (Styled("  matches no tool", "yellow"), f": {', '.join(rules.idle)}")


def _network(row: NetworkRow) -> tuple[str, ...]:
    every = {"none": "", "open": "every public host"}
    return row.agent, row.channel, row.mode, every.get(row.mode, ", ".join(row.hosts) or "none")


def _tool(row: ToolRow) -> tuple[str, str]:
    return row.tool, f"no: {row.rule}" if row.rule else "yes, by its tier"


def _budget(row: BudgetRow) -> tuple[str, ...]:
    who = (row.agent or "all together", row.principal or "all together")
    unit = row.unit.replace("_", " ")
    return (
        row.budget,
        *who,
        amount(row.unit, row.used),
        amount(row.unit, row.limit),
        unit,
        row.per,
        row.mode,
        when(row.until),
    )


def _price(row: PriceRow) -> tuple[str, ...]:
    if row.input < 0:
        return row.model, "no price", "", ""
    return (row.model, *map(written, (row.input, row.cached_input, row.output)))
