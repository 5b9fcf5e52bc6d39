"""The tables that decisions are made from."""

from __future__ import annotations

from typing import Final

HIGH_RISK: Final = frozenset("curl wget ssh scp sftp sudo su doas kubectl helm docker podman nc ncat socat git".split())
"""The sixteen command prefixes that are Tier 3 whatever follows them."""

DESTRUCTIVE: Final = frozenset(
    ("rm rmdir shred truncate dd wipefs mkfs fdisk parted chown chgrp chmod mv install kill killall pkill").split()
)
"""Verbs that remove, overwrite or take away access; `mkfs.*` counts as `mkfs`."""

OPENS_OTHERS: Final = frozenset(
    (
        "sh bash dash zsh ksh ash fish csh tcsh rbash busybox toybox env nohup nice ionice timeout time setsid "
        "stdbuf xargs find eval exec command builtin source . parallel watch script flock chroot unshare nsenter "
        "setpriv runuser chrt taskset ld.so expect tmux screen at batch crontab systemd-run"
    ).split()
)
"""Verbs that run another program named in their arguments. What that is is not read here yet, so the call is
not placed: Tier 3."""

INTERPRETERS: Final = frozenset(
    (
        "python python2 python3 perl ruby node nodejs deno bun php lua tclsh wish awk gawk mawk nawk sed ed ex vi "
        "vim nvim emacs nano make cmake ninja gcc cc g++ c++ clang rustc cargo go java javac gdb strace ltrace tar "
        "zip unzip less more man npm npx pnpm yarn pip pip3 uv pipx gem bundle composer mvn gradle rake just task "
        "sqlite3 psql mysql redis-cli jq"
    ).split()
)
"""Verbs that can run any code given to them. Tier 2 while the sandbox reaches nothing but the workspace; the
question says that the yes covers any code in that sandbox."""

STEERING_FILES: Final = frozenset(
    (
        "agents.md soul.md user.md claude.md gemini.md memory.md skill.md .envrc .cursorrules .windsurfrules "
        ".bashrc .bash_profile .profile .zshrc .gitconfig .gitattributes .gitmodules .npmrc .pypirc makefile "
        "justfile"
    ).split()
)
"""File names, folded, whose content steers the agent or the person's own tools: destructive to write."""

STEERING_FOLDERS: Final = frozenset("skills .git .vscode .idea .cursor .claude .github .husky .devcontainer".split())
"""Folder names, folded, in which every file steers."""

CREDENTIAL_NAMES: Final = frozenset(
    (
        ".env .netrc .pgpass .ssh .aws .gnupg .azure .kube .docker id_rsa id_ed25519 id_ecdsa credentials .git- "
        "credentials"
    ).split()
)
"""Path parts, folded, that commonly hold a credential."""

CREDENTIAL_ENDINGS: Final = (".pem", ".key", ".p12", ".pfx", ".kdbx", ".keystore", ".jks", ".age")

DYNAMIC_KEY: Final = "shell::dynamic:"
"""The key of whatever is not statically certain."""


def may_be_remembered(key: str) -> bool:
    """Can a grant for this key be stored? Only keys that are Tier 2 whatever the arguments."""
    kind, _, name = key.partition(":")
    if kind != "shell" or not name or name.startswith(":"):
        return False
    return name not in HIGH_RISK | DESTRUCTIVE | OPENS_OTHERS
