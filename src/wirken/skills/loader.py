"""Find the wasm skills of an installation: `<folder>/<name>/skill.json` beside `skill.wasm`."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Final, NamedTuple

from wirken.domain import limits
from wirken.domain.actions import Module
from wirken.domain.text import shown
from wirken.skills.manifest import NAME, TOOL_PREFIX, BadSkill, Manifest, parse

MANIFEST: Final = "skill.json"
MODULE: Final = "skill.wasm"
_BINARY: Final = b"\0asm\1\0\0\0"  # magic and version 1 (WebAssembly Core Specification, 5.5.16)


class Skill(NamedTuple):
    """One skill that can be used."""

    manifest: Manifest
    module: Module

    @property
    def tool(self) -> str:
        """The name of its tool."""
        return f"{TOOL_PREFIX}{self.manifest.name}"


class Found(NamedTuple):
    """The skills in the order of their names, and a sentence for each that cannot be used."""

    skills: tuple[Skill, ...]
    troubles: tuple[str, ...]


def skills_in(folder: Path) -> Found:
    """Return what lies in `folder`. A bad skill is left out and told of; it keeps no other from working."""
    skills: list[Skill] = []
    troubles: list[str] = []
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return Found((), ())
    except OSError as error:
        return Found((), (f"{folder} cannot be read: {error.strerror}.",))
    for name in names:
        if name.startswith("."):
            continue
        try:
            if len(skills) == limits.SKILLS:
                raise BadSkill(f"{shown(name[:64])!r} is left out: there are more than {limits.SKILLS} skills.")
            skills.append(_skill(folder, name))
        except BadSkill as error:
            troubles.append(str(error))
    return Found(tuple(skills), tuple(troubles))


def module_bytes(folder: Path, name: str) -> bytes:
    """Return the module of the skill `name`. Raises `BadSkill`."""
    if not re.match(NAME, name):
        raise BadSkill(f"{shown(name[:64])!r} is no name for a skill: small letters, digits and _, at most 48.")
    raw = _read(folder, name, MODULE, limits.SKILL_MODULE)
    if not raw.startswith(_BINARY):
        raise BadSkill(f"The skill.wasm of {name!r} is no binary WebAssembly module.")
    return raw


def _skill(folder: Path, name: str) -> Skill:
    module = module_bytes(folder, name)
    manifest = parse(_read(folder, name, MANIFEST, limits.SKILL_MANIFEST), name)
    digest = hashlib.sha256(module).hexdigest()
    return Skill(manifest, Module(name, digest, manifest.fuel, manifest.memory_mib * 2**20, manifest.seconds))


def _read(folder: Path, name: str, file: str, limit: int) -> bytes:
    """Return a regular file's bytes; no step below `folder` may be a link. Raises `BadSkill`."""
    try:
        directory = os.open(folder / name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        finally:
            os.close(directory)
        with open(handle, "rb") as opened:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise BadSkill(f"{file} of the skill {shown(name[:64])!r} is no regular file.")
            raw = opened.read(limit + 1)
    except OSError as error:
        raise BadSkill(f"{file} of the skill {shown(name[:64])!r} cannot be read: {error.strerror}.") from None
    if len(raw) > limit:
        raise BadSkill(f"{file} of the skill {name!r} is longer than {limit} bytes.")
    return raw
