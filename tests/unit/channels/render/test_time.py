"""Hostile texts of 100,000 characters are written within seconds; twice as long ones take about twice as long."""

from __future__ import annotations

import time

import pytest

from wirken.channels.render.pieces import DIALECTS, rendered

LONG = 100_000
SECONDS = 25.0  # of this process; the slowest takes 5 on the slowest machine seen
REPEATED = {
    "lines": "a\n",
    "brackets": "[",
    "images": "![",
    "links": "[a](http://b.example/) ",
    "addresses": "http://b.example ",
    "items": "- a\n",
    "spans": "**a** ",
    "code": "`a` ",
    "flags": "🇩🇪",
    "families": "👩\u200d👩\u200d👧",
    "escapes": "\u202e",
    "cells": "|a",
    "commands": "/a ",
    "unclosed": "*a_ ~~",
}


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["telegram", "discord", "matrix"])
@pytest.mark.parametrize("text", REPEATED.values(), ids=REPEATED)
def test_no_text_takes_long(text: str, platform: str) -> None:
    source = (text * LONG)[:LONG]
    began = time.process_time()
    assert rendered(source, DIALECTS[platform])
    assert time.process_time() - began < SECONDS
