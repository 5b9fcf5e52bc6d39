"""Which paths outside the workspace a call is given."""

from __future__ import annotations

import json

import pytest
from tests.support.calls import call

from wirken.domain import limits
from wirken.domain.actions import Outside, Tier
from wirken.permissions.decide import classify
from wirken.permissions.reach import reaching

ROOTS = ("/home/me", "/srv/data")


def given(command: str) -> dict[str, bool]:
    placed = reaching(call("exec", json.dumps({"command": command})), ROOTS)
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
        ("sort -o /home/me/a b", {"/home/me/a": False}),
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
    assert reaching(one, ()) == one


def test_a_path_that_is_no_plain_one_is_not_given_to_a_file_tool() -> None:
    for path in ("/home/me/../me/x", "/home/me/./x", "/home/me//x", "/home/me/x/", "/home/me/*", "//home/me/x"):
        one = call("read_file", json.dumps({"path": path}))
        assert reaching(one, ROOTS).place.outside == (), path


def test_an_interpreter_that_reaches_outside_is_asked_for_every_time() -> None:
    one = call("exec", '{"argv":["python3","a.py","/home/me/data"]}')
    assert classify(one).tier is Tier.TWO
    placed = reaching(one, ROOTS)
    assert placed.place.outside == (Outside("/home/me/data"),)
    assert classify(placed).tier is Tier.THREE
