from __future__ import annotations

import json

import pytest

from wirken.domain import limits
from wirken.skills.manifest import BadSkill, parse

GOOD: dict[str, object] = {
    "name": "csv",
    "description": "Count the rows of a CSV text.",
    "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}


def raw(**changed: object) -> bytes:
    return json.dumps({key: value for key, value in (GOOD | changed).items() if value is not None}).encode()


def test_limits_that_are_not_named_are_the_usual_ones() -> None:
    manifest = parse(raw(), "csv")
    assert (manifest.fuel, manifest.memory_mib, manifest.seconds) == (500_000_000, 64, limits.SKILL_TIME)
    assert json.loads(manifest.schema) == GOOD["parameters"]


def test_the_schema_is_one_text_whatever_the_files_order() -> None:
    turned = {"required": ["text"], "properties": {"text": {"type": "string"}}, "type": "object"}
    assert parse(raw(parameters=turned), "csv").schema == parse(raw(), "csv").schema


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "other"},
        {"name": None},
        {"description": ""},
        {"description": None},
        {"description": "a\u202eb"},
        {"description": "x" * (limits.SKILL_DESCRIPTION + 1)},
        {"parameters": None},
        {"parameters": {"type": "array"}},
        {"parameters": {}},
        {"parameters": []},
        {"parameters": {"type": "object", "$ref": "https://example.com/schema"}},
        {"parameters": {"type": "object", "properties": {"a": [{"$ref": "file:///etc/passwd"}]}}},
        {"parameters": {"type": "object", "$dynamicRef": "other.json"}},
        {"parameters": {"type": "object", "$id": "file:///etc/"}},
        {"parameters": {"type": "object", "$schema": "file:///etc/passwd"}},
        {"fuel": 0},
        {"fuel": limits.SKILL_FUEL_MOST + 1},
        {"memory_mib": 0},
        {"memory_mib": limits.SKILL_MEMORY_MOST // 2**20 + 1},
        {"seconds": limits.SKILL_TIME_MOST + 1},
        {"seconds": 1.5},
        {"network": True},
        {"fuels": 1},
    ],
)
def test_what_is_not_exactly_a_manifest_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(BadSkill):
        parse(raw(**changed), "csv")


def test_a_schema_may_refer_to_its_own_parts() -> None:
    within = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}
    assert parse(raw(parameters=within), "csv").schema


def test_the_hard_limits_themselves_are_allowed() -> None:
    most = {
        "fuel": limits.SKILL_FUEL_MOST,
        "memory_mib": limits.SKILL_MEMORY_MOST // 2**20,
        "seconds": limits.SKILL_TIME_MOST,
        "description": "x" * limits.SKILL_DESCRIPTION,
    }
    assert parse(raw(**most), "csv").fuel == limits.SKILL_FUEL_MOST


@pytest.mark.parametrize("name", ["exec", "read_file", "http_request"])
def test_the_name_of_a_tool_of_ours_is_refused(name: str) -> None:
    with pytest.raises(BadSkill, match="Wirken's own"):
        parse(raw(name=name), name)


@pytest.mark.parametrize("name", ["Csv", "1csv", "c-sv", "", "csv\n", "c" * 49, "ćsv"])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(BadSkill):
        parse(raw(name=name), name)
    assert parse(raw(name="c" * 48), "c" * 48).name == "c" * 48


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"name": "csv"',
        raw()[:-1] + b', "name": "csv"}',
        b"[" * 100_000,
        raw() + b" " * limits.SKILL_MANIFEST,
    ],
)
def test_what_is_no_json_or_says_something_twice_is_refused(text: bytes) -> None:
    with pytest.raises(BadSkill):
        parse(text, "csv")
