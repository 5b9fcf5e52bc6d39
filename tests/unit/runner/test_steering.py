"""Files that steer the person's tools: found in a workspace, kept from a real command, told when they appear."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from tests.support.runner_client import Client
from tests.support.walled import service_ids

from wirken.domain import limits
from wirken.domain.steering import is_kept, steers
from wirken.runner import files, steering
from wirken.runner.locate import FileFailure, locate
from wirken.runner.steering import Unguarded


def write(place: Path, text: str = "old\n") -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def given(client: Client, *paths: str) -> None:
    """Make the workspace empty but for these files, all the service user's."""
    for folder, folders, names in os.walk(client.workspace, topdown=False):
        for name in names:
            Path(folder, name).unlink()
        for name in folders:
            (Path(folder, name).unlink if Path(folder, name).is_symlink() else Path(folder, name).rmdir)()
    for path in paths:
        place = write(client.workspace / path)
        for one in (place, *place.parents):
            if one != client.workspace and one.is_relative_to(client.workspace):
                os.chown(one, *service_ids())


# --- looking ------------------------------------------------------------------------------------------------


def test_names_count_whatever_their_case_and_build_files_are_left_to_builds() -> None:
    assert all(map(is_kept, (".git", ".GIT", "AGENTS.md", "agents.MD", ".envrc", ".mcp.json", "skills", "Soul.md")))
    assert not any(map(is_kept, ("Makefile", "gnumakefile", "git", "README.md", ".gitignore", "agents.md.bak")))
    assert steers(["a", "HEAD"]) and not is_kept("HEAD"), "as such only where it makes a repository"
    assert steers(["a", "Makefile"]) and steers([".git", "x"]) and not steers(["Makefile", "x"])


def test_what_steers_is_found_at_any_depth_but_not_inside_what_steers_or_among_packages(tmp_path: Path) -> None:
    for path in (".git/hooks/x", "AGENTS.md", "a/b/.envrc", "a/.vscode/tasks.json", "node_modules/p/.npmrc", "a/ok"):
        write(tmp_path / path)
    seen = steering.found(str(tmp_path))
    assert set(seen) == {".git", "AGENTS.md", "a/b/.envrc", "a/.vscode"}
    assert steering.mountable(seen) == (".git", "AGENTS.md", "a/.vscode", "a/b/.envrc")


def test_a_link_is_seen_as_itself_and_where_it_leads_in_the_workspace_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "ws"
    write(folder / "docs/rules.md")
    write(tmp_path / "secret")
    for name, target in {"AGENTS.md": "docs/rules.md", "CLAUDE.md": "../secret", ".git": "gone", "skills": "."}.items():
        (folder / name).symlink_to(target)
    seen = steering.found(str(folder))
    assert set(seen) == {"AGENTS.md", "CLAUDE.md", ".git", "skills", "docs/rules.md"}
    assert steering.mountable(seen) == ("docs/rules.md",)


def test_new_changed_and_replaced_ones_are_told_and_untouched_ones_are_not(tmp_path: Path) -> None:
    for path in ("AGENTS.md", "SOUL.md", "USER.md", ".git/config", ".vscode/x"):
        write(tmp_path / path)
    before = steering.found(str(tmp_path))
    assert steering.told(steering.appeared(before, steering.found(str(tmp_path)))) == ""
    write(tmp_path / "SOUL.md", "longer than before\n")
    (tmp_path / "USER.md").rename(tmp_path / "kept")
    write(tmp_path / "USER.md")
    write(tmp_path / "sub/\x1b[2J/.envrc")
    write(tmp_path / ".git/config", "folders are kept by their mount\n")
    (tmp_path / ".vscode/x").unlink()
    (tmp_path / ".vscode").rmdir()
    now = steering.appeared(before, steering.found(str(tmp_path)))
    assert now == ("SOUL.md", "USER.md", "sub/\x1b[2J/.envrc")
    assert "\x1b" not in steering.told(now) and "SOUL.md, USER.md, sub/" in steering.told(now)


def test_what_was_moved_to_where_nobody_looks_is_told(tmp_path: Path) -> None:
    for path in ("sub/.git/config", "moved/.envrc", "AGENTS.md"):
        write(tmp_path / path)
    before = steering.found(str(tmp_path))
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "sub").rename(tmp_path / "node_modules/sub")
    (tmp_path / "moved").rename(tmp_path / "elsewhere")
    after = steering.found(str(tmp_path))
    assert steering.gone(before, after) == ("sub/.git",)
    assert steering.told((), steering.gone(before, after)).endswith("could change it: sub/.git]")
    assert steering.told(("a",), ("b",)).count("\n") == 1


