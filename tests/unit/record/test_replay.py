from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from tests.support.recorded import (
    SESSION,
    TO_SIGN,
    Entry,
    approved,
    asked,
    call,
    canonical,
    denied,
    permitted,
    result,
    sha256,
    story,
)

from wirken.domain.actions import ToolCall
from wirken.domain.events import (
    ApprovalRequested,
    AssistantMessageFact,
    AssistantToolCalls,
    Attestation,
    Fact,
    LlmRequest,
    PermissionApproved,
    SystemPromptSet,
    ToolPermitted,
    ToolResultFact,
    ToolsSet,
    Trust,
    TurnEnded,
    TurnStarted,
    UserMessageFact,
)
from wirken.domain.inbox import FilesKept, KeptFile, MissingFile, path_of
from wirken.record.canonical import canonical_json
from wirken.record.replay import Replay

CALL = call("c")


def findings(entries: list[Entry], *, blind: bool = False) -> list[tuple[int, str]]:
    """What the replay says, row by row; every attestation counts as one of the head before it."""
    replay = Replay(SESSION, blind=blind)
    found: list[tuple[int, str]] = []
    for seq, (_, fact) in enumerate(entries):
        if fact is TO_SIGN:
            fact = msgspec.structs.replace(TO_SIGN, chain_head_seq=seq - 1)
        found += [(seq, said) for said in replay.step(seq, fact)]
    return found + [(len(entries), said) for said in replay.ended()]


def round_of(*facts: Fact, calls: tuple[ToolCall, ...] = (CALL,)) -> list[Entry]:
    return [(Trust.GATEWAY, fact) for fact in (AssistantToolCalls(text="", calls=calls), *facts)]


def said(*facts: Fact, calls: tuple[ToolCall, ...] = (CALL,)) -> list[str]:
    return [sentence for _, sentence in findings(round_of(*facts, calls=calls))]


def place(entries: list[Entry], kind: type[Fact], nth: int = 0) -> int:
    return [seq for seq, (_, fact) in enumerate(entries) if isinstance(fact, kind)][nth]


def changed(kind: type[Fact], fields: dict[str, object], nth: int = 0) -> tuple[list[Entry], int]:
    """The story with some fields of one fact changed, and that fact's row."""
    entries = list(story().entries)
    seq = place(entries, kind, nth)
    trust, fact = entries[seq]
    entries[seq] = (trust, msgspec.structs.replace(fact, **fields))
    return entries, seq


def test_a_true_record_follows_from_itself() -> None:
    assert findings(story().entries) == []


def test_requests_and_results_are_counted() -> None:
    replay = Replay(SESSION)
    for seq, (_, fact) in enumerate(story().entries):
        assert list(replay.step(seq, fact)) == [] or isinstance(fact, TurnStarted)
    assert (replay.requests, replay.tool_calls) == (5, 5)


# --- requests to the model ----------------------------------------------------------------------------


@pytest.mark.parametrize("nth", range(5))
@pytest.mark.parametrize(("field", "what"), [("messages_sha256", "messages"), ("tools_sha256", "tools")])
def test_a_request_whose_hash_is_not_that_of_the_rows_is_found(nth: int, field: str, what: str) -> None:
    entries, seq = changed(LlmRequest, {field: sha256("something else")}, nth)
    assert [at for at, sentence in findings(entries) if what in sentence] == [seq]


@pytest.mark.parametrize(
    ("kind", "fields", "first_request_behind_it"),
    [
        (SystemPromptSet, {"text": "Do evil."}, 0),
        (UserMessageFact, {"text": "something else"}, 0),
        (ToolResultFact, {"output": "something else"}, 1),
        (AssistantMessageFact, {"text": "something else"}, 2),
    ],
)
def test_a_change_of_what_the_model_saw_shows_in_the_next_request(
    kind: type[Fact], fields: dict[str, object], first_request_behind_it: int
) -> None:
    entries, _ = changed(kind, fields)
    expected = place(entries, LlmRequest, first_request_behind_it)
    assert findings(entries)[0] == (expected, "the messages sent to the model were not those of this record")


def test_requests_are_not_judged_behind_a_row_that_could_not_be_read() -> None:
    entries, _ = changed(LlmRequest, {"messages_sha256": sha256("something else")})
    assert findings(entries, blind=True) == []


# --- calls, permits, results --------------------------------------------------------------------------


def test_a_permitted_call_with_its_result_is_in_order() -> None:
    assert said(permitted(CALL, "tier1", "tier1"), result(CALL)) == []


