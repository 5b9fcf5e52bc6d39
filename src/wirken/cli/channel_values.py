"""What a platform needs, from flags, a pipe, prompts and our own dice, as `config.channel_kinds` describes it."""

from __future__ import annotations

import difflib
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wirken.cli import prompting
from wirken.cli.output import Output
from wirken.config.channel_kinds import ChannelKind, Setting
from wirken.config.channels import credential
from wirken.domain import channel_limits, limits
from wirken.domain.errors import UsageError
from wirken.domain.secret import Secret

_TRIES: Final = 3
"""Times that a prompt is repeated after what has not the form."""


class BadValue(UsageError):
    """A value has not the form that its platform gives it. It is not repeated here, for it may be a secret."""


class NotGiven(UsageError):
    """Something is needed, was not given, and nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says. `only` names the secret that is all of standard input; empty: none."""

    values: Mapping[str, str]
    only: str = ""
    lines: bool = False
    """Standard input has `NAME=value` lines."""
    asks: bool = True
    """A person may be asked."""


@dataclass(slots=True)
class Values:
    """What will be stored, by the names of the kind's settings; no secret that is stored already and stays."""

    settings: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    """Secrets that were made up and that a person must enter on the platform."""

    def wipe(self) -> None:
        for secret in self.secrets.values():
            secret.wipe()


def gathered(kind: ChannelKind, flags: Flags, known: Mapping[str, str], stored: frozenset[str], out: Output) -> Values:
    """Return the values of a channel. `known`: its settings so far, `stored`: names of the vault's entries.

    Raises `BadValue`, `NotGiven`, and what prompts raise.
    """
    found = Values(secrets=_piped(kind, flags))
    for one in kind.settings:
        if one.secret:
            _secret(kind, one, flags, stored, found, out)
        else:
            _setting(kind, one, flags, known, found, out)
    return found


def _setting(
    kind: ChannelKind, one: Setting, flags: Flags, known: Mapping[str, str], found: Values, out: Output
) -> None:
    """Take a setting from its flag, else from the table that is there, else from the person, if it is needed."""
    if one.name in flags.values:
        found.settings[one.name] = _formed(one, flags.values[one.name])
    elif one.needed and flags.asks:
        found.settings[one.name] = _asked(one, known.get(one.name, ""), out)
    elif one.name in known:
        found.settings[one.name] = known[one.name]
    elif one.needed:
        raise NotGiven(f"{kind.title} needs the {one.label}: --{flag(one)}.", hint=one.help)


def _secret(kind: ChannelKind, one: Setting, flags: Flags, stored: frozenset[str], found: Values, out: Output) -> None:
    """Take a secret from the pipe, else leave what is stored, else make it up or ask."""
    name = credential(kind.channel, one.name)
    if one.name in found.secrets:
        return
    if name in stored and ((one.made and not one.entered) or not flags.asks or not _wants_new(kind, one)):
        return
    if one.made:
        made = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(channel_limits.MADE_SECRET))
        found.secrets[one.name] = Secret(made.encode())
        if one.entered:
            found.made[one.name] = made
    elif flags.asks:
        found.secrets[one.name] = _hidden(one, out)
    elif one.needed:
        raise NotGiven(f"{kind.title} needs the {one.label}: --{flag(one)}-stdin, or --stdin.", hint=one.help)


def flag(one: Setting) -> str:
    """Return a setting's name as options write it."""
    return one.name.replace("_", "-")


def _wants_new(kind: ChannelKind, one: Setting) -> bool:
    act = "Make another one, to enter there?" if one.made else "Replace it?"
    return prompting.confirmed(f"The {one.label} of {kind.title} is stored already. {act}")


def _asked(one: Setting, known: str, out: Output) -> str:
    question = f"{one.label} [{known}]: " if known else f"{one.label}: "
    out.note(one.help)
    for _ in range(_TRIES - 1):
        value = prompting.typed(question) or known
        if re.fullmatch(one.form, value):
            return value
        out.note(f"That has not the form of a {one.label}.")
    return _formed(one, prompting.typed(question) or known)


def _hidden(one: Setting, out: Output) -> Secret:
    out.note(one.help)
    question = f"{one.label} (not shown): "
    for _ in range(_TRIES - 1):
        secret = prompting.hidden(question)
        if _fits(one, secret):
            return secret
        secret.wipe()
        question = f"That has not the form of a {one.label}. Once more (not shown): "
    return _checked(one, prompting.hidden(question))


def _piped(kind: ChannelKind, flags: Flags) -> dict[str, Secret]:
    """Return the secrets of standard input. Nothing of what stands there is ever repeated."""
    named = {one.name: one for one in kind.settings if one.secret}
    if flags.only:
        return {flags.only: _checked(named[flags.only], prompting.piped(limits.CREDENTIAL))}
    if not flags.lines:
        return {}
    whole = prompting.piped(limits.CREDENTIAL)
    found = {}
    for line in whole.reveal().splitlines():
        name, equals, value = line.partition(b"=")
        one = named.get(name.strip().decode("utf-8", "replace"))
        if not line.strip():
            continue
        if one is None or not equals:
            raise BadValue(
                "A line of standard input is not NAME=value with a secret of this channel.",
                hint=f"The names: {', '.join(named)}.",
            )
        if not value:
            raise BadValue(f"The {one.label} on standard input is empty.", hint=one.help)
        found[one.name] = _checked(one, Secret(value))
    whole.wipe()
    return found


def _checked(one: Setting, secret: Secret) -> Secret:
    if not _fits(one, secret):
        secret.wipe()
        raise BadValue(f"That has not the form of a {one.label}.", hint=one.help)
    return secret


def _fits(one: Setting, secret: Secret) -> bool:
    return re.fullmatch(one.form.encode(), secret.reveal()) is not None


def _formed(one: Setting, value: str) -> str:
    if re.fullmatch(one.form, value) is None:
        raise BadValue(f"--{flag(one)}: that has not the form of a {one.label}.", hint=one.help)
    return value


def advice(word: str, known: Mapping[str, object]) -> str:
    """Return a hint about a channel's name that is none."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
