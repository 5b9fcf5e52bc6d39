"""What a command finds in addition when it was granted a network: the proxy, and the machine's CA certificates.

The sandbox has the same loopback and nothing else; these settings only tell programs where the way out begins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from wirken.confine.roles import CERTIFICATES
from wirken.domain import limits
from wirken.runner.hatch import LOOPBACK

_PROXY: Final = f"http://{LOOPBACK}:{limits.EGRESS_PORT}"
BUNDLES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")

_ALWAYS: Final = {
    "http_proxy": _PROXY,  # curl and git read no HTTP_PROXY: a CGI program's caller could set it
    "https_proxy": _PROXY,
    "HTTP_PROXY": _PROXY,
    "HTTPS_PROXY": _PROXY,
    "no_proxy": "localhost,127.0.0.1,::1",  # servers that the command itself starts
    "NO_PROXY": "localhost,127.0.0.1,::1",
    "NODE_USE_ENV_PROXY": "1",  # Node's own fetch looks at the variables above only when told
    "GIT_TERMINAL_PROMPT": "0",  # there is nobody to ask for a name; fail with a sentence
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",  # each host may be a question to a person; ask for no extra ones
    "PIP_NO_CACHE_DIR": "1",  # the cache would lie in /tmp, which is small and thrown away
    "PIP_NO_INPUT": "1",
    "npm_config_update_notifier": "false",
    "npm_config_fund": "false",
}


class Certificates(NamedTuple):
    """Where the machine keeps its CA certificates. Absolute paths, the same in the sandbox."""

    folders: tuple[tuple[str, str], ...]
    """Source and place of each folder."""
    bundle: str
    """The one file that holds all of them; empty if there is none."""


def certificates(host: Path) -> Certificates:
    """Return what lies below the root `host`."""
    folders = tuple((str(host / path[1:]), path) for path in CERTIFICATES if (host / path[1:]).is_dir())
    return Certificates(folders, next((path for path in BUNDLES if (host / path[1:]).is_file()), ""))


def environment(certificates: Certificates) -> dict[str, str]:
    """Return the variables of a command with a network, beside those that every command has."""
    if not certificates.bundle:
        return dict(_ALWAYS)
    # These programs bring a list of their own, which lacks the authorities that the operator added.
    named = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), certificates.bundle)
    return _ALWAYS | named
