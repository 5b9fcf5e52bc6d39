"""A channel's table is put into a person's file and taken out, and nothing else in it moves."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from wirken.config.channels import ChannelConfig
from wirken.config.default import text as default_text
from wirken.config.editing import NotEdited, replace, with_channel, without_channel
from wirken.config.load import ConfigInvalid, parse

PLAIN = ChannelConfig()


def test_a_new_table_stands_at_the_end_and_the_rest_stays_byte_for_byte() -> None:
    before = default_text("rehearsal/rehearsal")
    after = with_channel(before, "telegram", ChannelConfig(settings={"prefix": "!ai"}), "config.toml")
    assert after == f'{before}\n[channels.telegram]\nprefix = "!ai"\n'
    assert parse(after.encode(), "x").channels["telegram"].settings == {"prefix": "!ai"}
    assert without_channel(after, "telegram", "config.toml") == before


@pytest.mark.parametrize("before", ["", "# only a comment", "[web]\nport = 1234", "[web]\n\n"])
def test_any_end_of_a_file_will_do(before: str) -> None:
    after = with_channel(before, "telegram", PLAIN, "config.toml")
    assert after.startswith(before) and after.endswith("[channels.telegram]\n")


def test_keys_that_are_there_are_changed_where_they_stand_and_comments_stay() -> None:
    before = (
        "# mine\n[channels.telegram]   # the bot\n  prefix = '!a'  # short\nenabled = false\n# of the web\n\n"
        "[web]\nport = 1234\n"
    )
    wanted = ChannelConfig(agent="default", stream=False, settings={"prefix": '"#'})
    assert with_channel(before, "telegram", wanted, "config.toml") == (
        '# mine\n[channels.telegram]   # the bot\n  prefix = "\\"#"  # short\nenabled = true\nstream = false\n'
        "# of the web\n\n[web]\nport = 1234\n"
    )


def test_only_the_named_table_is_taken_out() -> None:
    before = "[channels.telegram]\nprefix = 'a'\n\n# next\n[channels.discord]\nprefix = 'b'\n"
    assert without_channel(before, "telegram", "f") == "\n# next\n[channels.discord]\nprefix = 'b'\n"
    assert without_channel(before, "discord", "f") == "[channels.telegram]\nprefix = 'a'\n\n# next\n"
    assert without_channel(before, "slack", "f") == before


def test_windows_line_ends_stay() -> None:
    before = "[channels.telegram]\r\nprefix = 'a'\r\n"
    wanted = ChannelConfig(settings={"prefix": "b"})
    assert with_channel(before, "telegram", wanted, "f") == '[channels.telegram]\r\nprefix = "b"\r\n'


@pytest.mark.parametrize(
    "before",
    [
        "channels.telegram.prefix = 'a'\n",
        "channels = {telegram = {prefix = 'a'}}\n",
        "[channels]\ntelegram = {prefix = 'a'}\n",
        "[channels]\ntelegram.prefix = 'a'\n",
        "[agents.default]\ninstructions = '''\n[channels.telegram]\nprefix = 'a'\n'''\n"
        "[channels.'telegram' ]\nprefix=''' '''\n",
    ],
)
def test_a_text_that_says_it_otherwise_is_left_alone(before: str) -> None:
    with pytest.raises(ConfigInvalid):
        with_channel(before, "telegram", ChannelConfig(settings={"prefix": "b"}), "f")
    with pytest.raises(ConfigInvalid):
        without_channel(before, "telegram", "f")


def test_what_the_platform_cannot_follow_is_refused_with_its_own_sentence() -> None:
    with pytest.raises(ConfigInvalid, match="the value has not the form of a Prefix"):
        with_channel("", "telegram", ChannelConfig(settings={"prefix": "a b"}), "f")


def test_the_file_is_replaced_whole_and_closed_to_others(tmp_path: Path) -> None:
    file, real = tmp_path / "config.toml", tmp_path / "real.toml"
    real.write_text("a")
    real.chmod(0o644)
    file.symlink_to(real)
    replace(file, "b", "a")
    assert real.read_text() == "b" and file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    with pytest.raises(NotEdited, match="meanwhile"):
        replace(file, "c", "a")
    assert real.read_text() == "b" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can give files away")
def test_as_root_the_file_stays_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("a")
    os.chown(file, 1234, 1235)
    replace(file, "b", "a")
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 1235)
