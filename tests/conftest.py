"""Fixtures that every test can ask for."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.support.channel_contract", "tests.support.channel_bench")
pytest_plugins = ["tests.support.engine"]
