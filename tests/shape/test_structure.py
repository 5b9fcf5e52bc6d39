"""What the whole repository keeps to, beyond what ruff, mypy and import-linter check."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / name for name in ("src", "tests", "bench", "tools")]
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))

MARKER = re.compile(r"#\s*(?:ruff:\s*)?(?:type:\s*ignore|noqa)\b")
CODES = re.compile(r"#\s*(?:type:\s*ignore\[[a-z, -]+\]|(?:ruff:\s*)?noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)\s*")


def python_files() -> Iterator[tuple[str, str]]:
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def markers(text: str) -> Iterator[tuple[str, str]]:
    """Each comment with a marker, and its reason: what follows the codes, or the comment on the line above."""
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    for number, comment in comments.items():
        if MARKER.match(comment):
            behind = CODES.sub("", comment, count=1)
            yield comment, behind if behind != comment and behind else comments.get(number - 1, "")


def test_every_ignored_finding_names_its_rule_and_a_reason() -> None:
    for name, text in python_files():
        found = list(markers(text))
        assert all(CODES.match(comment) for comment, _ in found), name
        silent = [comment for comment, reason in found if len(reason.strip(" #-")) < 3]
        assert not silent, (name, silent)


def test_nobody_patches_what_a_test_should_run() -> None:
    for name, text in python_files():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                imported = {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                imported = {alias.name for alias in node.names}
            else:
                continue
            assert not any(module == "mock" or module.startswith("unittest.mock") for module in imported), name


def test_folders_of_tests_are_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_unit_tests_lie_where_their_source_lies() -> None:
    units = ROOT / "tests" / "unit"
    for folder in units.rglob("*/"):
        if folder.name == "__pycache__" or folder.is_relative_to(units / "bench"):
            continue
        assert (ROOT / "src" / "wirken" / folder.relative_to(units)).is_dir(), folder


def test_nothing_is_left_for_later_in_the_source() -> None:
    for name, text in python_files():
        if name.startswith("src/"):
            assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text), name


# --- what is installed --------------------------------------------------------------------------------


def test_there_are_locked_requirements() -> None:
    assert [path.name for path in REQUIREMENTS] == ["build.txt", "run.txt", "synapse.txt", "test.txt"]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.name))
def test_every_requirement_has_one_version_and_hashes_and_no_address(path: Path) -> None:
    text = path.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    for line in lines:
        wanted, *hashes = re.split(r"\s+--hash=", line.strip())
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+(?:\s*;[^@/]+)?", wanted), wanted
        assert hashes, wanted
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), wanted
    assert not re.search(r"://|@|--index|--find-links|--trusted|^-", text, re.MULTILINE)


def test_every_dependency_has_its_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    assert len(wanted) > 20
    for one in wanted:
        assert re.search(rf'^\s*"{re.escape(one)}",?\s+# \S.{{10,}}$', text, re.MULTILINE), one


def test_every_locked_dependency_of_ours_is_one_that_we_asked_for_or_one_of_theirs() -> None:
    """Each name in pyproject.toml stands in a lock file, so that nothing is installed that was not locked."""
    locked = " ".join(path.read_text() for path in REQUIREMENTS).lower().replace("_", "-")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    for one in wanted:
        name = re.sub(r"[-_.]+", "-", re.split(r"[<>=!\[; ]", one)[0].lower())  # PEP 503
        assert re.search(rf"(^|\s){re.escape(name)}==", locked), one
