from __future__ import annotations

import os
from pathlib import Path

from wirken.runner.masks import EMPTY, HIDDEN, READ_ONLY, masks


def test_what_the_kernel_has_is_covered_and_nothing_else(tmp_path: Path) -> None:
    for name in ("kcore", "keys", "cpuinfo"):
        (tmp_path / name).touch()
    for name in ("acpi", "sys", "tty"):
        (tmp_path / name).mkdir()
    assert masks(tmp_path, Path("/nothing")) == (
        *("--ro-bind", "/dev/null", "/proc/kcore"),
        *("--ro-bind", "/dev/null", "/proc/keys"),
        *("--ro-bind", "/nothing", "/proc/acpi"),
        *("--ro-bind", "/proc/sys", "/proc/sys"),
    )


def test_what_we_could_not_open_ourselves_needs_no_mask(tmp_path: Path) -> None:
    for name, mode in (("slabinfo", 0o000), ("keys", 0o200), ("kmsg", 0o400)):
        (tmp_path / name).touch(mode)
    covered = {word.rpartition("/")[2] for word in masks(tmp_path, Path("/nothing")) if word.startswith("/proc/")}
    assert covered == ({"slabinfo", "keys", "kmsg"} if os.geteuid() == 0 else {"keys", "kmsg"})


def test_a_machine_without_them_needs_no_masks(tmp_path: Path) -> None:
    assert masks(tmp_path, Path("/nothing")) == ()


def test_no_name_is_masked_in_two_ways_and_what_programs_need_stays() -> None:
    names = [*HIDDEN, *EMPTY, *READ_ONLY]
    assert len(set(names)) == len(names)
    assert not {"self", "cpuinfo", "meminfo", "stat", "mounts", "filesystems", "net", "version"} & set(names)