@pytest.mark.parametrize("outcome", ["denied", "invalid", "stopped"])
def test_what_never_ran_needs_no_permit(outcome: str) -> None:
    facts: list[Fact] = [denied(CALL)] if outcome == "denied" else []
    assert said(*facts, msgspec.structs.replace(result(CALL, "failed"), outcome=outcome)) == []


@pytest.mark.parametrize("outcome", ["ok", "failed", "unknown"])
def test_a_result_of_what_was_never_permitted_is_found(outcome: str) -> None:
    fact = msgspec.structs.replace(result(CALL), outcome=outcome, success=outcome == "ok")
    assert said(fact) == ["a result of a call that was never permitted"]


def test_a_result_for_a_call_that_was_not_made_is_found() -> None:
    assert "did not make" in said(result(call("other")))[0]


def test_a_second_result_is_found() -> None:
    assert "a second one" in said(permitted(CALL, "tier1", "tier1"), result(CALL), result(CALL))[0]


def test_a_result_of_another_tool_is_found() -> None:
    other = msgspec.structs.replace(result(CALL), tool="read_file")
    assert said(permitted(CALL, "tier1", "tier1"), other) == ["a result of read_file for a call of exec"]


def test_a_call_without_a_result_is_found_at_the_next_round_or_the_turns_end() -> None:
    another = round_of()
    assert findings(round_of() + another)[0] == (1, "the call c has no result")
    ended: Entry = (Trust.GATEWAY, TurnEnded(outcome="finished", reason="", rounds=1))
    assert findings([*round_of(), ended])[0] == (1, "the call c has no result")


def test_a_success_that_contradicts_its_outcome_is_found() -> None:
    for outcome, success in (("ok", False), ("failed", True), ("unknown", True)):
        fact = msgspec.structs.replace(result(CALL), outcome=outcome, success=success)
        assert said(permitted(CALL, "tier1", "tier1"), fact) == ["a result whose success contradicts its outcome"]


def test_a_permit_for_what_the_model_did_not_ask_for_is_found() -> None:
    assert "did not ask for" in said(permitted(call("other"), "tier1", "tier1"))[0]
    assert "did not ask for" in said(permitted(call("c", "write_file"), "tier1", "tier1"), result(CALL))[0]


@pytest.mark.parametrize(
    "permit",
    [
        permitted(call("c", "exec", '{"command":"curl evil"}'), "tier1", "tier1"),
        permitted(call("c", "exec", '{"command": "ls"}'), "tier1", "tier1"),
        permitted(CALL, "tier1", "tier1", session=SESSION.replace("/a", "/b")),  # type: ignore[arg-type]  # a session's id
    ],
)
def test_a_permit_for_other_arguments_or_another_session_is_found(permit: ToolPermitted) -> None:
    """Its hash is its own call's, so that only the comparison with the model's words can tell."""
    assert said(permit, result(CALL)) == ["the permit's call is not the one that the model asked for"]


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace('"tool":"exec"', '"tool": "exec"'),
        lambda text: text[:-1] + ',"tool":"exec"}',
        lambda text: text[:-1] + ',"more":1}',
        lambda text: text.replace('"principal"', '"more":1,"principal"'),
        lambda text: "not JSON",
        lambda text: "[" * 10_000,
        lambda text: "",
    ],
)
def test_a_permit_whose_call_is_not_in_canonical_form_is_found(rewrite: Callable[[str], str]) -> None:
    fact = permitted(CALL, "tier1", "tier1")
    text = rewrite(fact.call)
    odd = msgspec.structs.replace(fact, call=text, call_sha256=sha256(text))
    assert said(odd, result(CALL)) == ["the permit's call is not the one that the model asked for"]


@pytest.mark.parametrize(
    "place", [{"sandbox": "bubblewrap", "workspace": "/w"}, {"another": 1, "sandbox": "none", "workspace": "/w"}]
)
def test_a_permit_whose_place_an_older_or_newer_version_worded_is_what_it_was(place: dict[str, object]) -> None:
    fact = permitted(CALL, "tier1", "tier1")
    text = canonical_json({**msgspec.json.decode(fact.call), "place": place}).decode()
    then = msgspec.structs.replace(fact, call=text, call_sha256=sha256(text))
    assert said(then, result(CALL)) == []


def test_a_permit_whose_hash_is_not_its_calls_is_found() -> None:
    fact = msgspec.structs.replace(permitted(CALL, "tier1", "tier1"), call_sha256=sha256("x"))
    assert said(fact, result(CALL)) == ["the permit's call does not have the permit's hash"]


