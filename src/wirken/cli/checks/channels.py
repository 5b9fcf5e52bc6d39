"""The chat platforms: is each channel connected, and does its platform take the token?"""

from __future__ import annotations

from collections.abc import Iterator

from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation


def connected(home: Installation) -> Iterator[Finding]:
    """Is each channel that is switched on connected to its platform?"""
    served = sorted(home.config.adapters.values())
    found = home.running
    if served and (found is None or found.gateway is None):
        yield info(f"{', '.join(served)}: Wirken does not run, so nobody is served", fix="wirken run")
        return
    rows = {row.channel: row for row in found.gateway.channels} if found is not None and found.gateway else {}
    for channel in served:
        row = rows.get(channel)
        if row is None or not row.attached:
            yield yellow(f"{channel}: its adapter does not run", "Messages wait on the platform.", "wirken status")
        elif row.revoked:
            why = f"The platform refuses its token: {row.detail}"
            yield red(f"{channel}: refused", why, f"wirken channel add {channel}")
        elif not row.connected:
            yield yellow(f"{channel}: not connected", row.detail, f"wirken channel test {channel}")
        else:
            yield ok(f"{channel}: connected {f'as {row.detail}' if row.detail else ''}".rstrip())
