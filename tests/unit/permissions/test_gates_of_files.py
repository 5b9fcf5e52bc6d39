from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.support.calls import argv, call, decided

from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, Tier
from wirken.domain.ids import ActionKey
from wirken.permissions.decide import decide, denial
from wirken.permissions.gates import GATES, no_address, no_sandbox, outside_workspace, refuse_everything
from wirken.permissions.reach import judged

ANY = settings(deadline=None)
TOOLS = ["read_file", "write_file", "list_files", "exec", "unknown"]
arguments = st.text(st.characters()) | st.dictionaries(
    st.sampled_from(["path", "command", "argv", "content"]), st.text(st.characters())
).map(json.dumps)


def granted(key: ActionKey) -> bool:
    return True


def test_a_gate_refuses_what_any_grant_would_allow() -> None:
    outside = call("read_file", '{"path":"/etc/passwd"}')
    verdict = decided(outside, GATES, granted)
    assert isinstance(verdict, Denied)
    assert verdict.rule == "outside_workspace"
    assert verdict.said.startswith("Permission denied: 'read_file' was refused by rule 'outside_workspace'.")
    assert "`reach` under [sandbox]" in verdict.said


def test_a_file_tool_leaves_the_workspace_for_what_its_place_names() -> None:
    for tool, text, tier in (
        ("read_file", '{"path":"/home/me/notes"}', Tier.TWO),
        ("list_files", '{"path":"/home/me"}', Tier.TWO),
        ("write_file", '{"path":"/home/me/notes","content":""}', Tier.THREE),
    ):
        found = judged(call(tool, text), ("/home/me",))
        assert [path.writable for path in found.call.place.outside] == [tool == "write_file"]
        verdict = decide(found, GATES, lambda key: False)
        assert isinstance(verdict, NeedsApproval)
        assert verdict.tier is tier
        assert isinstance(decided(call(tool, text), GATES, granted, reach=("/home/you",)), Denied)


def test_without_a_sandbox_no_command_runs_and_files_still_work() -> None:
    for text in ('{"command":"ls"}', '{"argv":["ls"]}', '{"command":"rm x"}'):
        verdict = decided(call("exec", text, sandbox="none"), GATES, granted)
        assert isinstance(verdict, Denied)
        assert verdict.rule == "no_sandbox"
    assert isinstance(decided(call("read_file", '{"path":"a"}', sandbox="none"), GATES, granted), Allowed)


@given(st.sampled_from(TOOLS), arguments)
@ANY
def test_a_replay_runs_nothing(tool: str, text: str) -> None:
    assert isinstance(decided(call(tool, text), (refuse_everything,), granted), Denied)


def test_the_first_gate_that_refuses_decides() -> None:
    one = call("exec", '{"command":"ls"}', sandbox="none")
    first = decided(one, (refuse_everything, no_sandbox), granted)
    second = decided(one, (outside_workspace, no_sandbox, refuse_everything), granted)
    assert isinstance(first, Denied)
    assert isinstance(second, Denied)
    assert (first.rule, second.rule) == ("replay", "no_sandbox")


def test_a_turn_has_all_gates() -> None:
    assert (outside_workspace, no_sandbox, no_address) == GATES


def test_the_model_is_told_of_a_denial_in_the_words_of_the_design() -> None:
    assert denial(argv("curl"), Tier.THREE) == "Permission denied: 'exec' requires tier3 approval."


def test_a_folder_given_for_reading_is_read_without_a_question_and_never_written() -> None:
    def of(tool: str, path: str) -> CanonicalCall:
        one = call(tool, json.dumps({"path": path, "content": ""}))
        return structs.replace(one, place=structs.replace(one.place, read_only=("/srv/docs",)))

    for tool in ("read_file", "list_files"):
        assert isinstance(decided(of(tool, "/readonly/1-docs/a"), GATES, lambda key: False), Allowed)
        assert isinstance(decided(of(tool, "/readonly/1-docs/.env"), GATES, granted), NeedsApproval)
        for path in ("/readonly/2-docs/a", "/srv/docs/a", "/readonly/1-docs/../../etc/passwd", "/readonly/1-docs/\0"):
            assert isinstance(decided(of(tool, path), GATES, granted), Denied), path
    verdict = decided(of("write_file", "/readonly/1-docs/a"), GATES, granted, reach=("/",))
    assert isinstance(verdict, Denied)
    assert "for reading only" in verdict.said
