from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.domain.actions import Module
from wirken.skills.loader import module_bytes, skills_in
from wirken.skills.manifest import BadSkill

MODULE = b"\0asm\1\0\0\0"


def skill(folder: Path, own: str, module: bytes = MODULE, **changed: object) -> Path:
    place = folder / own
    place.mkdir(parents=True)
    manifest = {"name": own, "description": "Does it.", "parameters": {"type": "object"}, **changed}
    (place / "skill.json").write_text(json.dumps(manifest))
    (place / "skill.wasm").write_bytes(module)
    return place


def test_skills_come_in_the_order_of_their_names_with_hash_and_limits(tmp_path: Path) -> None:
    skill(tmp_path, "zip", MODULE + b"\0\1\0")
    skill(tmp_path, "csv", fuel=7, memory_mib=2, seconds=3)
    found = skills_in(tmp_path)
    assert [one.tool for one in found.skills] == ["wasm_csv", "wasm_zip"]
    assert found.skills[0].module == Module("csv", hashlib.sha256(MODULE).hexdigest(), 7, 2 * 2**20, 3)
    assert found.troubles == ()


def test_a_folder_that_is_not_there_holds_no_skill(tmp_path: Path) -> None:
    assert skills_in(tmp_path / "missing") == ((), ())


def test_one_bad_skill_is_told_of_and_keeps_no_other_away(tmp_path: Path) -> None:
    skill(tmp_path, "good")
    skill(tmp_path, "text", b"(module)")
    skill(tmp_path, "other", name="good")
    skill(tmp_path, "Bad")
    skill(tmp_path, "greedy", memory_mib=10_000)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / ".hidden").mkdir()
    found = skills_in(tmp_path)
    assert [one.tool for one in found.skills] == ["wasm_good"]
    assert len(found.troubles) == 6


def test_links_and_devices_are_no_skill(tmp_path: Path) -> None:
    real = skill(tmp_path / "elsewhere", "linked")
    folder = tmp_path / "skills"
    folder.mkdir()
    (folder / "linked").symlink_to(real)
    skill(folder, "inner").joinpath("skill.wasm").unlink()
    (folder / "inner/skill.wasm").symlink_to(real / "skill.wasm")
    skill(folder, "pipe").joinpath("skill.json").unlink()
    os.mkfifo(folder / "pipe/skill.json")
    assert skills_in(folder).skills == ()
    assert len(skills_in(folder).troubles) == 3


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "/etc", "Csv"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSkill):
        module_bytes(tmp_path, name)


def test_the_largest_module_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    skill(tmp_path, "large", MODULE.ljust(limits.SKILL_MODULE, b"\0"))
    assert len(module_bytes(tmp_path, "large")) == limits.SKILL_MODULE
    skill(tmp_path, "larger", MODULE.ljust(limits.SKILL_MODULE + 1, b"\0"))
    with pytest.raises(BadSkill, match="longer than"):
        module_bytes(tmp_path, "larger")


def test_more_skills_than_the_limit_are_left_out_and_told_of(tmp_path: Path) -> None:
    for number in range(limits.SKILLS + 1):
        skill(tmp_path, f"s{number:03}")
    found = skills_in(tmp_path)
    assert len(found.skills) == limits.SKILLS
    assert len(found.troubles) == 1
