"""Which credential goes with which request."""

from __future__ import annotations

import pytest

from wirken.config.load import ConfigInvalid, parse
from wirken.config.requests import use
from wirken.domain.actions import CredentialUse
from wirken.domain.urls import target

BOUND = """
[http_credentials.issues]
credential = "github"
host = "API.GitHub.com"
path = "/repos/me/one/issues"
methods = ["GET", "POST"]
tier = "tier2"
[http_credentials.all]
credential = "github-read"
host = "api.github.com"
path = "/repos/"
"""


@pytest.mark.parametrize(
    ("method", "url", "name"),
    [
        ("GET", "https://api.github.com/repos/me/one/issues", "issues"),
        ("POST", "https://api.github.com/repos/me/one/issues/1?x=y", "issues"),
        ("GET", "https://api.github.com/repos/me/one/issues-of-others", "all"),
        ("GET", "https://api.github.com/repos/me", "all"),
        ("GET", "https://api.github.com/reposx", ""),
        ("DELETE", "https://api.github.com/repos/me/one/issues/1", ""),
        ("GET", "http://api.github.com/repos/me/one/issues", ""),
        ("GET", "https://api.github.com.evil.test/repos/me", ""),
        ("GET", "https://evil.test/repos/me?api.github.com", ""),
    ],
)
def test_a_credential_goes_to_its_host_path_and_methods_alone(method: str, url: str, name: str) -> None:
    found = use(parse(BOUND.encode(), "config.toml").http_credentials, method, target(url))
    assert (found.name if found else "") == name
    if name == "issues":
        assert found == CredentialUse("issues", "tier2")


def test_outbound_may_ask_for_what_is_bound_and_nothing_else() -> None:
    text = BOUND + '[web_search]\nkind = "brave"\ncredential = "search"\n'
    assert parse(text.encode(), "config.toml").credentials == ("github", "github-read", "search")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[http_credentials.x]\ncredential = "a"\nhost = "127.0.0.1"\n', "address"),
        ('[http_credentials.x]\ncredential = "a"\nhost = "*.example.org"\n', "host"),
        ('[http_credentials.x]\ncredential = ""\nhost = "example.org"\n', "credential"),
        ('[http_credentials.x]\ncredential = "a"\nhost = "example.org"\nformat = "Bearer"\n', "format"),
        ('[http_credentials.x]\ncredential = "a"\nhost = "example.org"\nformat = "{}\\n{}"\n', "format"),
        ('[http_credentials.x]\ncredential = "a"\nhost = "example.org"\nmethods = []\n', "methods"),
        ('[http_credentials.x]\ncredential = "a"\nhost = "example.org"\nheader = "X Y"\n', "header"),
        ('[http_credentials.x]\ncredential = "a"\nhost = "example.org"\npath = "/a/../b"\n', "part"),
        ('[http_credentials.x]\ncredential = "a"\nhost = "example.org"\nheader = "Host"\n', "how a request is read"),
        ('[http_credentials.x]\ncredential = "a"\nhosts = "example.org"\n', "Did you mean|no key"),
        (
            '[http_credentials.x]\ncredential = "a"\nhost = "example.org"\n'
            '[http_credentials.y]\ncredential = "b"\nhost = "Example.org"\n',
            "same requests",
        ),
        ('[web_search]\nkind = "searxng"\n', "base_url"),
        ('[web_search]\nkind = "brave"\n', "credential"),
        ('[web_search]\nkind = "google"\n', "kind"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        parse(text.encode(), "config.toml")
