"""Hosts that the usual package managers and forges need, by the name that an operator writes in `presets`.

Each list is what the tools themselves ask for when a package is fetched; nothing that only a browser needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PRESETS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "python": ("pypi.org", "files.pythonhosted.org"),
        "npm": ("registry.npmjs.org", "registry.yarnpkg.com"),
        "rust": ("crates.io", "index.crates.io", "static.crates.io"),
        "go": ("proxy.golang.org", "sum.golang.org"),
        "ruby": ("rubygems.org", "index.rubygems.org"),
        "java": ("repo.maven.apache.org", "repo1.maven.org"),
        "debian": ("deb.debian.org", "security.debian.org"),
        "ubuntu": ("archive.ubuntu.com", "security.ubuntu.com", "ports.ubuntu.com"),
        "github": (
            *("github.com", "api.github.com", "codeload.github.com", "raw.githubusercontent.com"),
            *("objects.githubusercontent.com", "release-assets.githubusercontent.com", "media.githubusercontent.com"),
        ),
        "gitlab": ("gitlab.com",),
        "codeberg": ("codeberg.org",),
    }
)
