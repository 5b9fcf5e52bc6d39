from __future__ import annotations

from pathlib import Path

from wirken.domain import limits
from wirken.domain.actions import Outside
from wirken.domain.shown import shown_at
from wirken.runner.bubblewrap import Descriptors, HostRoot, options, prepare
from wirken.runner.granted import Certificates
from wirken.runner.sandbox import Bounds, Command, Hidden
from wirken.runner.steering import State

ROOT = HostRoot(
    Path("/tmp/etc"), ("--symlink", "usr/bin", "/bin"), Certificates((("/h/etc/ssl/certs", "/etc/ssl/certs"),), "")
)


def line(read_only: tuple[str, ...] = (), outside: tuple[Outside, ...] = (), kept: tuple[str, ...] = ()) -> list[str]:
    seen = {path: State(1, 2, 0, 0, 0o40755) for path in kept}
    command = Command(("true",), "/home/me/work", read_only, outside=outside, kept=seen)
    return options(ROOT, Bounds(), command, Descriptors(7, 8, 9))


def test_a_path_outside_is_shown_under_its_own_name_and_written_only_where_that_was_allowed() -> None:
    words = line(outside=(Outside("/data/a"), Outside("/data/b", writable=True)))
    assert words[words.index("/data/a") - 1 : words.index("/data/a") + 2] == ["--ro-bind", "/data/a", "/data/a"]
    assert words[words.index("/data/b") - 1 : words.index("/data/b") + 2] == ["--bind", "/data/b", "/data/b"]
    assert words.index("/data/b") < len(words) - 1 - words[::-1].index("--remount-ro")


def test_the_size_of_tmp_is_the_operators() -> None:
    words = options(ROOT, Bounds(tmp=2**20), Command(("true",), "/w"), Descriptors(7, 8, 9))
    assert [words[at + 1] for at, word in enumerate(words) if word == "--size"] == [str(2**20)] * 2


def test_every_namespace_is_new_and_none_is_optional() -> None:
    assert {word for word in line() if word.startswith("--unshare")} == {
        f"--unshare-{name}" for name in ("user", "pid", "ipc", "uts", "cgroup", "net")
    }


def test_nothing_is_writable_but_the_workspace_and_what_has_a_size() -> None:
    words = line(read_only=("/home/me/docs",))
    assert [words[at + 1 : at + 3] for at, word in enumerate(words) if word == "--bind"] == [
        ["/home/me/work", "/workspace"]
    ]
    for at, word in enumerate(words):
        if word == "--tmpfs":
            assert words[at - 2 : at] == ["--size", str(limits.EXEC_TMP)]
    assert words.index("--remount-ro", words.index("--bind")) > words.index("/readonly/1-docs")


def test_what_steers_is_mounted_read_only_over_itself_after_the_workspace() -> None:
    words = line(kept=(".git", "sub/AGENTS.md"))
    at = words.index("/home/me/work/.git")
    assert words[at - 1 : at + 5] == [
        *("--ro-bind", "/home/me/work/.git", "/workspace/.git"),
        *("--ro-bind", "/home/me/work/sub/AGENTS.md", "/workspace/sub/AGENTS.md"),
    ]
    assert words.index("--bind") < at < words.index("--remount-ro", at)
    assert words[-2:] == ["--seccomp", "9"]


def test_what_is_hidden_outside_is_covered_after_its_folder_and_before_what_is_shown_deeper() -> None:
    command = Command(
        ("true",),
        "/w",
        outside=(Outside("/d/way/in/a"), Outside("/d", writable=True)),
        hidden=(
            Hidden("/d/way", 1, 2, folder=True, leads=True),
            Hidden("/d/dir", 1, 3, folder=True),
            Hidden("/d/file", 1, 4, folder=False),
        ),
    )
    words = options(ROOT._replace(nothing="/hidden"), Bounds(), command, Descriptors(7, 8, 9))
    at = words.index("--bind", words.index("/workspace"))
    end = words.index("--remount-ro", at)
    assert words[at:end] == [
        *("--bind", "/d", "/d"),
        *("--ro-bind", "/hidden", "/d/dir"),
        *("--ro-bind", "/dev/null", "/d/file"),
        *("--perms", "0555", "--size", "65536", "--tmpfs", "/d/way"),
        *("--ro-bind", "/d/way/in/a", "/d/way/in/a"),
    ]
    assert words[end : end + 4] == ["--remount-ro", "/d/way", "--remount-ro", "/"]


