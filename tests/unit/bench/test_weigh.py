"""Pages of memory, each counted once."""

from __future__ import annotations

import os
import sys
from subprocess import PIPE, Popen

import pytest
from bench.weigh import shares, together


def test_a_page_that_two_share_is_split_between_them() -> None:
    assert shares({"a": {1, 2}, "b": {2, 3}}) == {"a": 1.5 * 4096 / 1e6, "b": 1.5 * 4096 / 1e6}


def test_the_sum_is_each_page_once() -> None:
    pages = {"a": {1, 2, 3}, "b": {3, 4}, "c": {3}}
    assert sum(shares(pages).values()) == pytest.approx(4 * 4096 / 1e6)


@pytest.mark.skipif(os.getuid() != 0, reason="only root sees page frames")
def test_a_process_that_holds_ten_megabytes_more_weighs_ten_megabytes_more() -> None:
    weights = []
    for megabytes in (0, 10):
        line = f"kept = b'x' * ({megabytes} * 10**6); print('r', flush=True); input()"
        with Popen([sys.executable, "-I", "-c", line], stdin=PIPE, stdout=PIPE) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            process.stdout.readline()
            weights.append(together({"it": process.pid})["it"])
            process.stdin.write(b"\n")
            process.stdin.close()
            process.stdout.read()
    assert weights[1] - weights[0] == pytest.approx(10, abs=1)
