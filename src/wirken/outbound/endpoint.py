"""Where a provider is, checked: TLS everywhere but on this machine, no secrets in the address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from wirken.config.model import OLLAMA_URL, Config
from wirken.domain.hosts import host_name
from wirken.outbound.failures import BadEndpoint
from wirken.outbound.resolve import Address, Resolver


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked `base_url`, without a slash at its end. `origin` is its scheme, host and port."""

    url: str
    origin: str
    tls: bool


class Located(NamedTuple):
    """The parts of a checked address. `path` does not end with a slash."""

    scheme: str
    host: str
    port: int
    path: str


def endpoint(provider: str, base_url: str) -> Endpoint:
    """Return the checked address. Raises `BadEndpoint`, which names the provider, not the address."""
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadEndpoint(f"The `base_url` of {provider} is no address.") from None
    _check(provider, base_url, parts, host)
    shown_host = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown_host}" + (f":{port}" if port is not None else "")
    return Endpoint(origin + parts.path.rstrip("/"), origin, parts.scheme == "https")


def ports(config: Config) -> tuple[int, ...]:
    """Return the TCP ports of all providers, of the search and of the relay's rows, Ollama's usual one included."""
    providers = (entry.base_url for entry in config.providers.values())
    found = {_port(address) for address in (OLLAMA_URL, config.web_search.address, *providers) if address}
    return tuple(sorted({*found, *config.relay_ports} - {0}))


def located(name: str, base_url: str) -> Located:
    """Return the parts of an address that the operator wrote. Raises `BadEndpoint`."""
    parts = urlsplit(endpoint(name, base_url).url)
    return Located(parts.scheme, parts.hostname or "", _port(base_url), parts.path)


async def leads(where: Located, resolver: Resolver) -> tuple[Address, ...]:
    """Return where an operator's own address leads: a loopback one as it stands, every other name to public ones.

    Raises `ResolutionFailed`, `PrivateAddress`, `BadHost`.
    """
    if not is_loopback(where.host):
        return await resolver.addresses(host_name(where.host))
    return (ipaddress.ip_address("127.0.0.1" if where.host == "localhost" else where.host),)


def _port(address: str) -> int:
    try:
        parts = urlsplit(address)
        return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return 0


def is_loopback(host: str) -> bool:
    """Tell whether `host` can only be this machine: 127.0.0.0/8, ::1, localhost (RFC 6761, 6.3)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(provider: str, base_url: str, parts: SplitResult, host: str) -> None:
    if parts.scheme not in ("http", "https") or not host or not base_url.isascii() or not base_url.isprintable():
        raise BadEndpoint(
            f"The `base_url` of {provider} is no http or https address.",
            hint="Write for example https://api.openai.com/v1 or http://127.0.0.1:11434.",
        )
    if "@" in parts.netloc:
        raise BadEndpoint(
            f"The `base_url` of {provider} contains a user or password.",
            hint="Store the key with `wirken credentials add` and name it as the provider's `credential`.",
        )
    if parts.query or parts.fragment or " " in base_url:
        raise BadEndpoint(f"The `base_url` of {provider} has a part after ? or #, which cannot be used.")
    if parts.scheme == "http" and not is_loopback(host):
        raise BadEndpoint(
            f"The `base_url` of {provider} uses http:// for another machine; others could read along.",
            hint="Use https://, or an ssh tunnel to a port of 127.0.0.1.",
        )
