from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.support.calls import argv, call, command, decided
from tests.support.programs import SomePrograms

from wirken.domain import limits
from wirken.domain.actions import Allowed, NeedsApproval, Outside, Place, Tier, Verdict
from wirken.domain.ids import ActionKey
from wirken.permissions.decide import Granted, classify
from wirken.permissions.findings import Classified
from wirken.permissions.gates import GATES
from wirken.permissions.keys import DYNAMIC_KEY, may_be_granted, may_be_remembered
from wirken.permissions.rules import HIGH_RISK

anything = st.text(st.characters())
TOOLS = ["read_file", "write_file", "list_files", "exec", "unknown"]
SOON = 5.0
"""Seconds for a call of a quarter of a megabyte, which takes 0.2 s here."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | anything, lambda inner: st.lists(inner, max_size=3), max_leaves=4
)
arguments = st.one_of(
    anything,
    st.dictionaries(st.sampled_from(["path", "command", "argv", "content", "other"]), values).map(json.dumps),
)


ANY = settings(deadline=None)  # the first command loads the second reader


def granted(key: ActionKey) -> bool:
    return True


def nothing_granted(key: ActionKey) -> bool:
    return False


# --- always an answer ---------------------------------------------------------------------------------


@given(st.sampled_from(TOOLS) | anything, arguments)
@ANY
def test_any_call_gets_an_answer_with_a_key_and_a_reason(tool: str, text: str) -> None:
    one = call(tool, text)
    found = classify(one)
    assert found.keys
    assert found.reasons or found.tier is Tier.ONE
    for grants in (granted, nothing_granted):
        verdict: Verdict = decided(one, GATES, grants)
        assert verdict.tier is found.tier
        assert verdict.keys == found.keys


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "5", '"x"', "{", "[" * 100_000, "9" * 5000, '{"path":' * 50_000, "\ud800"]
)
def test_arguments_that_are_no_object_are_tier_3(text: str) -> None:
    for tool in TOOLS:
        assert classify(call(tool, text)).tier is Tier.THREE


@pytest.mark.parametrize("piece", ["a ", "''", '"a" ', "a=b,c:d@e ", "../", "-o.env ", "\\", "🐈"])
def test_the_longest_calls_are_judged_in_bounded_time(piece: str) -> None:
    text = piece * (262_144 // len(piece))
    started = time.perf_counter()
    for one in (command(text), argv(text), argv("ls", text), call("read_file", json.dumps({"path": text}))):
        classify(one)
    assert time.perf_counter() - started < SOON


# --- tiers --------------------------------------------------------------------------------------------


@given(arguments)
@ANY
def test_an_unknown_tool_is_always_tier_3(text: str) -> None:
    found = classify(call("summon", text))
    assert (found.tier, found.keys) == (Tier.THREE, ("tool:summon",))


@given(anything)
@ANY
def test_a_command_is_never_tier_1(text: str) -> None:
    assert classify(command(text)).tier is not Tier.ONE


@given(st.lists(anything, min_size=1, max_size=4))
@ANY
def test_an_argv_is_never_tier_1(words: list[str]) -> None:
    assert classify(argv(*words)).tier is not Tier.ONE


@given(st.sampled_from(sorted(HIGH_RISK)), st.lists(anything, max_size=3), st.sampled_from(["", "/usr/bin/", "./"]))
@ANY
def test_a_high_risk_program_is_tier_3_whatever_follows_it(name: str, rest: list[str], folder: str) -> None:
    for spelled in (name, name.upper(), name.capitalize()):
        found = classify(argv(folder + spelled, *rest))
        assert found.tier is Tier.THREE
        assert f"shell:{name}" in found.keys


TIERED = st.sampled_from(
    "ls cat rm curl git python env find sh mv awk touch echo sudo make /usr/bin/wc ./x /usr/bin/nc".split()
)
ARGUMENT = st.sampled_from(
    "a notes.txt .env AGENTS.md .git/config x=.ssh/id_rsa -o.env ../x /etc/passwd --f=.envrc".split()
)
QUOTE = st.sampled_from(["{}", "'{}'", '"{}"', "{}''", '""{}'])


@given(TIERED, st.lists(ARGUMENT, max_size=3), st.data())
@ANY
def test_no_quoting_lowers_a_tier_or_changes_a_key(name: str, rest: list[str], data: st.DataObject) -> None:
    plain = classify(command(" ".join([name, *rest])))
    quoted = classify(command(" ".join(data.draw(QUOTE).format(word) for word in [name, *rest])))
    by_argv = classify(argv(name, *rest))
    assert plain == quoted == by_argv


@given(TIERED, st.lists(ARGUMENT, max_size=3))
@ANY
def test_no_capitals_lower_a_tier(name: str, rest: list[str]) -> None:
    plain = classify(argv(name, *rest))
    for changed in (argv(name.upper(), *rest), argv(name, *(word.upper() for word in rest))):
        assert classify(changed).tier.rank >= plain.tier.rank


@given(TIERED, st.lists(ARGUMENT, max_size=3), st.sampled_from(["./", "../", "/tmp/", "/usr/bin/", "a/"]))
@ANY
def test_no_path_lowers_a_tier_or_borrows_an_installed_programs_key(name: str, rest: list[str], folder: str) -> None:
    bare = name.rsplit("/", 1)[-1]
    plain, found = classify(argv(bare, *rest)), classify(argv(folder + bare, *rest))
    assert found.tier.rank >= plain.tier.rank
    if folder != "/usr/bin/" and found.tier is Tier.TWO:
        assert found.keys != plain.keys


def test_a_file_of_the_workspace_is_not_served_by_the_grant_of_an_installed_program() -> None:
    grants = {"shell:ls"}
    assert isinstance(decided(argv("ls"), GATES, grants.__contains__), Allowed)
    assert isinstance(decided(argv("/usr/bin/ls"), GATES, grants.__contains__), Allowed)
    for own in ("./ls", "/workspace/ls", "a/ls", "/tmp/ls"):
        assert isinstance(decided(argv(own), GATES, grants.__contains__), NeedsApproval)


@given(st.sampled_from(["AGENTS.md", "skills/x", ".git/hooks/x", ".envrc", ".vscode/tasks.json", "Makefile"]))
@ANY
def test_what_steers_may_be_read_and_not_written_without_a_yes(path: str) -> None:
    text = json.dumps({"path": path, "content": ""})
    assert classify(call("write_file", text)).tier is Tier.THREE
    assert classify(call("read_file", json.dumps({"path": path}))).tier is Tier.ONE
    assert classify(argv("tee", path)).tier is Tier.THREE
    assert classify(argv("cat", path)).tier is Tier.TWO


@pytest.mark.parametrize(
    "path", [".env", ".ssh/id_rsa", "/root/.aws/credentials", "../../.netrc", "x.pem", ".git-credentials"]
)
@pytest.mark.parametrize("form", ["{}", "--file={}", "-f{}", "a,{}", "a:{}", "@{}", "x={}"])
def test_a_command_that_names_a_credential_is_tier_3(path: str, form: str) -> None:
    for name in ("cat", "ls", "python", "./own"):
        assert classify(argv(name, form.format(path))).tier is Tier.THREE


def test_reasons_say_what_a_yes_would_mean() -> None:
    assert "any code" in classify(argv("python", "x.py")).reasons[0]
    assert "any code" in classify(argv("./build.sh")).reasons[0]
    assert "high-risk" in classify(argv("curl")).reasons[0]
    assert "removes" in classify(command("ls; rm x")).reasons[0]
    assert classify(command("$x")).keys == (DYNAMIC_KEY,)


def test_reasons_are_told_once_the_weightiest_first_and_not_without_end() -> None:
    many = classify(command("; ".join(f"a{number}" for number in range(100)) + "; rm x"))
    assert "removes" in many.reasons[0]
    assert len(many.reasons) == limits.REASONS + 1
    assert "more" in many.reasons[-1]
    assert len(many.keys) == 101


@pytest.mark.parametrize(
    "reaches",
    [
        Place("/work", "bubblewrap", read_only=("/srv",)),
        Place("/work", "bubblewrap", network="ask"),
        Place("/work", "bubblewrap", hosts=("example.com",)),
        Place("/work", "bubblewrap", outside=(Outside("/srv/x"),)),
    ],
)
def test_any_code_is_tier_3_where_the_sandbox_reaches_more_than_the_workspace(reaches: Place) -> None:
    for name in ("python", "make", "./x", "awk", "a-program-of-tomorrow"):
        one = argv(name, "x")
        assert classify(one).tier is Tier.TWO
        beyond = classify(structs.replace(one, place=reaches))
        assert beyond.tier is Tier.THREE
        assert "more than the workspace" in beyond.reasons[0]


def test_the_profile_and_the_machines_programs_are_arguments() -> None:
    assert classify(command("python x"), "strict", SomePrograms()).tier is Tier.THREE
    assert classify(command("ls x"), "strict", SomePrograms()).tier is Tier.TWO
    assert classify(command("fetch x"), "standard", SomePrograms()).keys == ("shell:fetch", "shell:curl")
    assert isinstance(decided(command("ls | wc"), GATES, granted, "strict"), NeedsApproval)
    assert isinstance(decided(command("ls | wc"), GATES, granted, "standard"), Allowed)


# --- grants -------------------------------------------------------------------------------------------


@given(st.sampled_from(TOOLS), arguments)
@example("read_file", '{"path":"\\u0000"}')
@ANY
def test_a_grant_never_serves_tier_3_and_only_tier_2_is_ever_served_by_one(tool: str, text: str) -> None:
    one = call(tool, text)
    verdict = decided(one, (), granted)
    match classify(one).tier:
        case Tier.THREE:
            assert isinstance(verdict, NeedsApproval)
        case Tier.TWO:
            storable = all(map(may_be_granted, verdict.keys))  # a path with NUL, say, is no key that is ever stored
            if storable:
                assert verdict == Allowed(Tier.TWO, verdict.keys, "grant")
            else:
                assert isinstance(verdict, NeedsApproval)
        case Tier.ONE:
            assert verdict == decided(one, (), nothing_granted) == Allowed(Tier.ONE, verdict.keys, "tier1")


@given(st.sampled_from(TOOLS), arguments)
@ANY
def test_a_key_that_may_be_remembered_belongs_to_no_tier_3_call_by_its_verb(tool: str, text: str) -> None:
    """What a stored grant can name never makes a Tier 3 call pass."""
    one = call(tool, text)
    verdict = decided(one, (), lambda key: may_be_remembered(key))
    assert not (classify(one).tier is Tier.THREE and isinstance(verdict, Allowed))


def test_a_grant_is_asked_for_with_the_calls_own_keys_and_all_of_them() -> None:
    looked_up: list[str] = []

    def looks(key: ActionKey) -> bool:
        looked_up.append(key)
        return True

    decided(argv("ls", "-la"), GATES, looks)
    assert looked_up == ["shell:ls"]
    two = Classified(Tier.TWO, (ActionKey("a"), ActionKey("b")))
    assert not all(map({"a"}.__contains__, two.keys))


def test_one_holders_grant_is_not_anothers() -> None:
    """`granted` speaks for one agent, principal and channel; nothing in the decision widens it."""
    grants = {("owner", "shell:ls")}

    def grants_of(principal: str) -> Granted:
        return lambda key: (principal, key) in grants

    assert isinstance(decided(argv("ls"), GATES, grants_of("owner")), Allowed)
    assert isinstance(decided(argv("ls"), GATES, grants_of("guest")), NeedsApproval)


def test_without_a_grant_tier_2_asks_and_tells_the_reasons() -> None:
    verdict = decided(argv("ls"), GATES, nothing_granted)
    assert isinstance(verdict, NeedsApproval)
    assert (verdict.tier, verdict.keys) == (Tier.TWO, ("shell:ls",))
    assert verdict.reasons


def test_a_program_that_is_in_no_table_is_asked_about_as_one_that_may_run_any_code() -> None:
    assert "may run any code" in classify(command("unheard-of --config alias.x='!y' x")).reasons[0]
    assert "may run any code" not in " ".join(classify(command("cp a b; mkdir c; f() (cd d); ls | sort")).reasons)


def test_a_program_with_options_that_run_code_has_another_key_with_them_so_that_no_lasting_yes_covers_both() -> None:
    packs, runs = classify(command("tar cf x.tar .")), classify(command("tar cf x.tar --to-command=x"))
    assert (packs.keys, runs.keys) == (("shell:tar",), ("shell:tar+code",))
    assert "any code" in " ".join(runs.reasons) and "any code" not in " ".join(packs.reasons)
    granted = decided(command("tar cf x.tar --to-command=x"), GATES, lambda key: key == "shell:tar")
    assert isinstance(granted, NeedsApproval)


def test_what_schedules_says_so() -> None:
    for name in ("at", "batch", "crontab"):
        found = classify(argv(name, "now"))
        assert found.tier is Tier.THREE
        assert "schedules" in found.reasons[0], name
