from __future__ import annotations

import runpy
from pathlib import Path

from wirken.domain.walls import WALLS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "confinement.md"


def test_the_documented_table_is_the_table_of_roles() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "confinement.py"))
    assert PAGE.read_text() == tool["page"](PAGE.read_text()), "run: python tools/confinement.py"


def test_every_wall_that_may_be_missing_is_documented_with_what_that_means() -> None:
    rows = [line.split("|")[1].strip(" `") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert tuple(rows) == WALLS
