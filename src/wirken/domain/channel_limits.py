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
CHANNEL_CHECK: Final = 30.0  # seconds a platform has to say who the bot is: 10 to reach it, 20 for an answer
CHANNEL_LOOK: Final = 0.2  # seconds between two looks at what an adapter says
FIRST_MESSAGE: Final = 300.0  # seconds to find the bot on a telephone and write to it
FIRST_MESSAGE_LOOK: Final = 0.5  # seconds between two looks for it
MADE_SECRET: Final = 32  # letters and digits of a secret that is made up: 190 bits
CHANNEL_DETAIL: Final = 200  # bytes kept of what an adapter says about its platform; one line of `wirken status`

# --- Telegram (core.telegram.org/bots/api and /bots/faq) -----------------------------------------------
TELEGRAM_POLL: Final = 25  # seconds a poll waits for something to come; a dead connection is noticed soon after
TELEGRAM_BATCH: Final = 100  # updates of one poll, the most there are; so many may wait for the gateway at once
TELEGRAM_RECHECK: Final = 1.0  # seconds that a slow message keeps others from being asked for
TELEGRAM_AGAIN: Final = 1.0  # seconds before a message is handed to a gateway again that was away
TELEGRAM_ANSWER_TIME: Final = 20.0  # seconds between two bytes of an answer; a poll's own wait comes on top
TELEGRAM_WRITE_TIME: Final = 60.0  # seconds until the next bytes of an upload are taken
TELEGRAM_CONNECT: Final = 10.0  # seconds to reach the Bot API through the relay, TLS included
TELEGRAM_ANSWER: Final = 16 * 2**20  # bytes of one answer; 100 updates of 4096 characters, escaped, have 5 MB
TELEGRAM_CONNECTIONS: Final = 8  # connections at once: the poll, and messages and files on their way
TELEGRAM_IDLE: Final = 15.0  # seconds a connection is kept; one that the other side has cut loses a message's answer
TELEGRAM_PAUSE: Final = 1.0  # seconds; the shortest pause after "too many requests"
TELEGRAM_LONGEST_PAUSE: Final = (
    3600.0  # seconds; a longer one is asked for anew, so that a wrong number silences nobody
)
TELEGRAM_EDIT_EVERY: Final = 1.5  # seconds; the FAQ advises at most one message a second in a chat
TELEGRAM_GROUP_EDIT_EVERY: Final = 3.5  # seconds; 20 messages a minute are borne in a group, and some are no edits
TELEGRAM_TYPING_EVERY: Final = 4.5  # seconds; the sign fades after 5 (sendChatAction)
TELEGRAM_CAPTION: Final = 1024  # UTF-16 units of a caption; a longer one follows its file as a message
TELEGRAM_CALLBACK: Final = 64  # bytes that a button carries (InlineKeyboardButton, `callback_data`)
TELEGRAM_TOLD: Final = 200  # characters of the answer to a pressed button (answerCallbackQuery, `text`)
TELEGRAM_UPLOAD: Final = 50_000_000  # bytes of a document that a bot may send (sendDocument)
TELEGRAM_REMEMBERED: Final = 1000  # messages sent last, whose keys are known; groups whose pace or new id is known
TELEGRAM_NAME: Final = 128  # characters of a file's name as it is handed on

