from __future__ import annotations

from typing import get_type_hints

import msgspec
import pytest
from tests.support.values import FACTS

from wirken.domain import egress, events

ENVELOPE = {"v", "session", "seq", "ts", "trust"}
DESIGN = (
    "user_message assistant_message assistant_tool_calls tool_result llm_request llm_response permission_denied "
    "permission_approved system_prompt_set tools_set compaction attestation"
).split()


def tag(fact: type[msgspec.Struct]) -> str:
    return str(fact.__struct_config__.tag)


def test_every_fact_is_in_the_union_and_has_a_name_of_its_own() -> None:
    defined = {
        value
        for value in (*vars(events).values(), *vars(egress).values())
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__struct_config__.tag_field == "kind"
    }
    assert {fact for fact in defined if not fact.__name__.startswith("_")} == set(FACTS)
    assert len({tag(fact) for fact in FACTS}) == len(FACTS)
    assert {tag(fact) for fact in FACTS} >= set(DESIGN)


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_is_frozen_and_leaves_the_envelopes_names_alone(fact: type[msgspec.Struct]) -> None:
    assert fact.__struct_config__.frozen
    assert fact.__struct_config__.tag_field == "kind"
    assert not ENVELOPE & set(fact.__struct_fields__)
    assert "kind" not in fact.__struct_fields__


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_holds_no_float_no_mapping_and_nothing_untyped(fact: type[msgspec.Struct]) -> None:
    for name, hint in get_type_hints(fact).items():
        said = str(hint)
        assert "float" not in said, name
        assert "dict" not in said, name
        assert "Any" not in said, name


LATER = {
    "user_message": ["role", "group", "speaker", "files"],
    "approval_requested": ["message_seq", "put_to", "held_until"],
    "grant_revoked": ["only_in"],
    "llm_response": ["cached_tokens", "cost"],
    "configuration_read": ["walls_missing"],
}
"""Fields that rows of the first version do not have; they stand for what was so then."""


@pytest.mark.parametrize("fact", FACTS)
def test_every_field_of_a_fact_must_be_given_unless_it_came_later(fact: type[msgspec.Struct]) -> None:
    optional = [field.name for field in msgspec.structs.fields(fact) if not field.required]
    assert optional == LATER.get(tag(fact), [])


def test_a_message_of_the_first_version_is_the_owners_and_keeps_its_bytes() -> None:
    old = b'{"kind":"user_message","platform_id":"1","principal":"owner","sender":"","sender_name":"","text":"hi"}'
    fact = msgspec.json.decode(old, type=events.UserMessageFact)
    assert (fact.role, fact.group, fact.speaker) == ("owner", False, "")
    assert msgspec.json.encode(fact, order="sorted") == old


def test_the_attestation_names_what_the_design_names() -> None:
    assert set(events.Attestation.__struct_fields__) == {
        "chain_head_seq",
        "chain_head_hash",
        "signature",
        "signer_pubkey",
    }
