from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

CODE = """
import json, resource, sys
from wirken.domain.secret import Secret
from wirken.confine import process
from wirken.vault import hardening
process.give_up_privileges()  # root with capabilities is not held by the limit
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
everything = hardening.keep_all_from_swap()
secret = Secret(b"k" * 32)
kept = hardening.keep_from_swap(secret)
import ctypes
address = ctypes.addressof(ctypes.c_char.from_buffer(secret.view()))
flags, inside = [], False
for line in open("/proc/self/smaps"):
    head = line.split()[0]
    if "-" in head and not head.endswith(":"):
        low, high = (int(part, 16) for part in head.split("-"))
        inside = low <= address < high
    elif inside and line.startswith("VmFlags:"):
        flags = line.split(":")[1].split()
print(json.dumps([everything, kept, "lo" in flags, "dd" in flags]))
"""


def hardened(limit: int) -> list[bool]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", CODE, str(limit)], capture_output=True, text=True, timeout=30, check=True
    )
    found: list[bool] = json.loads(done.stdout)
    return found


def test_with_the_usual_limit_the_keys_page_is_locked_and_left_out_of_images() -> None:
    assert hardened(8 * 2**20) == [False, True, True, True]


def test_without_a_limit_everything_is_locked() -> None:
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY:
        pytest.skip("this machine limits locked memory; run the tests with `ulimit -l unlimited`")
    assert hardened(resource.RLIM_INFINITY) == [True, True, True, True]


def test_where_nothing_may_be_locked_that_is_said() -> None:
    assert hardened(0)[:2] == [False, False]