# --- Matrix (spec.matrix.org, client-server API; what a homeserver allows by default is Synapse's) -------
MATRIX_SYNC: Final = 25  # seconds a sync waits for something to come; a dead connection is noticed soon after
MATRIX_TIMELINE: Final = 50  # events of a room in one sync; of a busier room the rest is fetched
MATRIX_PAGE: Final = 100  # events fetched at once of what was said meanwhile
MATRIX_GAP: Final = 1000  # events of one room that are fetched after an absence; what is older is told to be lost
MATRIX_BEHIND: Final = 100  # messages that may wait for the gateway before no more are asked for
MATRIX_HOLDS: Final = 2.0  # seconds that a slow message keeps others from being asked for
MATRIX_TEND: Final = 5.0  # seconds between two looks at what waits
MATRIX_AGAIN: Final = 1.0  # seconds before a message is handed to a gateway again that was away
MATRIX_ANSWER_TIME: Final = 20.0  # seconds between two bytes of an answer; a sync's own wait comes on top
MATRIX_WRITE_TIME: Final = 60.0  # seconds until the next bytes of an upload are taken
MATRIX_CONNECT: Final = 10.0  # seconds to reach the homeserver through the relay, TLS included
MATRIX_ANSWER: Final = 32 * 2**20  # bytes of one answer; 50 events of 64 KiB in each of ten rooms
MATRIX_CONNECTIONS: Final = 8  # connections at once: the sync, and messages and files on their way
MATRIX_IDLE: Final = 15.0  # seconds a connection is kept; one that the other side has cut loses a message's answer
MATRIX_PAUSE: Final = 1.0  # seconds; the shortest pause after M_LIMIT_EXCEEDED
MATRIX_LONGEST_PAUSE: Final = 3600.0  # seconds; a longer one is asked for anew, so that a wrong number silences nobody
MATRIX_EDIT_EVERY: Final = 5.0  # seconds; Synapse bears one event in five seconds for long (rc_message 0.2)
MATRIX_TYPING_EVERY: Final = 6.0  # seconds between two signs of typing
MATRIX_TYPING: Final = 9.0  # seconds that one sign lasts
MATRIX_UPLOAD: Final = 50 * 2**20  # bytes of a file (max_upload_size)
MATRIX_REMEMBERED: Final = 1000  # messages of ours whose rooms and questions are known without asking
MATRIX_NAME: Final = 128  # characters of a file's name as it is handed on
MATRIX_UNREAD: Final = 200  # events that wait for their keys, the newest; of older ones the sender was told
MATRIX_KEY_GRACE: Final = 15.0  # seconds in which a key may follow its message before the sender is told
MATRIX_INVITES: Final = 50  # invitations that wait for their sender to be admitted, the newest
MATRIX_INVITES_EVERY: Final = 30.0  # seconds between two looks at who is admitted by now
MATRIX_INDEXES: Final = 10_000  # messages remembered against being played again; 150 bytes each
MATRIX_SESSIONS: Final = 5000  # keys of others' messages that are kept, the newest; 1 KiB each in memory

# --- Discord (docs.discord.com/developers) --------------------------------------------------------------
DISCORD_HELLO: Final = 20.0  # seconds until the gateway must have said hello, or a session must stand
DISCORD_FRAME: Final = 4 * 2**20  # bytes of one gateway event; a message with ten embeds of 6000 characters has 400 kB
DISCORD_BEATS_LEAST: Final = 1.0  # seconds between heartbeats: less is taken as this, and not beaten without pause
DISCORD_BEATS_MOST: Final = 120.0  # seconds between heartbeats: more is taken as this; Discord says 41
DISCORD_PENDING: Final = 256  # events that wait for the gateway of ours; then Discord's is not read until one is done
DISCORD_AGAIN: Final = 1.0  # seconds before a message is handed to a gateway again that was away
DISCORD_HASTY: Final = 5.0  # seconds; a connection that lasted shorter is not made again without a pause
DISCORD_INVALID: Final = 2.0  # seconds before a new session after an invalid one; 1 to 5 are asked for ("Resuming")
DISCORD_IDENTIFIES: Final = 10  # sessions of a day that stay unused; Discord resets the token of who uses up all
DISCORD_ANSWER: Final = 16 * 2**20  # bytes of one answer; 100 messages of 4000 characters, escaped, have 3 MB
DISCORD_ANSWER_TIME: Final = 20.0  # seconds between two bytes of an answer
DISCORD_CONNECT: Final = 10.0  # seconds to reach Discord through the relay, TLS included
DISCORD_CALL_TIME: Final = 120.0  # seconds of one call in all; 10 MiB take that on a slow line
DISCORD_CONNECTIONS: Final = 8  # connections at once: the gateway's, and messages and files on their way
DISCORD_IDLE: Final = 15.0  # seconds a connection is kept; one that the other side has cut loses a message's answer
DISCORD_PAUSE: Final = 0.25  # seconds; the shortest pause after "too many requests"
DISCORD_LONGEST_PAUSE: Final = 3600.0  # seconds; a longer one is asked for anew, so that a wrong number silences nobody
DISCORD_EDIT_EVERY: Final = 1.5  # seconds; Discord bears five edits in five seconds in a channel, seldom fewer
DISCORD_TYPING_EVERY: Final = 8.0  # seconds; the sign fades after 10 (Trigger Typing Indicator)
DISCORD_BUTTON: Final = 100  # characters that a button carries (`custom_id`)
DISCORD_UPLOAD: Final = 10 * 2**20  # bytes of a file that a bot may send ("Uploading Files")
DISCORD_AT_ONCE: Final = 1.5  # seconds in which a press is answered directly; after 3 Discord says that it failed
DISCORD_KNOWN: Final = 500  # conversations whose last message is remembered, and rate limits
DISCORD_STATE: Final = 2**18  # bytes of what outlives the process; 500 conversations have 25 kB
DISCORD_MISSED: Final = 1000  # messages of one conversation that are fetched after a session was lost
DISCORD_PAGE: Final = 100  # messages of one answer, the most there are (Get Channel Messages)
DISCORD_NAME: Final = 128  # characters of a file's name as it is handed on