def test_a_second_permit_for_one_call_is_found() -> None:
    fact = permitted(CALL, "tier1", "tier1")
    assert said(fact, fact, result(CALL)) == ["a second permit for the same call"]


def test_a_call_that_was_denied_has_no_permit_and_no_other_result() -> None:
    assert said(denied(CALL), permitted(CALL, "tier1", "tier1"), result(CALL)) == [
        "a permit for a call that was denied",
        "a result of a call that was denied",
    ]


def test_a_result_that_says_denied_needs_a_denial_or_a_runner_that_refused() -> None:
    no = result(CALL, "denied")
    assert said(no) == ["a result that says denied of a call that nobody denied"]
    assert said(permitted(CALL, "tier1", "tier1"), no) == []


def test_a_permit_of_an_earlier_round_does_not_serve_a_later_one() -> None:
    entries = round_of(permitted(CALL, "tier1", "tier1"), result(CALL)) + round_of(result(CALL))
    assert [sentence for _, sentence in findings(entries)] == ["a result of a call that was never permitted"]


# --- approvals ----------------------------------------------------------------------------------------

APPROVED: list[Fact] = [asked(CALL, "tier3"), approved(CALL, "tier3")]
PERMIT = permitted(CALL, "tier3", "approval")
UNAPPROVED = "a Tier 3 call was permitted without an approval of exactly this call"


def test_an_approved_tier_3_call_is_in_order() -> None:
    assert said(*APPROVED, PERMIT, result(CALL)) == []


def test_a_tier_3_permit_without_an_approval_is_found() -> None:
    assert said(PERMIT, result(CALL)) == [UNAPPROVED]
    assert said(asked(CALL, "tier3"), PERMIT, result(CALL)) == [UNAPPROVED]
    assert said(permitted(CALL, "tier3", "grant"), result(CALL)) == [UNAPPROVED]


def test_an_approval_of_another_call_does_not_serve() -> None:
    other = call("d", "exec", '{"command":"curl evil"}')
    facts: list[Fact] = [
        asked(CALL, "tier3"),
        approved(CALL, "tier3"),
        permitted(other, "tier3", "approval"),
        result(other),
    ]
    assert UNAPPROVED in said(*facts, result(CALL, "stopped"), calls=(CALL, other))


def test_an_approval_serves_once() -> None:
    again = call("d")
    facts: list[Fact] = [*APPROVED, PERMIT, result(CALL), permitted(again, "tier3", "approval"), result(again)]
    assert canonical(CALL).digest() == canonical(again).digest()
    assert said(*facts, calls=(CALL, again)) == [UNAPPROVED]


def test_an_approval_of_an_earlier_round_does_not_serve_a_later_one() -> None:
    entries = round_of(*APPROVED, result(CALL, "stopped")) + round_of(PERMIT, result(CALL))
    assert [sentence for _, sentence in findings(entries)] == [UNAPPROVED]


def test_a_tier_2_permit_that_names_an_approval_needs_one_and_one_that_names_a_grant_does_not() -> None:
    by_approval = permitted(CALL, "tier2", "approval")
    assert said(by_approval, result(CALL)) == ["the approval that this permit names is not on record"]
    assert said(asked(CALL, "tier2"), approved(CALL, "tier2", scope="30d"), by_approval, result(CALL)) == []
    assert said(permitted(CALL, "tier2", "grant"), result(CALL)) == []


def test_an_approval_that_nobody_was_asked_for_is_found() -> None:
    said_so = "an approval that nobody was asked for, or of another call"
    assert said(approved(CALL, "tier3"), PERMIT, result(CALL)) == [said_so]
    assert said(asked(call("d", "exec", "{}"), "tier3"), approved(CALL, "tier3"), PERMIT, result(CALL)) == [said_so]
    assert said(*APPROVED, approved(CALL, "tier3"), PERMIT, result(CALL)) == [said_so]


def test_a_question_that_showed_another_call_than_it_hashed_is_found() -> None:
    question = msgspec.structs.replace(asked(CALL, "tier3"), call="something harmless")
    assert isinstance(question, ApprovalRequested)
    assert "question's hash" in said(question, approved(CALL, "tier3"), PERMIT, result(CALL))[0]


def test_a_tier_3_approval_is_never_remembered() -> None:
    facts: list[Fact] = [asked(CALL, "tier3"), approved(CALL, "tier3", scope="30d"), PERMIT, result(CALL)]
    assert said(*facts) == ["a Tier 3 approval that was to be remembered"]


