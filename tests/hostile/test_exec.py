"""The hostile corpus of calls: each line of exec.jsonl gets exactly the tier and keys that stand there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.calls import decided
from tests.support.programs import SomePrograms
from tests.support.recorded import SESSION

from wirken.domain.actions import CanonicalCall, Denied, NeedsApproval, Place
from wirken.domain.ids import AgentId, ChannelId, PrincipalId
from wirken.gateway.tools.catalogue import catalogue
from wirken.permissions import rules
from wirken.permissions.decide import classify
from wirken.permissions.findings import Classified
from wirken.permissions.gates import GATES
from wirken.permissions.keys import DYNAMIC_KEY, NOTHING_KEY, PIPELINE_KEY
from wirken.permissions.programs import conditions, find, shell_verbs, wrappers

LINES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "exec.jsonl").read_text().splitlines()
]
STANDARD = [line for line in LINES if line["profile"] == "standard"]


def call_of(line: dict[str, Any]) -> CanonicalCall:
    return CanonicalCall(
        tool=line["tool"],
        arguments=json.dumps(line["args"]),
        agent=AgentId("default"),
        session=SESSION,
        principal=PrincipalId("owner"),
        channel=ChannelId("webchat"),
        place=Place("/work", "bubblewrap", read_only=tuple(line.get("read_only", ()))),
    )


def classified(line: dict[str, Any]) -> Classified:
    return classify(call_of(line), line["profile"], SomePrograms())


@pytest.mark.parametrize("line", LINES, ids=lambda line: str(line["id"]))
def test_a_hostile_call_gets_exactly_its_tier_and_keys(line: dict[str, Any]) -> None:
    found = classified(line)
    assert (found.tier.value, list(found.keys)) == (line["tier"], line["keys"]), line["why"]
    assert found.reasons or found.tier.rank == 1


@pytest.mark.parametrize("line", [line for line in LINES if line["tier"] == "tier3"], ids=lambda line: str(line["id"]))
def test_no_grant_of_any_key_lets_a_tier_3_call_through(line: dict[str, Any]) -> None:
    verdict = decided(call_of(line), GATES, lambda _: True, line["profile"], SomePrograms())
    assert isinstance(verdict, NeedsApproval | Denied)


@pytest.mark.parametrize("line", STANDARD, ids=lambda line: str(line["id"]))
def test_strict_is_never_laxer_than_standard(line: dict[str, Any]) -> None:
    assert classified({**line, "profile": "strict"}).tier.rank >= classified(line).tier.rank


# --- coverage: a tool, an action or a wrapper without a line fails -----------------------------------------


def keyed(name: str) -> list[dict[str, Any]]:
    return [line for line in LINES if f"shell:{name}" in line["keys"]]


def test_every_tool_has_lines() -> None:
    assert set(catalogue()) <= {line["tool"] for line in LINES}


@pytest.mark.parametrize(
    "kind", [DYNAMIC_KEY, PIPELINE_KEY, NOTHING_KEY, "shell:./", "shell:", "file:/", "file:", "tool:"]
)
def test_every_kind_of_action_has_lines(kind: str) -> None:
    assert any(key.startswith(kind) for line in LINES for key in line["keys"])


@pytest.mark.parametrize("tier", ["tier1", "tier2", "tier3"])
@pytest.mark.parametrize("profile", ["standard", "strict"])
def test_every_tier_has_lines_in_both_profiles(tier: str, profile: str) -> None:
    assert any((line["tier"], line["profile"]) == (tier, profile) for line in LINES)


@pytest.mark.parametrize("wrapper", sorted(wrappers.OPENED))
def test_every_wrapper_has_a_line_in_which_it_hides_what_is_refused(wrapper: str) -> None:
    assert any(line["tier"] == "tier3" and len(line["keys"]) > 1 for line in keyed(wrapper)), wrapper


@pytest.mark.parametrize("action", sorted(find.RUNS))
def test_every_action_of_find_has_a_line(action: str) -> None:
    assert any(f" -{action} " in str(line["args"].get("command")) for line in keyed("find")), action


@pytest.mark.parametrize("verb", sorted(conditions.DESTROYS))
def test_every_verb_that_destroys_with_some_arguments_has_lines_on_both_sides(verb: str) -> None:
    assert {"tier2", "tier3"} <= {line["tier"] for line in keyed(verb)}, verb


@pytest.mark.parametrize("verb", sorted(shell_verbs.BUILTINS))
def test_every_verb_of_the_shell_that_may_run_what_it_does_not_name_has_lines(verb: str) -> None:
    assert any(DYNAMIC_KEY in line["keys"] for line in keyed(verb)), verb


@pytest.mark.parametrize("prefix", sorted(rules.HIGH_RISK))
def test_every_one_of_the_sixteen_prefixes_is_attacked_in_more_than_one_way(prefix: str) -> None:
    assert len(keyed(prefix)) >= 2
    assert {line["tier"] for line in keyed(prefix)} == {"tier3"}


def test_a_call_outside_the_workspace_is_refused_whatever_was_granted() -> None:
    outside = [line for line in LINES if line["tool"].endswith(("_file", "_files")) and line["tier"] == "tier2"]
    assert len(outside) > 5
    for line in outside:
        assert isinstance(decided(call_of(line), GATES, lambda _: True), Denied)


def test_the_corpus_is_well_formed() -> None:
    assert len(LINES) >= 400
    assert len({line["id"] for line in LINES}) == len(LINES)
    assert len({json.dumps({**line, "id": "", "why": ""}) for line in LINES}) == len(LINES)
    for line in LINES:
        assert line.keys() - {"read_only"} == {"id", "tool", "args", "profile", "tier", "keys", "why"}
        assert line["why"]