def test_what_steers_in_a_folder_outside_is_mounted_over_itself_after_it() -> None:
    beside = (("/data/b", {".git": State(1, 2, 0, 0, 0o40755)}),)
    given = (Outside("/data/b", writable=True),)
    words = options(ROOT, Bounds(), Command(("true",), "/w", outside=given, beside=beside), Descriptors(7, 8, 9))
    at = words.index("/data/b/.git")
    assert words[at - 1 : at + 2] == ["--ro-bind", "/data/b/.git", "/data/b/.git"]
    assert words.index("/data/b") < at < words.index("--remount-ro", at)


def test_read_only_folders_are_numbered_so_that_equal_names_differ() -> None:
    assert shown_at(("/a/docs", "/b/docs", "/")) == (
        ("/a/docs", "/readonly/1-docs"),
        ("/b/docs", "/readonly/2-docs"),
        ("/", "/readonly/3-root"),
    )


def test_the_root_follows_the_hosts_layout_and_copies_nothing_personal(tmp_path: Path) -> None:
    host = tmp_path / "host"
    (host / "etc").mkdir(parents=True)
    (host / "usr/bin").mkdir(parents=True)
    (host / "bin").symlink_to("usr/bin")
    (host / "lib").mkdir()
    for name in ("passwd", "shadow", "hosts", "machine-id", "ld.so.cache"):
        (host / "etc" / name).write_text(f"the host's {name}")
    (tmp_path / "scratch").mkdir()
    root = prepare(tmp_path / "scratch", host)
    assert root.top == ("--symlink", "usr/bin", "/bin", "--ro-bind", "/lib", "/lib")
    taken = {path.name: path.read_text() for path in root.etc.iterdir() if path.is_file()}
    assert set(taken) == {"passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache"}
    assert [name for name, text in taken.items() if "the host's" in text] == ["ld.so.cache"]


def test_a_tool_root_gives_the_programs_and_the_host_the_time_of_day(tmp_path: Path) -> None:
    host, image = tmp_path / "host", tmp_path / "image"
    for place in (host, image):
        for name in ("etc/alternatives", "usr/bin", "lib64"):
            (place / name).mkdir(parents=True)
        for name in ("passwd", "ld.so.cache", "localtime"):
            (place / "etc" / name).write_text(f"{place.name}'s")
    (host / "bin").symlink_to("usr/bin")
    (image / "sbin").symlink_to("/elsewhere")
    (tmp_path / "scratch").mkdir()
    root = prepare(tmp_path / "scratch", host, str(image))
    assert (root.usr, root.alternatives) == (f"{image}/usr", f"{image}/etc/alternatives")
    assert root.top == ("--symlink", "/elsewhere", "/sbin", "--ro-bind", f"{image}/lib64", "/lib64")
    assert (root.etc / "ld.so.cache").read_text() == "image's"
    assert (root.etc / "localtime").read_text() == "host's"
    assert "image" not in (root.etc / "passwd").read_text()
    words = options(root, Bounds(), Command(("true",), "/w"), Descriptors(7, 8, 9))
    assert words[words.index("/usr") - 2 : words.index("/usr")] == ["--ro-bind", f"{image}/usr"]


def test_links_of_a_tool_root_are_never_followed_from_outside_the_sandbox(tmp_path: Path) -> None:
    image = tmp_path / "image"
    (image / "bin").mkdir(parents=True)
    (tmp_path / "host/etc/alternatives").mkdir(parents=True)
    (tmp_path / "host/etc/ld.so.cache").write_text("the host's")
    (image / "usr").symlink_to(tmp_path / "host")
    (image / "etc").symlink_to(tmp_path / "host/etc")
    (tmp_path / "scratch").mkdir()
    root = prepare(tmp_path / "scratch", tmp_path / "host", str(image))
    assert (root.usr, root.alternatives, root.top) == ("", "", ("--ro-bind", f"{image}/bin", "/bin"))
    assert not (root.etc / "ld.so.cache").exists()
    words = options(root, Bounds(), Command(("true",), "/w"), Descriptors(7, 8, 9))
    assert "/usr" not in words and "/etc/alternatives" not in words