def test_a_folder_beyond_the_longest_path_is_not_passed_over(tmp_path: Path) -> None:
    """A command makes such folders step by step, and would change what lies in them."""
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for name in ("d" * 255,) * 15:
            os.mkdir(name, dir_fd=here)
            above, here = here, os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(above)
        assert steering.found(str(tmp_path)) == {}, "15 * 255 bytes and 14 slashes are 3839"
        os.mkdir(".git", dir_fd=here)
        assert len(steering.found(str(tmp_path))) == 1
        os.mkdir("e", dir_fd=here)
        with pytest.raises(Unguarded, match="too deep"):
            steering.found(str(tmp_path))
    finally:
        os.close(here)


def test_what_git_would_obey_in_a_bare_repository_is_seen_whatever_its_name(tmp_path: Path) -> None:
    for path in (
        "HEAD",
        "config",
        "hooks/x",
        "objects/x",
        "refs/x",
        "plain/HEAD",
        "plain/config",
        "sub/HEAD",
        "sub/refs/x",
    ):
        write(tmp_path / path)
    assert set(steering.found(str(tmp_path))) == {"HEAD", "config", "hooks"}
    write(tmp_path / "sub/objects")
    write(tmp_path / "sub/commondir")
    assert {"sub/HEAD", "sub/commondir"} < set(steering.found(str(tmp_path)))


def test_a_long_list_is_cut() -> None:
    names = tuple(map(str, range(limits.STEERING_TOLD + 3)))
    assert steering.told(names).endswith("8, 9 and 3 more]")
    assert "more" not in steering.told(names[: limits.STEERING_TOLD])


def test_more_than_can_be_kept_is_refused(tmp_path: Path) -> None:
    for number in range(limits.STEERING_KEPT):
        write(tmp_path / str(number) / ".envrc")
    assert len(steering.found(str(tmp_path))) == limits.STEERING_KEPT
    write(tmp_path / "one/more/.envrc")
    with pytest.raises(Unguarded, match="more than 512"):
        steering.found(str(tmp_path))


def test_a_workspace_too_large_to_look_at_is_refused(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path / f"{number % 3}/{number}")
    assert steering.found(str(tmp_path), 13) == {}
    with pytest.raises(Unguarded, match="more than 12 files"):
        steering.found(str(tmp_path), 12)


def test_a_folder_that_its_owner_closed_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "closed/.git/config")
    (tmp_path / "closed").chmod(0)
    if os.geteuid() == 0:  # root may look, as the runner never could
        assert set(steering.found(str(tmp_path))) == {"closed/.git"}
    else:
        with pytest.raises(Unguarded, match="closed"):
            steering.found(str(tmp_path))
    (tmp_path / "closed").chmod(0o755)


@pytest.mark.parametrize("path", ["plain", "folder/pre-commit", "made/deep", "deep/AGENTS.md"])
def test_a_file_tool_does_not_write_through_a_link_what_it_may_not_name(tmp_path: Path, path: str) -> None:
    write(tmp_path / ".git/hooks/pre-commit")
    (tmp_path / "plain").symlink_to(".git/hooks/post-commit")
    (tmp_path / "folder").symlink_to(".git/hooks")
    (tmp_path / "made").symlink_to(".vscode")
    (tmp_path / ".vscode").mkdir()
    numbers = itertools.count()
    where = locate(path, str(tmp_path), ())
    with pytest.raises(FileFailure, match="steers") as refused:
        files.write_file(where, "x", lambda: str(next(numbers)))
    assert refused.value.outcome == "denied"
    assert (tmp_path / ".git/hooks/pre-commit").read_text() == "old\n"
    files.write_file(where, "x", lambda: str(next(numbers)), steering=True)


# --- attacks in a real sandbox ------------------------------------------------------------------------------

