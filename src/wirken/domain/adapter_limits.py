"""The numbers that bound an adapter: what is on its way, what is remembered, how long is waited.

A part of `limits.py`, to which everything else belongs.
"""

from __future__ import annotations

from typing import Final

from wirken.domain.limits import SHARED_FILE

# --- messages that come -----------------------------------------------------------------------------
INBOUND: Final = 64  # messages of one adapter on their way to the gateway at once; a quarter of CHANNEL_MESSAGES
INBOUND_WAITING: Final = 1024  # messages that wait for files or their turn before that; more are not acknowledged
INBOUND_TIME: Final = 60.0  # seconds the gateway has to put a message's row on disk, then it is handed over again
PRESS_TIME: Final = 20.0  # seconds it has for an answer's row; a person waits with a finger on the button
ATTACHMENTS: Final = 10  # files of one message; what people choose at once in an album
ATTACHMENT: Final = SHARED_FILE  # bytes of all files of one message; Telegram gives bots 20 MB
ATTACHMENT_NAME: Final = 60  # characters of its name; with 4 bytes each still a file's name anywhere (NAME_MAX, 255)
ATTACHMENT_SUFFIX: Final = 16  # characters of a suffix that is kept where the name is cut
MEDIA_TYPE: Final = 127  # bytes of a media type; RFC 6838, 4.2, has 127 for each half of it, real ones have 30
FETCHES: Final = 2  # messages whose files are fetched at once; each message's are held in memory
FILES_SENT: Final = 2  # files on their way to a platform at once; each is held in memory once more
FETCH_TIME: Final = 300.0  # seconds one file may take; 32 MiB at 1 Mbit/s
FETCH_TRIES: Final = 3  # attempts before the person is told that a file could not be had

# --- messages that go -------------------------------------------------------------------------------
SENDINGS: Final = 256  # messages on their way to a platform at once: DELIVERIES, and some that outlived a gateway
DELIVERED: Final = 1024  # of which it is remembered that they arrived, should the gateway ask again
SAYINGS: Final = 64  # sentences about messages that were not taken, on their way at once; more are left unsaid
WRITE_AT_ONCE: Final = 2000  # characters rendered between two events of the loop, in about 15 ms; longer in a thread
PIECES: Final = 128  # messages that one answer may become; 100,000 letters are 55 on Discord
SEND_TIME: Final = 120.0  # seconds a platform has to take a message before it counts as away
SEND_FILE_TIME: Final = 600.0  # seconds to take a file
SEND_FIRST: Final = 0.5  # seconds before a message is tried again; doubles from there
SEND_LONGEST: Final = 30.0  # seconds between two tries; a platform's outage lasts minutes
SLOW_DOWN: Final = 3600.0  # seconds of a pause that a platform may ask for; longer ones are tried after this
SLOWED: Final = 1024  # conversations whose pauses are remembered; the pause nearest its end is forgotten first

# --- what is shown meanwhile ------------------------------------------------------------------------
STREAM_AFTER: Final = 1.5  # seconds of writing before a preview appears; what is ready by then needs none
STREAM_SHORTEST: Final = 60  # characters before a preview appears; a line is read at once
STREAM_TEXT: Final = 8192  # characters kept of an answer for its preview; more than any platform's message but Matrix's
STREAM_UNFINISHED: Final = 1000  # characters left of a preview whose turn failed; with the sentence on that one message
STREAM_TIME: Final = 10.0  # seconds a platform has to take a preview; its successor is more to the point
STREAM_GRACE: Final = 30.0  # seconds after a turn's end in which its answer takes the place of the preview
STREAMS: Final = 64  # conversations with a preview at once; the others get whole answers
TYPING_SILENT: Final = 330.0  # seconds without any sign of a turn after which nobody types; EXEC_TIME and a breath
UNDERWAY: Final = 256  # conversations whose running turns are known; the longest known is forgotten

# --- questions --------------------------------------------------------------------------------------
QUESTIONS: Final = 256  # questions that an adapter knows the message of; the oldest is forgotten
QUESTION_PIECES: Final = 8  # messages that one question may fill; a longer call is decided at a terminal or the page
QUESTION_MESSAGES: Final = 4  # messages of one question that are rewritten: it may have been shown by a process before

# --- being connected --------------------------------------------------------------------------------
STATE_PAUSE: Final = 1.0  # seconds between two words to the gateway about the platform; it may flap
RECONNECT_FIRST: Final = 1.0  # seconds before a lost platform is connected again; doubles from there
RECONNECT_LONGEST: Final = 60.0  # seconds between two tries; a fresh resume or a wake tries at once
RECONNECT_FORGET: Final = 120.0  # seconds connected after which earlier losses no longer count
WATCH: Final = 5.0  # seconds between looks at the two clocks
SUSPENDED: Final = 15.0  # seconds the wall clock ran ahead of the steady one: the machine slept; clocks step less
