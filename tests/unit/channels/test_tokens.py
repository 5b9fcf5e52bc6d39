"""An adapter's secrets come from the vault by its own pair; what is missing is named, and found once it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.vault_parts import Parts
from tests.support.vault_thread import VaultThread

from wirken.channels.tokens import NoToken, Tokens
from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.domain import limits
from wirken.domain.ids import ChannelId
from wirken.ipc.calls.vault import AddCredential
from wirken.ipc.vault_client_async import AsyncVaultClient

SLACK = CHANNEL_KINDS[ChannelId("slack")]


def store(folder: Path, **values: bytes) -> None:
    parts = Parts(folder).started()
    for name, value in values.items():
        parts.credentials.add(AddCredential(f"channel.slack.{name}", value))
    parts.store.close()


@contextmanager
def vault(folder: Path) -> Iterator[VaultThread]:
    one = VaultThread(folder)
    try:
        yield one
    finally:
        one.stop()


async def test_all_secrets_of_the_kind_are_there_and_settings_are_not_asked_for(tmp_path: Path) -> None:
    store(tmp_path, bot_token=b"xoxb", app_token=b"xapp", prefix=b"no secret")
    with vault(tmp_path) as one:
        client = AsyncVaultClient(one.pair("channel-slack"))
        found = await Tokens(client, SLACK).stored()
        client.close()
    assert {name: value.reveal() for name, value in found.items()} == {"bot_token": b"xoxb", "app_token": b"xapp"}


async def test_what_is_missing_is_named_with_the_command_that_stores_it(tmp_path: Path) -> None:
    store(tmp_path, bot_token=b"xoxb")
    with vault(tmp_path) as one:
        client = AsyncVaultClient(one.pair("channel-slack"))
        with pytest.raises(NoToken, match="App-level token is not stored") as caught:
            await Tokens(client, SLACK).stored()
        client.close()
    assert caught.value.advice == "Store it with `wirken credentials add channel.slack.app_token`."


async def test_another_channels_pair_gets_none_of_them(tmp_path: Path) -> None:
    store(tmp_path, bot_token=b"xoxb", app_token=b"xapp")
    with vault(tmp_path) as one:
        client = AsyncVaultClient(one.pair("channel-discord"))
        with pytest.raises(NoToken, match="channel-discord"):
            await Tokens(client, SLACK).stored()
        client.close()


async def test_a_secret_that_is_stored_late_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOKEN_LOOK", 0.02)
    store(tmp_path, bot_token=b"xoxb")
    first = VaultThread(tmp_path)
    client = AsyncVaultClient(first.pair("channel-slack"))
    tokens = Tokens(client, SLACK)
    with pytest.raises(NoToken) as caught:
        await tokens.stored()
    changed = asyncio.ensure_future(tokens.changed(str(caught.value)))
    await asyncio.sleep(0.1)
    assert not changed.done()
    first.stop()  # meanwhile the vault is away, which is waited for
    store(tmp_path, app_token=b"xapp")
    with vault(tmp_path) as second:
        client.replace(second.pair("channel-slack"))
        async with asyncio.timeout(20):
            await changed
        assert set(await tokens.stored()) == {"bot_token", "app_token"}
        client.close()
