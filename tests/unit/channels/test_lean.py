from __future__ import annotations

import subprocess
import sys

import pytest

from wirken.channels.lean import without


def test_an_optional_part_is_missing_within_the_block_only() -> None:
    sys.modules.pop("this", None)
    with without("this"), pytest.raises(ImportError):
        import this  # noqa: F401  # it must fail
    assert "this" not in sys.modules


def test_what_is_loaded_already_stays() -> None:
    before = sys.modules["json"]
    with without("json"):
        import json
    assert json is before and sys.modules["json"] is before


def test_telegrams_adapter_loads_no_command_line_and_no_passports() -> None:
    unwanted = ("rich", "click", "pygments", "cryptography")
    look = f"import wirken.channels.telegram, sys; print(*(name for name in {unwanted} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""


def test_slacks_adapter_loads_no_server_no_database_and_no_login_of_others() -> None:
    unwanted = (
        "aiohttp.web",
        "slack_sdk.oauth",
        "slack_sdk.socket_mode",
        "sqlite3",
        "cryptography",
        "aiodns",
        "brotli",
    )
    look = f"import wirken.channels.slack, sys; print(*(name for name in {unwanted} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""
