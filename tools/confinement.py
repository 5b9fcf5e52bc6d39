"""Write the table of docs/confinement.md from `confine/roles.py`: `python tools/confinement.py`. A test compares."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wirken.confine.process import CONNECT
from wirken.confine.roles import CHANNELS, ROLES, START_ORDER, Role, relay_socket

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "confinement.md"
BEGIN: Final = "<!-- made by tools/confinement.py from confine/roles.py -->\n"
END: Final = "<!-- end -->\n"
_HEAD: Final = (
    "Process",
    "Holds",
    "Writes",
    "Reads",
    "Dials",
    "Network",
    "Programs",
    "Makes sockets",
    "Memory",
    "Files",
)


def page(old: str) -> str:
    """Return the page with its table made anew."""
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{table()}{END}{after}"


def table() -> str:
    """Return all rows as a Markdown table."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *(_row(role) for role in ROLES.values())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _row(role: Role) -> tuple[str, ...]:
    data = [f"`{name}`" for name in role.writable]
    read = [f"`{name}`" for name in role.readable]
    if role.workspaces:
        data += ["workspaces", "its cgroups", "`hatches` with a container engine"]
        read += ["read-only folders"]
    if role.tools:
        read.append("the tool root")
    if role.name == CHANNELS:
        data.append("`channels/<channel>`, where its kind keeps one")
    dials = [f"`{name}`" for name in (*role.sockets, *([relay_socket("<role id>")] if role.relay else []))]
    return (
        role.name if role.name in START_ORDER else f"{role.name} (to come)",
        role.holds,
        ", ".join(data) or "–",
        ", ".join(read) or "–",
        ", ".join(dials) or "–",
        _network(role),
        "yes, and mounts; no Landlock" if role.starts_programs else "no",
        ", ".join(role.families) or "none",
        f"{role.memory // 2**20} MiB" if role.memory else "–",
        str(role.files),
    )


def _network(role: Role) -> str:
    if role.network:
        return f"the machine's; TCP to ports {', '.join(map(str, CONNECT))} and those that the configuration names"
    return "none; hosts of its row through the relay" if role.relay else "none"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
