"""Where Microsoft is, and which addresses out of a message are Microsoft's. Computes and touches nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HOSTED: Final = "https://login.microsoftonline.com"
_METADATA: Final = "https://login.botframework.com/v1/.well-known/openidconfiguration"
_SERVICE: Final = "https://smba.trafficmanager.net/teams"
"""Serves every region ("Send proactive messages"); what comes names a nearer one."""

_PLAIN: Final = re.compile(r"https://([a-z0-9.-]+)(?::443)?((?:/[A-Za-z0-9._~%@:-]*)*)")
_ANY: Final = re.compile(r"https://([a-z0-9.-]+)(?::443)?(/[!-\[\]-~]*)?", re.IGNORECASE)
_KEYS: Final = ("login.botframework.com",)
_CONNECTORS: Final = ("smba.trafficmanager.net", ".botframework.com")
_FILES: Final = (".sharepoint.com",)


@dataclass(frozen=True, slots=True)
class Addresses:
    """`own`: begins the addresses of a server of the operator's own, which takes the place of all of Microsoft's."""

    token: str
    metadata: str
    service: str
    own: str = ""

    def is_keys(self, url: str) -> bool:
        return self._is(url, _PLAIN, _KEYS)

    def is_service(self, url: str) -> bool:
        """May our token go there? Only a Connector's may it."""
        return self._is(url, _PLAIN, _CONNECTORS)

    def is_picture(self, url: str) -> bool:
        """Does a picture lie with a Connector, which wants to see our token?"""
        return self._is(url, _ANY, _CONNECTORS)

    def is_file(self, url: str) -> bool:
        """Does a file lie in somebody's OneDrive, whose address alone opens it?"""
        return self._is(url, _ANY, _FILES)

    def _is(self, url: str, form: re.Pattern[str], hosts: tuple[str, ...]) -> bool:
        if self.own:
            return url.startswith(f"{self.own}/")
        found = form.fullmatch(url)
        if found is None or "/../" in f"{url}/":
            return False
        host = found[1].lower()
        return any(host.endswith(name) if name.startswith(".") else host == name for name in hosts)


def addresses(tenant: str, api_url: str = "") -> Addresses:
    """Return Microsoft's addresses, or those of a server at `api_url`."""
    own = api_url.rstrip("/")
    token = f"{own or _HOSTED}/{tenant}/oauth2/v2.0/token"
    if own:
        return Addresses(token, f"{own}/v1/.well-known/openidconfiguration", f"{own}/teams", own)
    return Addresses(token, _METADATA, _SERVICE)
