"""Names that commonly hold a credential, in folders outside: covered, unless a call named them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.domain.actions import Outside
from wirken.runner import hiding, steering
from wirken.runner.sandbox import Command, Opened
from wirken.runner.steering import Unguarded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "a",
        ".env",
        ".env.local",
        ".AWS/credentials/x",
        "sub/ID_RSA",
        "sub/.git/config",
        "sub/server.pem",
        "x/b",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "wallet.dat").symlink_to("sub/plain")
    (tmp_path / "sub" / "plain").write_text("x")
    return tmp_path


def command(folder: Path, *paths: str, opened: tuple[Opened, ...] = ()) -> Command:
    mounts = tuple(Outside(str(folder / path)) for path in paths)
    return Command(("true",), "/w", outside=mounts, opened=opened)


def hidden(folder: Path, one: Command) -> set[str]:
    return {str(Path(each.path).relative_to(folder)) for each in hiding.credentials(one)}


ALL = {".env", ".env.local", ".AWS", "sub/ID_RSA", "sub/server.pem", "sub/plain"}


def test_names_count_at_any_depth_and_in_any_case_and_links_by_where_they_lead(folder: Path) -> None:
    assert hidden(folder, command(folder, ".")) == ALL


def test_a_path_that_was_given_itself_is_shown_and_its_folder_leads_there(folder: Path) -> None:
    assert hidden(folder, command(folder, ".", "sub/ID_RSA")) == ALL - {"sub/ID_RSA"}
    found = hiding.credentials(command(folder, ".", ".AWS/credentials/x"))
    assert {Path(one.path).name for one in found if one.leads} == {".AWS"}


def test_a_file_that_is_given_is_no_folder_to_look_through(folder: Path) -> None:
    assert hidden(folder, command(folder, "sub/ID_RSA", "a")) == set()


def test_of_a_folder_around_names_only_these_are_looked_through_unless_all_is_shown(folder: Path) -> None:
    names = frozenset({"sub", ".env", "none"})
    assert hidden(folder, command(folder, ".", opened=(Opened(str(folder), names, shown=False),))) == {
        "sub/ID_RSA",
        "sub/server.pem",
    }
    assert hidden(folder, command(folder, ".", opened=(Opened(str(folder), names, shown=True),))) == ALL - {".env"}


def test_what_is_hidden_is_not_kept_as_well_but_what_is_shown_in_there_is(folder: Path) -> None:
    (folder / "sub" / ".npmrc").write_text("x")
    one = command(folder, ".", ".AWS/credentials")
    one = one._replace(hidden=hiding.credentials(one))
    seen = hiding.visible(steering.found(str(folder)), str(folder), one)
    assert set(seen) == {"sub/.git"}
    mounts = [each.path for each in one.outside]
    assert hiding.is_hidden(f"{folder}/.AWS/other", one.hidden, mounts)
    assert not hiding.is_hidden(f"{folder}/.AWS/credentials/y", one.hidden, mounts)


def test_as_many_as_the_limit_are_hidden_and_with_more_nothing_is_run(tmp_path: Path) -> None:
    for number in range(limits.STEERING_KEPT):
        (tmp_path / f"{number}.key").touch()
    found = hiding.credentials(command(tmp_path, "."))
    assert len(found) == limits.STEERING_KEPT
    assert f"and {limits.STEERING_KEPT - limits.STEERING_TOLD} more]" in hiding.told(found)
    assert hiding.told(()) == ""
    (tmp_path / "one.key").touch()
    with pytest.raises(Unguarded):
        hiding.credentials(command(tmp_path, "."))
