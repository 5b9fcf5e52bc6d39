"""The numbers that bound what goes to messaging platforms, each with its unit, its reason and its source.

A part of `limits.py`, to which everything else belongs.
"""

from __future__ import annotations

from typing import Final

# --- reading Markdown --------------------------------------------------------------------------------
MARKUP_SOURCE: Final = 1_000_000  # characters that are read as Markdown, in some seconds; longer text is sent as it is
MARKUP_DEPTH: Final = 20  # levels of blocks in blocks; deeper text is sent as it is, for the parser would drop it
MARKUP_TOKENS: Final = 200_000  # parts of the parsed text; a table of empty cells makes 20 from one character
CODE_LANGUAGE: Final = 32  # characters of a code block's language
LINK_TARGET: Final = 1024  # characters of a link's address; with its text it has to fit one Discord message
LINK_TEXT: Final = 256  # characters of a link's text; escaped twice as many
TABLE_WIDTH: Final = 56  # columns of a table drawn in letters of one width; a telephone turned sideways shows as many
TABLE_CELLS: Final = 5000  # cells of a table that is laid out; a larger one is sent as its source

# --- one message -------------------------------------------------------------------------------------
TELEGRAM_TEXT: Final = 4096  # UTF-16 units after entities are parsed (Bot API, sendMessage, `text`)
TELEGRAM_ENTITIES: Final = 100  # entities of one message; the Bot API leaves further ones out without a word
DISCORD_TEXT: Final = 2000  # characters (Create Message, `content`); counted in UTF-16 units, which are never fewer
SLACK_TEXT: Final = 4000  # characters, as chat.postMessage advises; from 40,000 on it truncates, a section takes 3,000
MATRIX_EVENT: Final = 65_536  # bytes of an event as JSON (client-server API, "Size limits")
MATRIX_ENVELOPE: Final = 6144  # bytes of it for ids, hashes, signatures, relations and what encryption names
MATRIX_CONTENT: Final = 3 * (MATRIX_EVENT - MATRIX_ENVELOPE) // 4  # bytes; Megolm's Base64 makes 4 bytes of 3
TEAMS_MESSAGE: Final = 28 * 1024  # bytes of a whole message in UTF-16; 40 KiB are documented, older services took 28
TEAMS_ENVELOPE: Final = 4096  # bytes of it for the activity around the text
WHATSAPP_TEXT: Final = 4096  # characters (Cloud API, text messages, `body`); counted in UTF-16 units

# --- delivering --------------------------------------------------------------------------------------
DELIVERIES: Final = 192  # messages on their way to one channel at once; an adapter answers LINK_QUESTIONS, 256
DELIVERY_LATE: Final = 120.0  # seconds after which an answer says that it is late; a restart takes five
DELIVERY_LIFETIME: Final = 7 * 86_400  # seconds in which an answer may still be sent; a laptop that was shut for a week
DELIVERY_IDS: Final = 2048  # messages of a platform that one answer may become: an ANSWER in Discord's 2000 characters
CHANNEL_DETAIL: Final = 200  # bytes kept of what an adapter says about its platform; one line of `wirken status`