# --- webhooks (channels/webhook.py) --------------------------------------------------------------------
WEBHOOK_HEAD: Final = 16 * 1024  # bytes before a body; a signed token has about 1500, tunnels add some headers
WEBHOOK_BODY: Final = 1024 * 1024  # bytes of a body; a message of 28 KiB, escaped and once more as HTML, has 300 KiB
WEBHOOK_HELD: Final = 16 * 1024 * 1024  # bytes of all bodies that are here at once; whoever goes beyond comes again
WEBHOOK_HEAD_TIME: Final = 10.0  # seconds in which a head is there; a tunnel on this machine sends it at once
WEBHOOK_BODY_TIME: Final = 10.0  # seconds in which a body is there, once its head was found good
WEBHOOK_CONNECTIONS: Final = 32  # connections of strangers at once, and as many whose head was found good
WEBHOOK_LINGER: Final = 1.0  # seconds in which the other side reads its answer and closes

# --- WhatsApp (developers.facebook.com, Cloud API: "Messages", "Media", "Error codes", "Webhooks") -------
WHATSAPP_CALL: Final = 3 * 2**20  # bytes of a webhook's call ("Webhooks", payloads: up to 3 MB)
WHATSAPP_ANSWER_BY: Final = 20.0  # seconds until a call is answered, "come again" at worst; it comes again by itself
WHATSAPP_TELL: Final = 5.0  # seconds to tell a person what became of a press, before the call is answered
WHATSAPP_FATE: Final = 5.0  # seconds in which WhatsApp says whether it has sent a message on; mostly within one
WHATSAPP_CHECK: Final = 300.0  # seconds between two looks whether the token holds; a test app has 200 calls an hour
WHATSAPP_CHECK_AGAIN: Final = 30.0  # seconds before the Graph API is looked for again that was not there
WHATSAPP_ANSWER: Final = 2**20  # bytes of one answer of the Graph API; they have some hundred
WHATSAPP_ANSWER_TIME: Final = 20.0  # seconds between two bytes of an answer
WHATSAPP_WRITE_TIME: Final = 60.0  # seconds until the next bytes of an upload are taken
WHATSAPP_CONNECT: Final = 10.0  # seconds to reach the Graph API through the relay, TLS included
WHATSAPP_CONNECTIONS: Final = 8  # connections at once: messages and files on their way
WHATSAPP_IDLE: Final = 15.0  # seconds a connection is kept; one that the other side has cut loses a message's answer
WHATSAPP_PAUSE: Final = 5.0  # seconds; "try again later" names none, and throughput is counted by the second
WHATSAPP_PAIR_PAUSE: Final = 6.0  # seconds; to one person a message every 6 seconds is borne for long (131056)
WHATSAPP_SPAM_PAUSE: Final = 600.0  # seconds; the number's reputation is in question, and it gets worse by trying
WHATSAPP_LONGEST_PAUSE: Final = 3600.0  # seconds; a longer one is asked for anew
WHATSAPP_TYPING_EVERY: Final = 20.0  # seconds; the sign fades after 25 ("Typing indicators")
WHATSAPP_BUTTONS: Final = 3  # reply buttons of a message ("Interactive reply buttons messages")
WHATSAPP_BUTTON: Final = 20  # characters on such a button
WHATSAPP_QUESTION: Final = 1024  # characters over such buttons; over a list as many as in a text, 4096
WHATSAPP_ROW: Final = 24  # characters of a list's row ("Interactive list messages")
WHATSAPP_CAPTION: Final = 1024  # characters of a caption; a longer one follows its file as a message
WHATSAPP_IMAGE: Final = 5 * 2**20  # bytes of a picture ("Supported media types")
WHATSAPP_AUDIO: Final = 16 * 2**20  # bytes of sound
WHATSAPP_VIDEO: Final = 16 * 2**20  # bytes of a video
WHATSAPP_DOCUMENT: Final = 100_000_000  # bytes of a document, and of any media message
WHATSAPP_REMEMBERED: Final = 1000  # messages sent last, whose keys and fates are known; conversations, presses
WHATSAPP_NAME: Final = 128  # characters of a file's name as it is handed on

