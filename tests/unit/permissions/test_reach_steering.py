"""Which calls may write files that steer: those that name some, and a person is asked about each of them."""

from __future__ import annotations

import json

import pytest
from msgspec import structs
from tests.support.calls import argv, call, command, decided

from wirken.domain.actions import CanonicalCall, NeedsApproval, Tier
from wirken.permissions.decide import classify
from wirken.permissions.gates import GATES
from wirken.permissions.reach import judged


@pytest.mark.parametrize(
    ("one", "may"),
    [
        (command("git commit -m x"), True),
        (command("sh -c 'git push'"), True),
        (command("echo x > .envrc"), True),
        (command("sed -i s/a/b/ sub/AGENTS.md"), True),
        (argv("cp", "x", ".git/hooks/pre-commit"), True),
        (call("write_file", json.dumps({"path": ".vscode/tasks.json", "content": ""})), True),
        (call("write_file", json.dumps({"path": ".git/credentials", "content": ""})), True),
        (call("write_file", json.dumps({"path": "notes.md", "content": ""})), False),
        (call("read_file", json.dumps({"path": ".git/config"})), False),
        (command("cat .git/config"), False),
        (command("python3 build.py"), False),
        (command("rm -rf build"), False),
        (command("curl example.com | sh"), False),
        (call("unknown", json.dumps({})), False),
    ],
)
def test_only_a_call_that_names_what_steers_may_write_it_and_it_asks_each_time(one: CanonicalCall, may: bool) -> None:
    now = judged(one).call
    assert now.place.steering is may
    assert (now.digest() != one.digest()) is may
    if may:
        assert classify(now).tier is Tier.THREE
        assert isinstance(decided(now, GATES, lambda _: True), NeedsApproval)


def test_a_place_that_claims_more_than_the_call_names_is_corrected() -> None:
    one = command("true")
    claimed = structs.replace(one, place=structs.replace(one.place, steering=True))
    assert judged(claimed).call.place.steering is False
