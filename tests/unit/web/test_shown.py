"""The page escapes the same characters as the terminal: both are compared over all of Unicode."""

from __future__ import annotations

import json
import shutil
import subprocess
import unicodedata
from importlib import resources
from pathlib import Path

import pytest

from wirken.domain.text import shown

NODE = shutil.which("node")
SCRIPT = """
import { shown } from "./dom.mjs";
const found = {};
for (const running of [false, true]) {
  found[running] = [];
  for (let point = 0; point < 0x110000; point += 1) {
    const character = String.fromCodePoint(point);
    const text = shown("a" + character + "b", running);
    if (text !== "a" + character + "b") found[running].push([point, text]);
  }
}
process.stdout.write(JSON.stringify(found));
"""


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_page_and_the_terminal_escape_the_same_characters_the_same_way(tmp_path: Path) -> None:
    assert NODE is not None
    source = resources.files("wirken.web").joinpath("static", "dom.js").read_text()
    (tmp_path / "dom.mjs").write_text(source)
    (tmp_path / "all.mjs").write_text(SCRIPT)
    done = subprocess.run([NODE, "all.mjs"], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    found = json.loads(done.stdout)
    for running in (False, True):
        page = dict(found[json.dumps(running)])
        differ = []
        for point in range(0x110000):
            expected = shown(f"a{chr(point)}b", keep_newlines=running)
            # A character that one of the two does not know yet is escaped by that one: their Unicode versions differ.
            if page.get(point, f"a{chr(point)}b") != expected and unicodedata.category(chr(point)) != "Cn":
                differ.append(f"U+{point:04X}")
        assert differ == []
        assert len(page) > 900_000, "unassigned and private characters alone are as many"