# --- Teams (Bot Connector REST API, "Authentication", "Rate limiting", "Send and receive files") ----------
TEAMS_SKEW: Final = 300  # seconds that clocks may differ ("Authentication": industry-standard clock-skew is 5 minutes)
TEAMS_TOKEN: Final = 8192  # characters of a caller's token; theirs have about 1500
TEAMS_KEYS: Final = 64  # signing keys that are read; there are about ten
TEAMS_KEY_LEAST: Final = 2048  # bits of a signing key; shorter ones can be broken
TEAMS_KEY_MOST: Final = 4096  # bits; checking against longer ones would take long
TEAMS_KEYS_LIFETIME: Final = 86_400  # seconds for which keys are believed ("Authentication": fetch them daily)
TEAMS_KEYS_AGAIN: Final = 60.0  # seconds between two looks for an unknown key, so that strangers cannot make us ask
TEAMS_ANSWER_BY: Final = 12.0  # seconds until a call is answered; the Connector gives up after 15
TEAMS_UNDER_WAY: Final = 128  # calls whose work goes on at once; an adapter waits for the gateway with 128 messages
TEAMS_AGAIN: Final = 1.0  # seconds before a message is handed to a gateway again that was away
TEAMS_TOKEN_EARLY: Final = 300  # seconds before its end that our own token is renewed; tokens last an hour or more
TEAMS_TOKEN_LONGEST: Final = 86_400  # seconds for which a token is kept; Entra's last 60 to 90 minutes, or a day
TEAMS_TOKEN_PAUSE: Final = 10.0  # seconds before it is tried again to renew a token, which holds five minutes longer
TEAMS_ANSWER: Final = 2 * 2**20  # bytes of one answer; the signing keys have about 60 KiB
TEAMS_ANSWER_TIME: Final = 20.0  # seconds between two bytes of an answer
TEAMS_WRITE_TIME: Final = 60.0  # seconds until the next bytes of an upload are taken
TEAMS_CONNECT: Final = 10.0  # seconds to reach Microsoft through the relay, TLS included
TEAMS_CONNECTIONS: Final = 8  # connections at once
TEAMS_IDLE: Final = 15.0  # seconds a connection is kept; one that the other side has cut loses a message's answer
TEAMS_PAUSE: Final = 1.0  # seconds; the shortest pause after "too many requests"
TEAMS_EDIT_EVERY: Final = 2.5  # seconds; 1800 requests an hour are borne in a conversation, one in 2 seconds
TEAMS_TYPING_EVERY: Final = 4.0  # seconds; the sign fades after some 5, and each counts as a request
TEAMS_REMEMBERED: Final = 1000  # messages sent last, whose keys are known; conversations whose address is known
TEAMS_MENTIONS: Final = 200  # mentions of one message that are looked for in its text
TEAMS_NAME: Final = 128  # characters of a file's name as it is handed on
TEAMS_UPLOAD: Final = 32 * 2**20  # bytes of a file that is offered; one PUT may have 60 MiB (upload sessions)
TEAMS_OFFERED: Final = 4  # files that wait for a person to take them, the newest ones, in memory
# --- Slack (docs.slack.dev) ----------------------------------------------------------------------------
SLACK_CONNECT: Final = 15.0  # seconds to reach Slack through the relay, TLS and a WebSocket's "hello" included
SLACK_ANSWER_TIME: Final = 20.0  # seconds between two bytes of an answer
SLACK_UPLOAD_TIME: Final = 540.0  # seconds of an upload; an adapter gives up sending a file after 600
SLACK_ANSWER: Final = 4 * 2**20  # bytes of one answer of the Web API; a message with its blocks has some hundred KB
SLACK_ENVELOPE: Final = 4 * 2**20  # bytes of one envelope; 40,000 characters, said twice and escaped, have 1 MB
SLACK_OPEN_ENVELOPES: Final = 100  # envelopes that wait for the gateway; further ones are not read, which Slack notices
SLACK_HEARTBEAT: Final = 20.0  # seconds between pings; a connection without a pong for 10 more is given up
SLACK_REOPEN: Final = 1.5  # seconds between two connections; apps.connections.open is Tier 3, 50 a minute
SLACK_OVERLAP: Final = 15.0  # seconds in which a replaced connection may still be used; Slack warns 10 s before its end
SLACK_REPLACED: Final = 3  # replaced connections that stay at once; Slack takes 10 of an app
SLACK_AGAIN: Final = 1.0  # seconds before a message is handed to a gateway again that was away
SLACK_CONNECTIONS: Final = 8  # HTTP connections at once: messages, files, what is looked up
SLACK_IDLE: Final = 15.0  # seconds a connection is kept; one that the other side has cut loses a message's answer
SLACK_PAUSE: Final = 1.0  # seconds; the shortest pause after "ratelimited", one message a second in a channel
SLACK_LONGEST_PAUSE: Final = 3600.0  # seconds; a longer one is asked for anew, so that no wrong number silences anybody
SLACK_EDIT_EVERY: Final = 2.0  # seconds between two edits of one message; 30 a minute of the 50 of all (chat.update)
SLACK_EDITS: Final = 20  # edits in a row before `SLACK_EDIT_GAP` is kept, so that a few conversations stream at once
SLACK_EDIT_GAP: Final = 1.2  # seconds between edits over all conversations in the long run (Tier 3, 50 a minute)
SLACK_TYPING_EVERY: Final = 30.0  # seconds; the status of a thread fades after 120 (assistant.threads.setStatus)
SLACK_SECTION: Final = 3000  # characters of a section's text (Block Kit, section block)
SLACK_NAME_TIME: Final = 3.0  # seconds a message waits to learn its sender's name, once for each sender
SLACK_NAMES: Final = 1000  # names of senders that are known
SLACK_LOOKUPS: Final = 20  # unknown threads looked at in a row before `SLACK_LOOKUP_GAP` is kept
SLACK_LOOKUP_GAP: Final = 2.0  # seconds between looks at threads in the long run (conversations.replies, Tier 3)
SLACK_REMEMBERED: Final = 1000  # messages sent last, whose keys are known; threads that the bot is part of
SLACK_FILE_NAME: Final = 128  # characters of a file's name as it is handed on
