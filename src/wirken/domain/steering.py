"""Which names belong to files that steer the agent or the person's own tools, wherever they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

STEERING_FILES: Final = frozenset(
    (
        "agents.md soul.md user.md claude.md gemini.md memory.md skill.md .envrc .cursorrules .windsurfrules .bashrc "
        ".bash_profile .bash_login .bash_logout .profile .zshrc .zshenv .zprofile .inputrc .vimrc .exrc "
        ".dir-locals.el .editorconfig .gitconfig .gitattributes .gitmodules .npmrc .pypirc .pre-commit-config.yaml "
        ".gitlab-ci.yml makefile gnumakefile justfile agent.md agents.override.md claude.local.md .mcp.json mcp.json "
        "opencode.json .clinerules .roorules .goosehints .aider.conf.yml .bash_aliases .zlogin .zlogout .kshrc .cshrc "
        ".tcshrc .login .logout .xprofile .xinitrc .nvimrc .nvim.lua .gdbinit .lldbinit .pdbrc .irbrc .pryrc .hgrc "
        ".curlrc .wgetrc .tmux.conf .screenrc .tool-versions mise.toml .mise.toml .devcontainer.json .yarnrc "
        ".yarnrc.yml .pnpmfile.cjs .lefthook.yml lefthook.yml .lintstagedrc .travis.yml .drone.yml "
        "azure-pipelines.yml bitbucket-pipelines.yml jenkinsfile .pre-commit-hooks.yaml .pylintrc pylintrc .lvimrc "
        ".dir-locals-2.el .justfile"
    ).split()
)
"""File names, folded, whose content steers the agent or the person's own tools: destructive to write."""

STEERING_FOLDERS: Final = frozenset(
    (
        "skills .git .vscode .idea .cursor .claude .github .husky .devcontainer .hg .svn .jj .gemini .codex .opencode "
        ".crush .windsurf .roo .kiro .continue .zed .vim .nvim .circleci .gitea .forgejo .gitlab .direnv .mise .yarn"
    ).split()
)
"""Folder names, folded, in which every file steers."""

REPOSITORY: Final = frozenset({"head"})
"""The file, folded, without which git takes no folder for a bare repository and obeys no `config` in there: destructive
to write. Other programs have files of this name; the runner looks whether it is a repository before it keeps one."""

BUILT: Final = frozenset({"makefile", "gnumakefile", ".yarn"})
"""What steers but is written all the time by programs such as `./configure`, `cmake` and `yarn`."""


def is_kept(name: str) -> bool:
    """Is this the name of a file or folder that a command may not change unless its approval covers that?

    A folder counts by the names of files too, and a file by those of folders (`.git` may be either). What builds
    write is left out: it is as much source as the rest.
    """
    folded = name.casefold()
    return folded not in BUILT and (folded in STEERING_FOLDERS or folded in STEERING_FILES)


def steers(parts: Sequence[str]) -> bool:
    """Does a path, given as its parts, name a file that steers, build files included?"""
    folded = [part.casefold() for part in parts]
    return folded[-1] in STEERING_FILES | REPOSITORY or not STEERING_FOLDERS.isdisjoint(folded)
