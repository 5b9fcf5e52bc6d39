"""The vault: how its key is kept, whether it is open, and what its credentials need."""

from __future__ import annotations

from collections.abc import Iterator

from wirken.cli import aging, vaults
from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation

_PROTECT = "wirken keys protect --with passphrase    (or keychain)"


def device_key(home: Installation) -> Iterator[Finding]:
    """How is the key kept that opens all others?"""
    match vaults.kept_by(home.paths):
        case "":
            yield info("there is no vault yet", "The first start makes one.")
        case "keyfile":
            yield _key_file(home)
        case kept:
            yield ok(f"kept by: {kept}")


def _key_file(home: Installation) -> Finding:
    why = "Whoever gets this file and the vault, out of a backup for example, has every credential."
    if home.credentials is None:
        return yellow("a file keeps the key (whether the vault holds credentials: --deep looks)", why, _PROTECT)
    if home.credentials:
        return red(f"a file keeps the key to {len(home.credentials)} credentials", why, _PROTECT)
    return yellow("a file keeps the key; the vault holds no credential yet", why, _PROTECT)


def sealed(home: Installation) -> Iterator[Finding]:
    """Does Wirken wait for its vault?"""
    vault = home.running.vault if home.running is not None else None
    if vault is None or home.running is None:
        return
    if not vault.sealed:
        yield ok("open")
    elif home.running.state == "temporary":
        yield info("sealed, until a command asks for its passphrase")
    elif home.running.state == "sealed":
        yield red("sealed, and every process waits for it", "It needs its passphrase or keychain.", "wirken unlock")
    else:
        why = "Nothing is attested and no key is handed out until it is open."
        yield red("sealed: it was started anew", why, "wirken unlock")


def credentials(home: Installation) -> Iterator[Finding]:
    """Are the stored keys good for longer, and are those there that the configuration names?"""
    rows = home.credentials
    bound = _bound(home)
    if rows is None:
        if bound:
            yield info(f"config.toml names: {', '.join(sorted(bound))}", "Whether they are stored: --deep looks.")
        return
    missing = sorted(set(bound) - {row.name for row in rows})
    for name in missing:
        why = f"[providers.{bound[name]}] needs it."
        yield red(f"{name} is named in config.toml and not stored", why, f"wirken credentials add {name}")
    states = {row.name: aging.state(row, home.now) for row in rows}
    for name, state in states.items():
        if state == "expired":
            yield red(f"{name} has expired", "It is not handed out any more.", f"wirken credentials rotate {name}")
        elif state != "ok":
            why = "Keys leak unnoticed; one that is changed every 90 days is of use to nobody for long."
            yield yellow(f"{name}: {state}", why, f"wirken credentials rotate {name}")
    if not missing and set(states.values()) <= {"ok"}:
        yield ok(f"{len(rows)} stored, none expired or due for rotation")


def _bound(home: Installation) -> dict[str, str]:
    """Return the credentials that the configuration names, each with a provider that uses it."""
    return {entry.credential: name for name, entry in home.config.providers.items() if entry.credential}