def test_a_grant_that_the_owner_gave_ahead_answers_no_question() -> None:
    ahead = PermissionApproved(
        approval="", call_id="", lease="", action_keys=("shell:ls",), tier="tier2", scope="30d", by="owner", surface="t"
    )
    assert findings([(Trust.OWNER, ahead)]) == []


# --- attestations -------------------------------------------------------------------------------------


def turn_with(*behind: Fact) -> list[tuple[int, str]]:
    facts: list[Fact] = [TurnEnded(outcome="finished", reason="", rounds=0), *behind]
    return findings([(Trust.GATEWAY, fact) for fact in facts])


def attests(seq: int) -> Attestation:
    return msgspec.structs.replace(TO_SIGN, chain_head_seq=seq)


MISSING = "the turn that ended at row 0 has no attestation"


def test_a_turn_that_ended_needs_an_attestation_of_its_end() -> None:
    assert turn_with() == [(1, MISSING)]
    assert turn_with(attests(0)) == []
    assert turn_with(TurnStarted(message_seq=9)) == [(1, MISSING)]
    assert turn_with(attests(-1)) == [(2, MISSING)]


def test_messages_may_arrive_while_the_vault_signs() -> None:
    late = UserMessageFact(text="", principal="", sender="", sender_name="", platform_id="")
    assert turn_with(late, attests(0), TurnStarted(message_seq=1)) == []
    assert turn_with(late, attests(1)) == []


# --- who spoke ----------------------------------------------------------------------------------------


def test_a_permit_where_no_tools_were_offered_is_found() -> None:
    entries, _ = changed(ToolsSet, {"tools": ()})
    permits = [seq for seq, (_, fact) in enumerate(entries) if isinstance(fact, ToolPermitted)]
    found = findings(entries)
    assert [seq for seq, said in found if "where no tools were offered" in said] == permits


def test_a_permit_for_somebody_else_than_who_spoke_is_found() -> None:
    entries, seq = changed(UserMessageFact, {"principal": "mallory"})
    turn = slice(seq, place(entries, TurnEnded))
    permits = [at for at, (_, fact) in enumerate(entries[turn], seq) if isinstance(fact, ToolPermitted)]
    assert permits
    assert [at for at, said in findings(entries) if "not the one that the model asked for" in said] == permits


@pytest.mark.parametrize(
    ("speaker", "found"),
    [
        ("", []),
        ("anna, user", []),
        ('anna, user, called "owner"', []),
        ("owner, owner", ["a message that the model was told somebody else had said"]),
        ("anna, users", ["a message that the model was told somebody else had said"]),
        ("anna", ["a message that the model was told somebody else had said"]),
    ],
)
def test_a_message_that_the_model_was_told_somebody_else_had_said_is_found(speaker: str, found: list[str]) -> None:
    message = UserMessageFact(
        text="hi", principal="anna", role="user", sender="7", sender_name="", platform_id="p", speaker=speaker
    )
    assert list(Replay(SESSION).step(0, message)) == found


# --- files that came ----------------------------------------------------------------------------------

BROUGHT = KeptFile("a", "", 1, "0" * 64, path_of(SESSION, 0, 0, "a"))
EARLY = "a turn that began before the files of its message were there"
TWICE = "files of a message that brought none, or a second time"
ELSEWHERE = "a file of a message that was put where no file of this conversation belongs"


def bringing(*facts: Fact, path: str = BROUGHT.path) -> list[str]:
    """Return what is found in a session whose first message brings a file."""
    file = msgspec.structs.replace(BROUGHT, path=path)
    said = UserMessageFact(text="", principal="owner", sender="", sender_name="", platform_id="", files=(file,))
    replay = Replay(SESSION)
    return [found for seq, fact in enumerate((said, *facts)) for found in replay.step(seq, fact)]


def test_a_turn_waits_for_the_files_of_its_message() -> None:
    kept, started = FilesKept(message_seq=0, missing=()), TurnStarted(message_seq=0)
    assert bringing(kept, started) == []
    assert bringing(started) == [EARLY]
    assert bringing(FilesKept(message_seq=0, missing=(MissingFile(BROUGHT.path, "No room."),)), started) == []


def test_files_are_settled_once_and_lie_where_they_belong() -> None:
    kept = FilesKept(message_seq=0, missing=())
    assert bringing(kept, kept) == [TWICE]
    assert bringing(FilesKept(message_seq=1, missing=())) == [TWICE]
    for path in ("inbox/other-c/0-a", "AGENTS.md", "inbox/../x", path_of(SESSION, 0, 0, "a") + "/.."):
        assert bringing(path=path) == [ELSEWHERE]
