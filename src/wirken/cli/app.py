"""The click group behind `wirken`: looks commands up in the table and loads the one that is called."""

from __future__ import annotations

import difflib
import importlib
import os
import sys

import click

from wirken.cli.commands import ALIASES, COMMANDS
from wirken.cli.output import Output
from wirken.domain.errors import UsageError, WirkenError

_FILES = "Look at the path, its owner and its modes; WIRKEN_DATA_DIR names the data directory."
_INTERRUPTED = 130  # what shells report for a program that SIGINT ended


class UnknownCommand(UsageError):
    """There is no command of that name."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        name = ALIASES.get(cmd_name, cmd_name)
        entry = COMMANDS.get(name)
        if entry is None:
            near = difflib.get_close_matches(name, [*COMMANDS, *ALIASES], n=1)
            advice = f"Did you mean `wirken {near[0]}`?" if near else "`wirken --help` lists the commands."
            raise UnknownCommand("There is no command of that name.", hint=advice)
        found: object = importlib.import_module(entry.module).command
        if not isinstance(found, click.Command):
            raise TypeError(f"{entry.module}.command is not a click command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the table's own lines, so that help loads no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(cls=_Commands, name="wirken", context_settings={"help_option_names": ["-h", "--help"]})
def app() -> None:
    """A secure gateway between people, a language model and its tools."""


def run(words: list[str]) -> int:
    """Run one command; every foreseen failure becomes a message on standard error and an exit code."""
    out = Output("--json" in words, sys.stdout, sys.stderr, os.environ)
    try:
        result: object = app.main(words, prog_name="wirken", standalone_mode=False)
    except WirkenError as error:
        out.error(error)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        return UsageError.exit_code
    except click.ClickException as error:
        out.error(UsageError(error.format_message(), hint="`wirken --help` and `wirken COMMAND --help` say more."))
        return UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at exit
        return 0
    except OSError as error:
        out.error(WirkenError(f"{error.filename or 'A file'}: {error.strerror or error}.", hint=_FILES))
        return 1
    return result if isinstance(result, int) else 0
