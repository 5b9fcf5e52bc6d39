"""A command that takes no secret as an argument, and does not repeat one that somebody tried to give so."""

from __future__ import annotations

import click

from wirken.domain.errors import UsageError


class SecretInArguments(UsageError):
    """There are more words on the command line than the command takes; one of them may be a secret."""

    hint = (
        "If one of them is a secret, count it as known: other users see it in the list of processes, and the shell "
        "keeps it in its history. Secrets come from a hidden prompt or --stdin."
    )


class Discreet(click.Command):
    """Click would print the surplus words."""

    allow_extra_args = True

    def invoke(self, ctx: click.Context) -> object:
        """Run the command, unless there are surplus words. Raises `SecretInArguments`."""
        if ctx.args:
            raise SecretInArguments("The command line has more words than this command takes.")
        return super().invoke(ctx)
