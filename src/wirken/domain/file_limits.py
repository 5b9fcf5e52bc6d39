"""Limits of files that come with messages and are sent, each with its unit and its reason; part of `limits`."""

from __future__ import annotations

from typing import Final

from wirken.domain.limits import SHARED_FILE

INBOX_NAME: Final = 120  # bytes of a kept file's name; with its number it fits the 143 of encrypted folders
INBOX_MESSAGE: Final = 128 * 2**20  # bytes of all files of one message; two of the largest
INBOX_FILES: Final = 2000  # files kept for one conversation; more are looked through by nobody
INBOX_SIZE: Final = 2 * 2**30  # bytes of them; a disk must not fill up by what others send
INBOX_TIME: Final = 60.0  # seconds a file has to be written, restarts of the runner included
INBOX_AGAIN: Final = 600.0  # seconds after a start for platforms to send once more what a crash left unwritten
CHANNEL_FILES: Final = 64  # files of one adapter on their way to disk at once; each is an open descriptor
CHANNEL_FILES_SIZE: Final = 512 * 2**20  # bytes of them; four messages of the largest
SEND_FILE: Final = SHARED_FILE  # bytes of a file that is sent; a platform may take less, which its adapter says
SEND_WAIT: Final = 240.0  # seconds for a platform to take a file, a reconnect included; below EXEC_TIME
CAPTION: Final = 1024  # characters of a file's caption; what Telegram takes
