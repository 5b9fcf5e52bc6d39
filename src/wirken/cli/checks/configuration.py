"""`config.toml`: can it be used, and is it what runs?"""

from __future__ import annotations

from collections.abc import Iterator

from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation
from wirken.cli.config import troubles


def valid(home: Installation) -> Iterator[Finding]:
    """Can it be read, and used?"""
    file = home.paths.config_file
    if not file.exists():
        yield info(f"there is no {file} yet", "The first `wirken run` or `wirken ask` makes one.")
        return
    trouble = home.config_trouble
    found = [trouble] if trouble is not None else troubles(home.paths, home.config)
    for one in found:
        yield red(str(one), "Wirken does not start with it.", one.advice)
    if not found:
        yield ok(str(file))


def network(home: Installation) -> Iterator[Finding]:
    """What may commands reach, and which addresses of this machine or network?"""
    if home.config_trouble is not None:
        return
    for agent, entry in home.config.agents.items():
        for channel, given in entry.egress.items():
            listed = f": {', '.join(given.hosts) or 'no host'}" if given.mode in ("ask", "allowlist") else ""
            seen = f"commands of {agent} on {channel}: network mode {given.mode}{listed}"
            if given.mode == "open":
                yield yellow(
                    seen, "What a command reads, it can send to any public host.", "Choose 'ask' or 'allowlist'."
                )
            else:
                yield info(seen)
    for host, addresses in home.config.egress.pinned.items():
        yield info(f"{host} may be reached at {', '.join(addresses)}", "You named it under [egress] own_addresses.")


def applied(home: Installation) -> Iterator[Finding]:
    """Was it changed since Wirken was started?"""
    if home.running is None or home.running.uptime < 0 or not home.paths.config_file.exists():
        return
    started = home.now / 1000 - home.running.uptime
    if home.paths.config_file.stat().st_mtime > started + 1:  # both are rounded to seconds
        why = "It is read at the start only."
        yield yellow("config.toml was changed after Wirken was started", why, "wirken stop, then wirken run")
    else:
        yield ok("what runs has read this configuration")
