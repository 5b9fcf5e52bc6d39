"""Where the data directory is, when nothing says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from wirken.config.paths import data_dir


def test_home_names_the_data_directory_where_nothing_else_does() -> None:
    assert str(data_dir({"HOME": "/home/somebody"})) == "/home/somebody/.wirken"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a uid without a home")
def test_a_user_without_a_home_is_told_what_to_set() -> None:
    program = (
        "import os; from wirken.config.paths import NoHome, data_dir\n"
        "os.setgid(54321); os.setuid(54321)\n"
        "try: data_dir({})\n"
        "except NoHome as error: print(error.advice)"
    )
    environ = {name: value for name, value in os.environ.items() if name != "HOME"}
    said = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert "WIRKEN_DATA_DIR" in said.stdout
