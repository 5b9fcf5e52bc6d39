"""The entry point; answers `--version` before anything is loaded."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words in (["--version"], ["-V"]):
        return _version()
    from wirken.cli.app import run

    return run(words)


def _version() -> int:
    from wirken import __version__

    print(f"wirken {__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
