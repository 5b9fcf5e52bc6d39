"""`[channels.NAME]`: flat in the file, checked against the kind, never with a secret."""

from __future__ import annotations

import msgspec
import pytest

from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.config.channels import ChannelConfig, credential, flat, keys, webhook_port
from wirken.config.load import ConfigInvalid, parse
from wirken.config.model import Config

MATRIX = """
[channels.matrix]
homeserver = "https://Matrix.Example.org:8448"
user = "@wirken:example.org"
"""


def read(text: str) -> Config:
    return parse(text.encode(), "config.toml")


def complaint(text: str) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        read(text)
    return f"{caught.value} {caught.value.advice}"


def test_a_bare_table_is_a_channel_that_is_served_by_the_default_agent() -> None:
    config = read("[channels.telegram]")
    assert config.channels == {"telegram": ChannelConfig(enabled=True, agent="default", stream=True, settings={})}
    assert config.adapters == {"channel-telegram": "telegram"}
    assert read("[channels.telegram]\nenabled = false").adapters == {}
    assert read("").channels == {}


def test_the_platforms_keys_stand_beside_ours_in_the_file() -> None:
    config = read('[agents.own]\n[channels.telegram]\nagent = "own"\nstream = false\nprefix = "!ai"')
    assert config.channels["telegram"] == ChannelConfig(agent="own", stream=False, settings={"prefix": "!ai"})
    shown = flat(msgspec.to_builtins(config))["channels"]
    assert shown == {"telegram": {"enabled": True, "agent": "own", "stream": False, "prefix": "!ai"}}


def test_every_kind_shows_its_own_keys_and_no_secret() -> None:
    for kind in CHANNEL_KINDS.values():
        assert ("port" in keys(kind)) is bool(kind.port)
        assert not {one.name for one in kind.settings if one.secret} & set(keys(kind))


def test_wrong_names_get_the_nearest_right_one() -> None:
    assert "config.toml:1: There is no channel 'telegramm'. Did you mean 'telegram'?" in complaint(
        "[channels.telegramm]"
    )
    assert "config.toml:2: [channels.telegram] has no key 'prefx'. Did you mean 'prefix'?" in complaint(
        '[channels.telegram]\nprefx = "!"'
    )
    assert "no key 'settings'" in complaint('[channels.telegram]\nsettings = {prefix = "!"}')
    assert "no key 'port'" in complaint("[channels.telegram]\nport = 8080")
    assert "Did you mean 'default'" in complaint('[channels.telegram]\nagent = "defualt"')


def test_a_secret_in_the_file_is_refused_without_showing_it() -> None:
    said = complaint('[channels.telegram]\ntoken = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"')
    assert "`wirken credentials add channel.telegram.token`" in said
    assert "110201543" not in said
    assert credential("telegram", "token") == "channel.telegram.token"


def test_values_of_another_form_or_type_are_refused_without_showing_them() -> None:
    said = complaint('[channels.telegram]\nprefix = "two words"')
    assert "[channels.telegram] prefix" in said and "two words" not in said
    assert "phone_id: this is a text. Write it in quotes." in complaint("[channels.whatsapp]\nphone_id = 123456")
    assert "Expected `object`" in complaint("channels = {telegram = 1}")
    assert "Expected `object`" in complaint("channels = 1")


def test_what_is_needed_is_needed_once_the_channel_is_switched_on() -> None:
    assert "needs 'homeserver'" in complaint("[channels.matrix]")
    assert read("[channels.matrix]\nenabled = false").adapters == {}
    assert read(MATRIX).adapters == {"channel-matrix": "matrix"}


def test_an_adapter_reaches_its_platform_its_server_and_what_the_operator_adds() -> None:
    assert read("[channels.telegram]").hosts_of("channel-telegram") == ("api.telegram.org",)
    assert read(MATRIX).hosts_of("channel-matrix") == ("matrix.example.org:8448",)
    plain = read(MATRIX.replace(":8448", ""))
    assert plain.hosts_of("channel-matrix") == ("matrix.example.org:443",)
    more = read(MATRIX + '[egress.hosts]\nchannel-matrix = ["*.CDN.example", "media.example.org:9000"]')
    assert more.hosts_of("channel-matrix") == ("matrix.example.org:8448", "*.cdn.example", "media.example.org:9000")
    assert more.relay_ports == (8448, 9000)


def test_a_channel_that_is_not_served_reaches_nothing_by_itself() -> None:
    assert read("").hosts_of("channel-telegram") == ()
    assert read("[channels.telegram]\nenabled = false").hosts_of("channel-telegram") == ()
    assert read("").hosts_of("runner") == ()


@pytest.mark.parametrize("address", ["http://localhost:8008", "http://127.0.0.1:8008", "https://192.168.0.7"])
def test_a_server_without_a_name_is_refused_with_the_way_to_give_it_one(address: str) -> None:
    assert "own_addresses" in complaint(MATRIX.replace("https://Matrix.Example.org:8448", address))


@pytest.mark.parametrize(("address", "good"), [("127.0.0.1", True), ("::1", True), ("10.0.0.5", False), ("", False)])
def test_plain_http_is_for_this_machine_only(address: str, good: bool) -> None:
    text = MATRIX.replace("https://Matrix.Example.org:8448", "http://matrix.home.arpa:8008")
    text += f'[egress.own_addresses]\n"matrix.home.arpa" = ["{address}"]' if address else ""
    if good:
        assert read(text).hosts_of("channel-matrix") == ("matrix.home.arpa:8008",)
        assert read(text.replace(":8008", "")).hosts_of("channel-matrix") == ("matrix.home.arpa:80",)
    else:
        assert "http:// is for this machine only" in complaint(text)


@pytest.mark.parametrize(("port", "good"), [("1", True), ("65535", True), ("0", False), ("65536", False)])
def test_a_servers_port_is_one(port: str, good: bool) -> None:
    text = MATRIX.replace("8448", port)
    if good:
        assert read(text).relay_ports == (int(port),)
    else:
        assert "this address" in complaint(text) or "the port is none" in complaint(text)


def test_webhooks_have_a_port_each() -> None:
    teams = '[channels.teams]\napp_id = "{0}"\ntenant_id = "{0}"\n'.format("00000000-0000-0000-0000-000000000000")
    whatsapp = '[channels.whatsapp]\nphone_id = "106540352242922"\n'
    config = read(teams + "port = 3980\n" + whatsapp)
    assert {name: webhook_port(name, entry) for name, entry in config.channels.items()} == {
        "teams": 3980,
        "whatsapp": 3979,
    }
    assert webhook_port("telegram", ChannelConfig()) == 0
    assert "the same port 3979" in complaint(teams + "port = 3979\n" + whatsapp)
    assert "Expected `int` <= 65535" in complaint(teams + "port = 65536")
