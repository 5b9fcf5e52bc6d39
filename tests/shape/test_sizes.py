"""Modules and functions stay small enough to be read in one sitting; if one grows, look for the second job in it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "src" / "wirken").rglob("*.py"))
MODULE_LINES = 300
FUNCTION_LINES = 60

names = [str(module.relative_to(ROOT)) for module in MODULES]


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 100


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_no_module_is_longer_than_300_lines(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= MODULE_LINES


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_no_function_is_longer_than_a_screen(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES, node.name


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_every_module_says_its_one_job_first(module: Path) -> None:
    tree = ast.parse(module.read_text())
    assert not tree.body or ast.get_docstring(tree)
