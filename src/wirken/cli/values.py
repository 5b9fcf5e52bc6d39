"""Where the value of a credential comes from: a hidden prompt, a pipe or a file; never the command line."""

from __future__ import annotations

import os
import stat

from wirken.cli import prompting
from wirken.cli.output import Output
from wirken.domain import limits
from wirken.domain.errors import UsageError
from wirken.domain.secret import Secret


def value(name: str, out: Output, *, stdin: bool, file: str | None) -> Secret:
    """Return the value for the credential `name`. Raises `BadInput`, `NoTerminal`, `UsageError`."""
    if stdin and file is not None:
        raise UsageError("--stdin and --value-file exclude each other.")
    if stdin:
        return prompting.piped(limits.CREDENTIAL)
    if file is not None:
        return from_file(file, out)
    return prompting.hidden_twice(f"Value of {name} (not shown): ", "The same again: ")


def from_file(path: str, out: Output) -> Secret:
    """Return a file's content without one newline at its end; a pipe will do.

    Says so where others may read the file. The path is not repeated in errors: it may be a value that was put in
    the wrong place. Raises `BadInput`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            seen = os.fstat(descriptor)
            raw = file.read(limits.CREDENTIAL + 3)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no path"
        raise prompting.BadInput(f"The file of --value-file cannot be read: {why}.") from None
    if stat.S_ISREG(seen.st_mode):
        if seen.st_mode & 0o077:
            out.note("Other users of this machine may read that file. Count its content as known to them.")
        out.note("The file still holds the value; remove it once it is not needed any more.")
    return prompting.without_newline(raw, limits.CREDENTIAL)
