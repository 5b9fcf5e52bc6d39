"""The table of hostile programs and sandboxes in docs/sandbox.md, made from the recorded data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.support.sandboxes import KINDS

PAGE: Final = Path(__file__).parents[2] / "docs/sandbox.md"
_START: Final = "<!-- probes: made by tests/hostile/sandbox, not by hand -->\n"
_END: Final = "<!-- end of probes -->\n"
_GAPS: Final = ("worked", "hit", "survives", "root")


def is_gap(seen: str) -> bool:
    """Is this how a probe ends that got what it wanted?"""
    return seen.split(":")[0] in _GAPS


def rendered(probes: list[dict[str, Any]]) -> str:
    """Return the table, a row for each probe, and below it what the gaps are."""
    lines = [f"| | tries to … | {' | '.join(KINDS)} |", "|---|---|" + "---|" * len(KINDS)]
    group = ""
    for probe in probes:
        shown = probe["group"] if probe["group"] != group else ""
        group = probe["group"]
        cells = [_cell(probe["expected"].get(kind, "")) for kind in KINDS]
        lines.append(f"| {shown} | {probe['tries']} | {' | '.join(cells)} |")
    reasons: dict[str, list[str]] = {}
    for probe in probes:
        if probe.get("gap"):
            reasons.setdefault(probe["gap"], []).append(probe["tries"])
    gaps = [f"- {'; '.join(tries)}: {reason}." for reason, tries in reasons.items()]
    return "\n".join(lines) + "\n\nWhere it says **works**:\n\n" + "\n".join(gaps) + "\n"


def replaced(page: str, table: str) -> str:
    """Return the page with the table in its place."""
    before, _, rest = page.partition(_START)
    _, _, after = rest.partition(_END)
    return f"{before}{_START}{table}{_END}{after}"


def _cell(seen: str) -> str:
    if not seen:
        return "not run"
    return "**works**" if is_gap(seen) else seen.replace("|", " or ")
