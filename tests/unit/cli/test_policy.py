from __future__ import annotations

import io

from wirken.cli.output import Output
from wirken.cli.policy import described
from wirken.ipc.calls.policy import BudgetRow, LimitRow, PolicyReport, PriceRow, RulesRow, ToolRow

OWN = RulesRow(
    source="[policy] of config.toml", sha256="", trouble="", allowed=None, blocked=("exec", "mcp_*"), idle=("mcp_*",)
)
BUDGET = BudgetRow(
    budget="daily", agent="", principal="alice", unit="model_calls", used=5, limit=9, per="day", mode="block", until=0
)


def printed(report: PolicyReport) -> str:
    to = io.StringIO()
    out = Output(False, to, io.StringIO(), {"NO_COLOR": "1"})
    out.show(report, described(report, out))
    return to.getvalue()


def report(*rules: RulesRow, budgets: tuple[BudgetRow, ...] = ()) -> PolicyReport:
    return PolicyReport(
        rules=rules,
        tools=(
            ToolRow(tool="exec", rule="policy:blocked_tools", said="Blocked."),
            ToolRow(tool="read_file", rule="", said=""),
        ),
        limits=(LimitRow(what="messages", whose="principal", per_minute=0, left=0),),
        budgets=budgets,
        prices=(PriceRow("mine/m", 2_500_000, 10_000_000, 1_250_000), PriceRow("mine/new")),
    )


def test_what_is_in_force_is_shown_in_words() -> None:
    text = printed(report(OWN, budgets=(BUDGET,)))
    assert "allowed: all tools" in text and "blocked: exec, mcp_*" in text
    assert "matches no tool: mcp_*" in text
    assert "no: policy:blocked_tools" in text and "yes, by its tier" in text
    assert "no limit" in text
    line = next(line for line in text.splitlines() if line.startswith("daily"))
    assert line.split("  ")[:1] == ["daily"] and "all together" in line and "alice" in line and "model calls" in line


def test_a_list_that_allows_nothing_is_not_shown_as_one_that_allows_all() -> None:
    nothing = RulesRow(source="/etc/p", sha256="ab", trouble="", allowed=(), blocked=(), idle=())
    text = printed(report(nothing))
    assert "allowed: no tool" in text and "blocked: none" in text and "No budgets." in text


def test_a_policy_that_refuses_everything_says_why() -> None:
    broken = RulesRow(source="/etc/p", sha256="", trouble="It is gone.", allowed=None, blocked=(), idle=())
    text = printed(report(broken))
    assert "refuses everything: It is gone." in text and "allowed:" not in text


def test_money_is_shown_as_money_with_the_prices_it_is_counted_by() -> None:
    money = BudgetRow(
        budget="m",
        agent="",
        principal="",
        unit="money",
        used=1_234_500,
        limit=5_000_000,
        per="day",
        mode="block",
        until=0,
    )
    text = printed(report(OWN, budgets=(money,)))
    assert next(line for line in text.splitlines() if line.startswith("m ")).split()[5:8] == ["1.2345", "5.00", "money"]
    assert ["mine/m", "2.50", "1.25", "10.00"] in [line.split() for line in text.splitlines()]
    assert ["mine/new", "no", "price"] in [line.split() for line in text.splitlines()]
    assert "MILLION" not in printed(report(OWN, budgets=(BUDGET,)))
