from __future__ import annotations

import importlib
import re
from pathlib import Path

from wirken.domain import limits

MODULES = tuple(
    importlib.import_module(f"wirken.domain.{path.stem}")
    for path in sorted(Path(str(limits.__file__)).parent.glob("*limits.py"))
)
SOURCE = "".join(Path(str(module.__file__)).read_text() for module in MODULES)
NUMBERS = {
    name: value for name, value in (item for module in MODULES for item in vars(module).items()) if name.isupper()
}


def test_every_limit_is_a_positive_number() -> None:
    assert len(NUMBERS) > 100
    assert all(isinstance(value, int | float) and value > 0 for value in NUMBERS.values())


def test_every_limit_says_its_unit_or_its_reason_beside_it() -> None:
    statements = re.findall(r"^([A-Z0-9_]+): Final = (?:\((?s:.*?)^\)|.*)$", SOURCE, re.MULTILINE)
    assert set(statements) == NUMBERS.keys()
    for name in statements:
        start = SOURCE.index(f"\n{name}: Final")
        end = SOURCE.find(": Final", start + len(name) + 10)
        assert re.search(r"# \S.{8,}", SOURCE[start:end]), name


def test_the_facts_of_the_design_hold() -> None:
    assert limits.FRAME == 16 * 2**20
    assert limits.NESTING == 64
    assert limits.TRAVERSAL <= 512 * 2**20
    assert (limits.HANDSHAKE_FAILURES, limits.HANDSHAKE_WINDOW, limits.HANDSHAKE_LOCKOUT) == (5, 60, 600)
    assert (limits.TOOL_ROUNDS, limits.SUBAGENT_DEPTH) == (20, 4)
    assert limits.GRANT_LIFETIME == 30 * 24 * 3600
    assert (limits.EXEC_TIME, limits.EXEC_MEMORY, limits.EXEC_PROCESSES) == (300, 512 * 2**20, 256)
    assert (limits.EXEC_TMP, limits.SESSION_IDLE, limits.RECORD_KEPT) == (64 * 2**20, 24 * 3600, 90 * 24 * 3600)
    assert limits.PAGE_PORT == 18790


def test_what_must_fit_into_something_fits() -> None:
    assert limits.HANDSHAKE_FRAME >= 1 + 32 + 64
    assert limits.FRAME <= limits.LINK_BUFFER
    assert limits.TRAVERSAL * 8 >= limits.FRAME
    assert limits.ARGUMENTS + limits.TOOL_OUTPUT + limits.ANSWER < limits.FRAME
    assert limits.EXEC_OUTPUT_HEAD + limits.EXEC_OUTPUT_TAIL <= limits.TOOL_OUTPUT
    assert limits.FILE_READ <= limits.TOOL_OUTPUT
    assert limits.FILE_WRITE <= limits.ARGUMENTS
    assert limits.CREDENTIAL < limits.VAULT_FRAME
    assert limits.STOP_TIME < 2
