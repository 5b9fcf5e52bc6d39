"""The page's own files: nothing from outside, nothing inline, and the vendored part is the one we know."""

from __future__ import annotations

import hashlib
import re

from wirken.web.static_files import FOLDER, table

TEXTS = sorted(path for path in FOLDER.glob("*") if path.suffix in (".html", ".js", ".css", ".svg"))


def test_the_vendored_files_are_the_ones_whose_hashes_stand_beside_them() -> None:
    folder = FOLDER / "vendor"
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    known = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert found == known.keys()
    for name, digest in known.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_vendored_library_brings_its_licence() -> None:
    assert "Permission is hereby granted" in (FOLDER / "vendor" / "markdown-it.LICENSE").read_text()
    bundled = (FOLDER / "vendor" / "bundled.LICENSES").read_text()
    for part in ("entities", "linkify-it", "mdurl", "punycode.js", "uc.micro"):
        assert f"=== {part}" in bundled


def test_nothing_of_ours_names_another_host() -> None:
    for path in TEXTS:
        addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text())
        # The one exception is XML's name for SVG, which nobody fetches.
        assert set(addresses) <= {"http://www.w3.org"} and (not addresses or path.suffix == ".svg"), path


def test_nothing_is_inline() -> None:
    page = (FOLDER / "index.html").read_text()
    assert re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page) is None


def test_html_is_made_of_text_in_one_place_only() -> None:
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|srcdoc"
    found = {path.name: re.findall(sinks, path.read_text()) for path in TEXTS if path.suffix == ".js"}
    assert {name: sink for name, sink in found.items() if sink} == {"markdown.js": ["innerHTML"]}


def test_only_files_that_a_browser_loads_have_an_address() -> None:
    addresses = table(FOLDER)
    assert addresses["/"].name == "index.html"
    assert all(
        address == "/" or path.suffix in (".html", ".js", ".mjs", ".css", ".svg") for address, path in addresses.items()
    )
    assert not any("LICENSE" in address or "SHA256" in address for address in addresses)
