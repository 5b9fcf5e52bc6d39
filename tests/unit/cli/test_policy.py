from __future__ import annotations

import io

from wirken.cli.output import Output
from wirken.cli.policy import described
from wirken.ipc.calls.policy import BudgetRow, LimitRow, PolicyReport, RulesRow, ToolRow

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
