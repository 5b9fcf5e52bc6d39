"""The models: does each provider that an agent uses answer, and does it have the model?

Asked without any key: keys stay with the vault and the outbound process.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation
from wirken.config.model import REHEARSAL, ProviderConfig
from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.outbound.endpoint import Endpoint, endpoint, is_loopback

_LISTENING: Final = "0A"
_LOOPBACK_V6: Final = ("00000000000000000000000001000000", "0000000000000000FFFF0000")


class Answer(NamedTuple):
    """What a provider said: an HTTP status, or 0 and why there is none; and the models that it lists."""

    status: int
    said: str
    models: frozenset[str]


def reachable(home: Installation) -> Iterator[Finding]:
    """Does the provider of each agent's model answer?"""
    if home.config_trouble is not None:
        return
    wanted = {entry.model: (entry.provider, entry.model_name) for entry in home.config.agents.values()}
    for provider, model in wanted.values():
        if provider == REHEARSAL:
            yield info("rehearsal is built in; it does what its input says and is no language model")
            continue
        entry = home.config.provider(provider)
        try:
            address = endpoint(provider, entry.base_url)
        except WirkenError as error:
            yield red(str(error), "It is not used so.", error.advice)
            continue
        yield from _of_provider(home, provider, entry, address, model)


def _of_provider(
    home: Installation, name: str, entry: ProviderConfig, address: Endpoint, model: str
) -> Iterator[Finding]:
    answer = asked(address, "/api/tags" if entry.kind == "ollama" else "/models")
    if not answer.status:
        fix = "Start it: ollama serve" if entry.kind == "ollama" else f"Check base_url of [providers.{name}]."
        yield red(f"{name} does not answer at {address.origin}: {answer.said}", "No turn can be run with it.", fix)
        return
    if answer.status >= 500:
        yield yellow(f"{name} at {address.origin} has trouble ({answer.status})", "It may pass.", "Try again later.")
    elif answer.models and not answer.models & {model, f"{model}:latest"}:
        fix = f"ollama pull {model}" if entry.kind == "ollama" else "Choose another in config.toml."
        yield red(f"{name} at {address.origin} has no model {model}", "No turn can be run with it.", fix)
    elif entry.kind == "ollama" and answer.status == 200 and not answer.models:
        yield red(f"{name} at {address.origin} has no model at all", "No turn can be run.", f"ollama pull {model}")
    else:
        yield ok(f"{name} answers at {address.origin}" + (f" and has {model}" if answer.models else ""))
    parts = urlsplit(address.url)
    if is_loopback(parts.hostname or "") and exposed(home, parts.port or 80):
        yield yellow(
            f"{name} listens on every address of this machine, not on loopback alone",
            "Everybody on your network can use it, and read the model's context through it.",
            "For Ollama: OLLAMA_HOST=127.0.0.1:11434",
        )


def asked(address: Endpoint, path: str) -> Answer:
    """Return what a GET says, without a key. Follows no redirection."""
    parts = urlsplit(address.url)
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=limits.PROVIDER_STATUS, context=ssl.create_default_context())
        if address.tls
        else http.client.HTTPConnection(host, port, timeout=limits.PROVIDER_STATUS)
    )
    try:
        connection.request("GET", parts.path + path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(limits.DOCTOR_ANSWER)
    except OSError as error:
        return Answer(0, error.strerror or type(error).__name__, frozenset())
    except (ValueError, http.client.HTTPException):
        return Answer(0, "what answers there speaks no HTTP", frozenset())
    finally:
        connection.close()
    return Answer(response.status, "", listed(body) if response.status == 200 else frozenset())


def listed(body: bytes) -> frozenset[str]:
    """Return the names in a list of models, Ollama's or OpenAI's; none where it is neither."""
    try:
        tree: object = json.loads(body)
    except (ValueError, RecursionError):
        return frozenset()
    match tree:
        case {"models": list(rows)}:
            field = "name"
        case {"data": list(rows)}:
            field = "id"
        case _:
            return frozenset()
    return frozenset(str(row[field]) for row in rows if isinstance(row, dict) and isinstance(row.get(field), str))


def exposed(home: Installation, port: int) -> bool:
    """Does anything listen on this port at another address than loopback (proc_net_tcp)?"""
    for table in ("tcp", "tcp6"):
        try:
            lines = (home.root / "proc/net" / table).read_text("ascii").splitlines()[1:]
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            fields = line.split()
            address, _, number = fields[1].partition(":")
            if fields[3] == _LISTENING and int(number, 16) == port and not _is_loopback(address):
                return True
    return False


def _is_loopback(address: str) -> bool:
    """Tell loopback from others in the kernel's notation: words of 32 bits in the machine's byte order."""
    if len(address) == 8:
        return address.endswith("7F")
    return address == _LOOPBACK_V6[0] or (address.startswith(_LOOPBACK_V6[1]) and address.endswith("7F"))
