"""The tables of paths: which names steer, and which commonly hold a credential."""

from __future__ import annotations

from typing import Final

STEERING_FILES: Final = frozenset(
    (
        "agents.md soul.md user.md claude.md gemini.md memory.md skill.md .envrc .cursorrules .windsurfrules "
        ".bashrc .bash_profile .bash_login .bash_logout .profile .zshrc .zshenv .zprofile .inputrc .vimrc .exrc "
        ".dir-locals.el .editorconfig .gitconfig .gitattributes .gitmodules .npmrc .pypirc .pre-commit-config.yaml "
        ".gitlab-ci.yml makefile gnumakefile justfile"
    ).split()
)
"""File names, folded, whose content steers the agent or the person's own tools: destructive to write."""

STEERING_FOLDERS: Final = frozenset("skills .git .vscode .idea .cursor .claude .github .husky .devcontainer".split())
"""Folder names, folded, in which every file steers."""

CREDENTIAL_NAMES: Final = frozenset(
    (
        ".env .netrc _netrc .pgpass .ssh .aws .gnupg .azure .kube .docker .wirken id_rsa id_ed25519 id_ecdsa "
        "id_dsa credentials credentials.json credentials.toml .git-credentials .vault-token .my.cnf .s3cfg .boto "
        ".htpasswd .password-store .terraformrc terraform.tfstate kubeconfig gcloud .databrickscfg rclone.conf "
        ".msmtprc .fetchmailrc secring.gpg wallet.dat shadow gshadow vault.db device.key keychains keyrings "
        ".mozilla google-chrome chromium bravesoftware microsoft-edge .thunderbird logins.json key3.db key4.db "
        "cookies.sqlite cookies"
    ).split()
) | {"login data", "brave-browser"}
"""Path parts, folded, that commonly hold a credential: keys, tokens, our data directory, browser profiles."""

CREDENTIAL_ENDINGS: Final = (
    *(".pem", ".key", ".p12", ".pfx", ".kdbx", ".keystore", ".jks", ".age", ".ppk", ".ovpn", ".env"),
)
