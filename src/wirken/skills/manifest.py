"""What a wasm skill says of itself: `skill.json`, read strictly. Bytes in, values out."""

from __future__ import annotations

import json
from typing import Annotated, Final

import msgspec

from wirken.domain import limits
from wirken.domain.errors import ConfigError
from wirken.domain.text import clean, shown

TOOL_PREFIX: Final = "wasm_"
"""Tools of skills begin with it, and no other tool's name does."""

NAME: Final = r"^[a-z][a-z0-9_]{0,47}\Z"

_ELSEWHERE: Final = frozenset(("$ref", "$dynamicRef", "$recursiveRef", "$id", "$schema"))
"""Keywords that name a document (JSON Schema, Core 2020-12, section 8)."""

_BUILT_IN: Final = frozenset("read_file write_file list_files exec http_request web_search send_message".split())


class BadSkill(ConfigError):
    """A skill that cannot be used; the sentence says why."""

    hint = "Correct or remove the skill's folder, then restart `wirken run`. See docs/skills.md."


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`skill.json`."""

    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    """That of its folder."""
    description: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.SKILL_DESCRIPTION)]
    """What the model reads."""
    parameters: dict[str, object]
    """A JSON Schema of an object; it refers to nothing outside itself."""
    fuel: Annotated[int, msgspec.Meta(ge=1, le=limits.SKILL_FUEL_MOST)] = limits.SKILL_FUEL
    memory_mib: Annotated[int, msgspec.Meta(ge=1, le=limits.SKILL_MEMORY_MOST // 2**20)] = limits.SKILL_MEMORY // 2**20
    seconds: Annotated[int, msgspec.Meta(ge=1, le=limits.SKILL_TIME_MOST)] = limits.SKILL_TIME

    @property
    def schema(self) -> str:
        """The parameters as JSON text, in one form whatever the file's."""
        return json.dumps(self.parameters, sort_keys=True, separators=(",", ":"))


def parse(raw: bytes, folder: str) -> Manifest:
    """Return the manifest in the bytes of `<folder>/skill.json`. Raises `BadSkill`."""
    try:
        if len(raw) > limits.SKILL_MANIFEST:
            raise ValueError(f"it is longer than {limits.SKILL_MANIFEST} bytes")
        json.loads(raw.decode(), object_pairs_hook=_unique)
        manifest = msgspec.json.decode(raw, type=Manifest)
        _own(manifest.parameters)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadSkill(f"The skill.json of {shown(folder[:64])!r} cannot be used: {clean(str(error))[:300]}.") from None
    if manifest.name != folder:
        raise BadSkill(f"The skill in the folder {shown(folder[:64])!r} calls itself {manifest.name!r}.")
    if manifest.name in _BUILT_IN:
        raise BadSkill(f"The skill {folder!r} has the name of a tool of Wirken's own.")
    if shown(manifest.description, keep_newlines=True) != manifest.description:
        raise BadSkill(f"The description of the skill {folder!r} holds characters that cannot be seen.")
    if manifest.parameters.get("type") != "object":
        raise BadSkill(f"The parameters of the skill {folder!r} are no JSON Schema of type object.")
    return manifest


def _own(schema: object) -> None:
    """Raises `ValueError` for a schema that refers to another: whoever validates would go and read that."""
    if isinstance(schema, list):
        for part in schema:
            _own(part)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key in _ELSEWHERE and not (isinstance(value, str) and value.startswith("#")):
                raise ValueError(f"its parameters use {key} for something outside")
            _own(value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found