ATTACKS = {
    "write a hook": "echo bad > .git/hooks/pre-commit",
    "add a hook": "echo bad > .git/hooks/post-commit",
    "add a folder of hooks": "mkdir .git/hooks2",
    "change the configuration": "echo '[core]hooksPath=/tmp' >> .git/config",
    "remove": "rm -rf .git",
    "move away and make anew": "mv .git away; mkdir -p .git/hooks; echo bad > .git/hooks/pre-commit",
    "exchange": "mkdir other; mv -T --exchange .git other || mv --exchange .git other",
    "by a link": "ln -s .git/hooks link; echo bad > link/pre-commit",
    "by a hard link": "ln .git/config link; echo bad > link",
    "by a bind of the shell": "cd .git/hooks; echo bad > pre-commit",
    "by a descriptor": "exec 9>>.git/config; echo bad >&9",
    "by chmod": "chmod 777 .git/config .git; echo bad > .git/config",
    "by the parent": "mv sub moved; echo bad > moved/.git/config",
    "by unmounting": "umount .git; umount -l .git; echo bad > .git/config",
    "by remounting": "mount -o remount,rw .git; echo bad > .git/config",
    "by /proc": "echo bad > /proc/1/root/workspace/.git/config; echo bad > /proc/self/cwd/.git/config",
    "a file": "echo bad > AGENTS.md; cp /etc/passwd AGENTS.md; mv /etc/passwd AGENTS.md; sed -i s/old/bad/ AGENTS.md",
    "truncate": "truncate -s 0 AGENTS.md; : > sub/.envrc",
    "replace a file": "echo bad > new; mv -f new AGENTS.md; mv -f new sub/.envrc; ln -sf new AGENTS.md",
    "in its own case": "echo bad > .GIT/config",
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_command_does_not_change_what_steers(sandbox: Client, attack: str) -> None:
    kept = (".git/config", ".git/hooks/pre-commit", "AGENTS.md", "sub/.envrc", "sub/.git/config", ".vscode/tasks.json")
    given(sandbox, *kept)
    before = {path: (sandbox.workspace / path).stat().st_ino for path in kept}
    sandbox.sh(attack)
    moved = sandbox.workspace / "moved"
    if moved.exists():
        moved.rename(sandbox.workspace / "sub")
    for path in kept:
        assert (sandbox.workspace / path).read_text() == "old\n", path
        assert (sandbox.workspace / path).stat().st_ino == before[path], path
    assert sorted(path.name for path in (sandbox.workspace / ".git/hooks").iterdir()) == ["pre-commit"]


@pytest.mark.slow
def test_a_command_that_was_asked_about_it_may(sandbox: Client) -> None:
    given(sandbox, ".git/config", "AGENTS.md")
    ran = sandbox.sh("echo new > .git/config; echo new > AGENTS.md; mkdir -p made/.git; echo done", steering=True)
    assert ran.output == "done\n"
    assert (sandbox.workspace / ".git/config").read_text() == (sandbox.workspace / "AGENTS.md").read_text() == "new\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack",
    [
        "mkdir -p sub/.git/hooks; echo bad > sub/.git/hooks/pre-commit",
        "git init -q sub || mkdir -p sub/.git",
        "echo bad > x; mkdir sub; ln x sub/.git",
        "mkdir sub; ln -s ../elsewhere sub/.git",
        "mkdir -p elsewhere/.git; mv elsewhere sub",
    ],
)
def test_what_was_not_there_before_is_told(sandbox: Client, attack: str) -> None:
    given(sandbox, "README")
    ran = sandbox.sh(attack)
    assert ran.output.endswith("own tools: sub/.git]"), ran.output
    assert "steer" not in sandbox.sh("true").output


@pytest.mark.slow
def test_a_parent_that_is_moved_away_and_replaced_is_told(sandbox: Client) -> None:
    given(sandbox, "sub/.git/config")
    ran = sandbox.sh("mv sub old; mkdir -p sub/.git; echo bad > sub/.git/config; echo bad > old/.git/config")
    assert ran.output.endswith("own tools: old/.git, sub/.git]"), ran.output
    assert (sandbox.workspace / "old/.git/config").read_text() == "old\n"


@pytest.mark.slow
def test_a_closed_folder_stops_the_next_command_before_it_starts(sandbox: Client) -> None:
    given(sandbox, "sub/.git/config")
    closed = sandbox.sh("chmod 000 sub")
    assert "is not known" in closed.output
    ran = sandbox.sh("chmod 700 sub; echo bad > sub/.git/config; echo ran")
    assert ran.outcome == "denied" and "not run" in ran.output
    (sandbox.workspace / "sub").chmod(0o755)
    assert (sandbox.workspace / "sub/.git/config").read_text() == "old\n"


@pytest.mark.slow
def test_nothing_is_left_in_a_folder_that_had_nothing(sandbox: Client) -> None:
    given(sandbox, "README")
    assert sandbox.sh("ls -A").output == "README\n"
    assert os.listdir(sandbox.workspace) == ["README"]


SWAPPER = """
import os
os.mkdir("trap") if not os.path.exists("trap") else None
while True:
    os.rename("sub", "away")
    os.symlink("trap", "sub")
    os.unlink("sub")
    os.rename("away", "sub")
"""


@pytest.mark.slow
def test_a_command_that_moves_folders_while_others_start_gains_nothing(sandbox: Client) -> None:
    """One command swaps a folder for a link; those that start meanwhile see it kept, or do not run."""
    given(sandbox, "sub/.git/config")
    swapper = sandbox.start("exec", argv=["/usr/bin/python3", "-c", SWAPPER], timeout=60)
    outcomes = []
    for number in range(100):
        tried = "for n in $(seq 200); do for d in sub away; do echo bad > $d/.git/config; done; done 2>/dev/null"
        ran = sandbox.sh(f"{tried}; echo {number}")
        outcomes.append(ran.outcome)
    sandbox.control(do="cancel", id=swapper)
    sandbox.answer(swapper)
    folder = next(sandbox.workspace / name for name in ("sub", "away") if (sandbox.workspace / name / ".git").exists())
    print(outcomes.count("ok"), outcomes.count("denied"))
    assert (folder / ".git/config").read_text() == "old\n"
