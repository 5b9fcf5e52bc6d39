"""Which paths outside the workspace a call is given."""

from __future__ import annotations

import json

import pytest
from hypothesis import given as with_any
from hypothesis import settings
from hypothesis import strategies as st
from tests.support.calls import call

from wirken.domain import limits
from wirken.domain.actions import Outside, Tier
from wirken.permissions.decide import classify
from wirken.permissions.findings import Judged
from wirken.permissions.reach import judged, not_given

ROOTS = ("/home/me", "/srv/data")
texts = st.text(st.characters()) | st.dictionaries(
    st.sampled_from(["path", "command"]),
    st.text(st.characters()) | st.sampled_from(["/home/me/a", "python /srv/data/x", "cat /home/me/b > /home/me/c"]),
).map(json.dumps)


def given(command: str) -> dict[str, bool]:
    placed = judged(call("exec", json.dumps({"command": command})), ROOTS).call
    return {path.path: path.writable for path in placed.place.outside}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cat /home/me/notes", {"/home/me/notes": False}),
        ("cat /home/me/a /srv/data/b", {"/home/me/a": False, "/srv/data/b": False}),
        ("echo x > /home/me/notes", {"/home/me/notes": True}),
        ("cat < /home/me/a > /home/me/a", {"/home/me/a": True}),
        ("cp /home/me/a /home/me/b", {"/home/me/a": False, "/home/me/b": True}),
        ("tee /home/me/a /srv/data/b", {"/home/me/a": True, "/srv/data/b": True}),
        ("nohup tee -a /home/me/a", {"/home/me/a": True}),
        ("sort -o /home/me/a b", {"/home/me/a": True}),
        ("grep --file=/home/me/pattern x", {"/home/me/pattern": False}),
        ("cat /home/me/../you/notes", {}),
        ("cat /home/you/notes", {}),
        ("cat /home/mel/notes", {}),
        ("cat /etc/passwd /usr/share/x /proc/1/environ /dev/sda", {}),
        ("cat /home/me/*", {}),
        ("cat $HOME/notes", {}),
        ("cat notes ../x /tmp/y", {}),
        ("cat " + " ".join(f"/home/me/{n}" for n in range(limits.OUTSIDE_PATHS + 1)), {}),
    ],
)
def test_a_call_is_given_what_it_names_plainly_below_the_roots(command: str, expected: dict[str, bool]) -> None:
    assert given(command) == expected


def test_as_many_paths_as_the_limit_are_given() -> None:
    names = [f"/home/me/{n}" for n in range(limits.OUTSIDE_PATHS)]
    assert list(given("cat " + " ".join(names))) == names


def test_without_roots_nothing_is_given() -> None:
    one = call("read_file", '{"path":"/home/me/notes"}')
    assert judged(one, ()) == Judged(one, classify(one))


def test_a_path_that_is_no_plain_one_is_not_given_to_a_file_tool() -> None:
    for path in ("/home/me/../me/x", "/home/me/./x", "/home/me//x", "/home/me/x/", "/home/me/*", "//home/me/x"):
        one = call("read_file", json.dumps({"path": path}))
        assert judged(one, ROOTS).call.place.outside == (), path


def test_an_interpreter_that_reaches_outside_is_asked_for_every_time() -> None:
    one = call("exec", '{"argv":["python3","a.py","/home/me/data"]}')
    assert classify(one).tier is Tier.TWO
    placed = judged(one, ROOTS)
    assert placed.call.place.outside == (Outside("/home/me/data"),)
    assert placed.found.tier is Tier.THREE


@with_any(
    st.sampled_from(["exec", "read_file", "write_file", "list_files", "other"]), texts, st.sampled_from([(), ROOTS])
)
@settings(deadline=None)
def test_what_is_handed_over_is_what_is_found_about_the_call_as_it_was_placed(
    tool: str, text: str, roots: tuple[str, ...]
) -> None:
    placed = judged(call(tool, text), roots, "strict")
    assert placed.found == classify(placed.call, "strict")


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("rm /home/me/*.o", ("/home/me/*.o",)),
        ("cat /home/me/$x /home/me/a", ("/home/me/*",)),
        ("cat /home/me/a /home/you/b", ("/home/you/b",)),
        ("cat /home/me/a /etc/passwd /usr/share/x notes /tmp/y", ()),
        ("mkdir /home/me/a; touch /home/me/a/b", ()),
        ("cat " + " ".join(f"/home/me/{n}" for n in range(4)), tuple(f"/home/me/{n}" for n in range(4))),
        ("echo /home/you/b", ()),
    ],
)
def test_it_is_known_what_a_command_names_and_does_not_get(command: str, missing: tuple[str, ...]) -> None:
    assert not_given(judged(call("exec", json.dumps({"command": command})), ROOTS).call) == missing
    assert not_given(call("read_file", '{"path":"/home/you/b"}')) == ()
