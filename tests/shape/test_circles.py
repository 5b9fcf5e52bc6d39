"""The house has no circles: no module needs itself over others."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
MODULES = sorted((SOURCE / "wirken").rglob("*.py"))


def test_no_module_imports_itself_over_others() -> None:
    """Imports inside of functions count: what is loaded late is still a need."""
    known = {dotted(module): module for module in MODULES}
    graph = {name: set(needed(module, known)) - {name} for name, module in known.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def dotted(module: Path) -> str:
    parts = module.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def needed(module: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of ours that a module imports, wherever in it, but for types alone."""
    tree = ast.parse(module.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.module in known:
            package = node.module
            inner = [f"{package}.{alias.name}" for alias in node.names]
            yield from (name if name in known else package for name in inner)


def test_a_circle_is_found() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()
    known = {dotted(module): module for module in MODULES}
    assert "wirken.domain.limits" in set(needed(SOURCE / "wirken/runner/commands.py", known))
