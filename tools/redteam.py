"""Write the red team's matrix into docs/enforcement.md from tests/hostile/roles.jsonl: `python tools/redteam.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "enforcement.md"
TABLE: Final = ROOT / "tests" / "hostile" / "roles.jsonl"
BEGIN: Final = "<!-- made by tools/redteam.py from tests/hostile/roles.jsonl -->\n"
END: Final = "<!-- end -->\n"
ROLES: Final = ("vault", "gateway", "runner", "outbound", "web", "channel")
_ALLOWED: Final = "**yes**"
_NAMES: Final = {
    "files": "Files",
    "processes": "Other processes",
    "programs": "Programs",
    "sockets": "Sockets and the network",
    "walls": "The walls themselves",
    "kernel": "The kernel's rarer doors",
    "floods": "Floods",
    "words": "Our own protocols",
}


def page(old: str) -> str:
    """Return the page with its matrix made anew."""
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{matrix()}{END}{after}"


def matrix() -> str:
    """Return the matrix, the reasons for what is allowed, and what is not proven without walls, as Markdown."""
    lines = [json.loads(line) for line in TABLE.read_text().splitlines()]
    parts = [f"{len(lines)} attacks.\n"]
    for group, name in _NAMES.items():
        rows = [line for line in lines if line["group"] == group]
        head = f"| {name} | {' | '.join(ROLES)} | no walls |\n|{'---|' * (len(ROLES) + 2)}\n"
        parts.append(head + "".join(map(_row, rows)))
    granted = "".join(f"- {line['does']} (`{line['id']}`): {_reasons(line)}\n" for line in lines if "granted" in line)
    unproven: dict[str, list[str]] = {}
    for line in lines:
        if "unproven" in line:
            unproven.setdefault(line["unproven"], []).append(f"`{line['id']}`")
    reasons = "".join(f"- {', '.join(names)}: {reason}.\n" for reason, names in unproven.items())
    parts.append(f"What is allowed, and why:\n\n{granted}")
    parts.append(f"What does not plainly work without walls either, and why it is tried all the same:\n\n{reasons}")
    return "\n" + "\n".join(parts) + "\n"


def _row(line: dict[str, Any]) -> str:
    cells = [_cell(line, role) for role in (*ROLES, "bare")]
    return f"| {line['does']} | {' | '.join(cells)} |\n"


def _cell(line: dict[str, Any], role: str) -> str:
    other = line.get("user", {}).get(role, "any")
    return _word(line[role]) if other == "any" else f"{_word(line[role])}; user: {_word(other)}"


def _word(answer: str) -> str:
    return " or ".join(_ALLOWED if word == "done" else word for word in answer.split("|"))


def _reasons(line: dict[str, Any]) -> str:
    by_reason: dict[str, list[str]] = {}
    for role, reason in line["granted"].items():
        by_reason.setdefault(reason, []).append(role)
    return "; ".join(f"{', '.join(roles)}: {reason}" for reason, roles in by_reason.items()) + "."


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
