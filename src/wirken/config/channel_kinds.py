"""What each platform's channel needs: one description that drives prompts, page, documentation and validation."""

from __future__ import annotations

from typing import Final, NamedTuple

from wirken.domain import limits
from wirken.domain.ids import ChannelId
from wirken.domain.platforms import Discord, Matrix, Slack, Teams, Telegram, WhatsApp

_GUID: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ORIGIN: Final = r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"


class Setting(NamedTuple):
    """One thing that a person gives. A `secret` goes to the vault as `channel.<channel>.<name>`, else config.toml."""

    name: str
    label: str
    help: str
    """Where to find it on the platform, in a sentence."""
    form: str
    """A regular expression that the whole value matches."""
    secret: bool = False
    made: bool = False
    """Wirken makes it up itself where nothing is given: random, of 32 letters and digits."""
    needed: bool = True
    entered: bool = False
    """A person enters it on the platform, too, so that one which was made is shown, once."""


class ChannelKind(NamedTuple):
    """One platform. `hosts`: what its adapter reaches; `host_of` names the setting whose host it reaches too."""

    channel: ChannelId
    title: str
    settings: tuple[Setting, ...]
    hosts: tuple[str, ...] = ()
    host_of: tuple[str, ...] = ("api_url",)
    port: int = 0
    """Of its webhook on loopback; 0: the platform is asked, it never calls."""
    keeps_state: bool = False
    """Has a folder of its own for what must outlive it: keys of end-to-end encryption, a session to resume."""


_API: Final = Setting(
    "api_url", "API address", "Only for a server of your own that speaks the same API.", _ORIGIN, needed=False
)
_PREFIX: Final = Setting(
    "prefix",
    "Prefix in groups",
    "In groups the bot hears who names it, answers it, or begins with this, for example '!ai'.",
    r"\S{1,32}",
    needed=False,
)

CHANNEL_KINDS: Final[dict[ChannelId, ChannelKind]] = {
    kind.channel: kind
    for kind in (
        ChannelKind(
            Telegram.CHANNEL,
            "Telegram",
            (
                Setting(
                    "token",
                    "Bot token",
                    "Write /newbot to @BotFather; it answers with the token.",
                    r"[0-9]{5,20}:[A-Za-z0-9_-]{30,64}",
                    secret=True,
                ),
                _PREFIX,
                _API,
            ),
            hosts=("api.telegram.org",),
        ),
        ChannelKind(
            Discord.CHANNEL,
            "Discord",
            (
                Setting(
                    "token",
                    "Bot token",
                    "Developer Portal, your application, Bot, Reset Token. Switch on Message Content Intent there.",
                    r"[A-Za-z0-9_-]{20,40}\.[A-Za-z0-9_-]{4,12}\.[A-Za-z0-9_-]{20,80}",
                    secret=True,
                ),
                _PREFIX,
                _API,
            ),
            hosts=("discord.com", "gateway.discord.gg", "*.discord.gg", "cdn.discordapp.com", "media.discordapp.net"),
            keeps_state=True,
        ),
        ChannelKind(
            Slack.CHANNEL,
            "Slack",
            (
                Setting(
                    "bot_token",
                    "Bot token",
                    "api.slack.com/apps, your app, OAuth & Permissions, Bot User OAuth Token.",
                    r"xoxb-[A-Za-z0-9-]{10,200}",
                    secret=True,
                ),
                Setting(
                    "app_token",
                    "App-level token",
                    "Basic Information, App-Level Tokens, with the scope connections:write.",
                    r"xapp-[A-Za-z0-9-]{10,300}",
                    secret=True,
                ),
                _PREFIX,
                _API,
            ),
            hosts=("slack.com", "*.slack.com", "*.slack-files.com"),
        ),
        ChannelKind(
            Teams.CHANNEL,
            "Microsoft Teams",
            (
                Setting("app_id", "Application id", "Azure portal, your bot, Configuration: Microsoft App ID.", _GUID),
                Setting("tenant_id", "Tenant id", "Azure portal, Microsoft Entra ID, Overview: Tenant ID.", _GUID),
                Setting(
                    "client_secret",
                    "Client secret",
                    "App registrations, your app, Certificates & secrets: the Value of a new client secret.",
                    r"[!-~]{16,256}",
                    secret=True,
                ),
                _PREFIX,
                _API,
            ),
            hosts=(
                "login.microsoftonline.com",
                "login.botframework.com",
                "smba.trafficmanager.net",
                "*.botframework.com",
            ),
            port=limits.TEAMS_PORT,
        ),
        ChannelKind(
            Matrix.CHANNEL,
            "Matrix",
            (
                Setting("homeserver", "Homeserver", "Its address, for example https://matrix.example.org.", _ORIGIN),
                Setting(
                    "user", "User id", "The account of the bot, for example @wirken:example.org.", r"@[!-9;-~]+:\S+"
                ),
                Setting("password", "Password", "Of that account; it is used to log in.", r"[ -~]{1,256}", secret=True),
                Setting(
                    "store_key",
                    "Key of the encryption store",
                    "Protects the keys of encrypted rooms on this machine; made for you.",
                    r"[ -~]{16,256}",
                    secret=True,
                    made=True,
                ),
                _PREFIX,
            ),
            host_of=("homeserver",),
            keeps_state=True,
        ),
        ChannelKind(
            WhatsApp.CHANNEL,
            "WhatsApp",
            (
                Setting("phone_id", "Phone number id", "Meta for Developers, WhatsApp, API Setup.", r"[0-9]{5,32}"),
                Setting(
                    "token",
                    "Access token",
                    "Business settings, System users, Generate token, with whatsapp_business_messaging.",
                    r"[A-Za-z0-9_-]{20,512}",
                    secret=True,
                ),
                Setting(
                    "app_secret",
                    "App secret",
                    "Your app, App settings, Basic. It proves that a webhook call is WhatsApp's.",
                    r"[0-9a-f]{16,128}",
                    secret=True,
                ),
                Setting(
                    "verify_token",
                    "Verify token",
                    "Made for you; enter it where WhatsApp asks for it as you set the callback address.",
                    r"[!-~]{8,128}",
                    secret=True,
                    made=True,
                    entered=True,
                ),
                _PREFIX,
                _API,
            ),
            hosts=("graph.facebook.com", "lookaside.fbsbx.com"),
            port=limits.WHATSAPP_PORT,
        ),
    )
}
"""By channel. `settings` are asked in this order."""
