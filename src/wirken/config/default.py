"""The configuration that a first command writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from wirken.config.load import ConfigInvalid

_TEMPLATE: Final = """\
# Wirken's configuration. Unknown keys are refused; what is left out has the value shown here.
# After a change, restart `wirken run`.

[agents.default]
model = {model}    # "<provider>/<model>"; "rehearsal/rehearsal" needs no network
# workspace = "/home/me/project"       # where it works; else agents/default/workspace beside this file
# read_only = ["/home/me/reference"]   # further folders it may read
# instructions = ""                    # appended to the system prompt

# [agents.default.egress.terminal]     # docs/egress.md; a channel without such a table has no network
# mode = "ask"                         # "none", "allowlist", "ask" (each other host) or "open"
# domains = ["docs.example.org"]       # also "*.example.org"
# presets = ["python", "github"]       # registries and forges; see docs/egress.md

# Ollama on this machine needs no entry. Any server that speaks OpenAI's chat completions:
# [providers.mine]
# kind = "openai"                      # or "ollama"
# base_url = "https://api.example.com/v1"
# credential = "mine"                  # stored with `wirken credentials add mine`; leave out if it needs none

# [channels.telegram]                  # `wirken channel add telegram` writes it; docs/channels/
# enabled = true                       # the token is no part of this file: it lies in the vault
# agent = "default"                    # who answers there
# stream = true                        # show an answer while it is written
# prefix = "!ai"                       # in groups, hear what begins with this

# [web]
# port = 18790                         # the page, on this machine only
# uids = [1001]                        # further users of this machine who may use it, in your name

# [sandbox]
# mode = "auto"                        # or "bubblewrap", "docker", "gvisor"; "off": no command is ever run
# image = "debian:stable-slim"         # with docker and gvisor; you fetch it, Wirken does not
# memory_mib = 512                     # also: processes, seconds, tmp_mib; they can only be lowered
# tools = "/srv/images/debian"         # an unpacked image whose programs commands get; else this machine's
# reach = ["~"]                        # below these, a person may let one call have a path; [] for none

# [confine]                            # docs/confinement.md
# allow_missing = ["landlock-tcp"]     # walls of Wirken's own processes that this machine may lack

# [web_search]                         # docs/web.md
# kind = "searxng"                     # or "brave", "tavily", with credential = "NAME"
# base_url = "http://127.0.0.1:8888"

# [approvals]
# ask_seconds = 60                     # to answer at `wirken ask`
# daemon_seconds = 300                 # to answer anywhere else; up to 86400, a day
# home = "telegram/12345"              # your conversation: asked there where whoever asks may not answer
# approvers = "slack/C0123"            # the approvers' one, asked instead of yours
# quiet = "22:00-07:00"                # hours in which neither is asked; the question waits
# zone = "Europe/Berlin"               # of these hours; else this machine's

# [permissions]
# four_eyes = true                     # nobody answers the questions that their own messages raised

# [policy]                             # docs/policy.md
# blocked_tools = ["exec"]             # tools that nobody's yes can allow; "mcp_*" is all that begin so
# allowed_tools = ["read_file"]        # if set: these and no others
# file = "/etc/wirken/policy.toml"     # an organisation's lists, which apply as well

# [limits]                             # in a minute; 0 is no limit
# messages_per_minute = 120            # of each person
# tool_calls_per_minute = 240
# channel_messages_per_minute = 600    # of all on one channel
# channel_tool_calls_per_minute = 1200

# [budgets.daily]
# agent = "*"                          # each agent apart; "" counts all together; or one agent's name
# per = "day"                          # "hour", "day" or "week"
# mode = "block"                       # before the model is asked; "alert" only says so, "off" does nothing
# tokens = 500000                      # also: model_calls, tool_calls
# money = "5.00"                       # counted by these prices; a model without one is then not asked

# [prices."mine/*"]                    # for a million tokens; the longest name that fits counts
# input = "2.50"
# output = "10.00"
# cached_input = "1.25"                # else as input
"""


def text(model: str) -> str:
    """Return the commented default configuration with `model` (`<provider>/<model>`)."""
    # A JSON string is a TOML string too, as long as nothing is written as a surrogate pair and DEL is not bare.
    return _TEMPLATE.format(model=json.dumps(model, ensure_ascii=False).replace("\x7f", "\\u007f"))


def write(path: Path, model: str) -> bool:
    """Write the default configuration (0600) in its directory (0700); True if this call made the file.

    The file appears complete or not at all; one that exists stays. Raises `ConfigInvalid`.
    """
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text(model))
            path.hardlink_to(half)
        except FileExistsError:
            return False
        finally:
            half.unlink()
    except OSError as error:
        raise ConfigInvalid(
            f"{path} cannot be made: {error.strerror}.",
            hint="Set WIRKEN_DATA_DIR to a folder that can be written.",
        ) from None
    return True
