"""The descriptions of platforms: one for each, with forms that accept what the platforms really hand out."""

from __future__ import annotations

import re

import pytest

from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.domain.hosts import pattern
from wirken.domain.platforms import KINDS


def test_every_platform_has_a_description_and_every_description_a_platform() -> None:
    assert CHANNEL_KINDS.keys() == KINDS.keys()
    assert all(kind.channel == channel for channel, kind in CHANNEL_KINDS.items())


def test_settings_have_names_of_their_own_and_secrets_fit_into_the_vault() -> None:
    for kind in CHANNEL_KINDS.values():
        names = [setting.name for setting in kind.settings]
        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", f"channel.{kind.channel}.{name}") for name in names)
        assert all(setting.secret for setting in kind.settings if setting.made)
        assert {name for name in kind.host_of if name != "api_url"} <= set(names)
        assert [pattern(host) for host in kind.hosts] == list(kind.hosts)


@pytest.mark.parametrize(
    ("channel", "name", "good", "bad"),
    [
        (
            "telegram",
            "token",
            "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
            "110201543 AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
        ),
        (
            "discord",
            "token",
            "MTIzNDU2Nzg5MDEyMzQ1Njc4.Gabcde." + "x" * 38,
            "Bot MTIzNDU2Nzg5MDEyMzQ1Njc4.Gabcde." + "x" * 38,
        ),
        ("slack", "bot_token", "xoxb-1234567890-1234567890123-AbCdEf", "xoxp-1234567890-1234567890123-AbCdEf"),
        ("slack", "app_token", "xapp-1-A0123-4567-abcdef", "xoxb-1-A0123-4567-abcdef"),
        ("teams", "app_id", "00000000-0000-0000-0000-00000000000f", "00000000-0000-0000-0000-00000000000g"),
        ("matrix", "homeserver", "https://matrix.example.org", "matrix.example.org"),
        ("matrix", "user", "@wirken:example.org", "wirken@example.org"),
        ("whatsapp", "phone_id", "106540352242922", "+106540352242922"),
        ("whatsapp", "app_secret", "0123456789abcdef0123456789abcdef", "0123456789ABCDEF"),
    ],
)
def test_a_form_takes_what_the_platform_hands_out_and_nothing_like_it(
    channel: str, name: str, good: str, bad: str
) -> None:
    form = next(
        one.form
        for kind in CHANNEL_KINDS.values()
        if kind.channel == channel
        for one in kind.settings
        if one.name == name
    )
    assert re.fullmatch(form, good)
    assert not re.fullmatch(form, bad)
    assert not re.fullmatch(form, good + "\n")
