"""Every number that bounds something, with its unit and its reason. Nothing else may hold one."""

from __future__ import annotations

from typing import Final

# --- wire -------------------------------------------------------------------------------------------
FRAME: Final = 16 * 2**20  # bytes; larger length prefixes are refused before allocating
NESTING: Final = 64  # levels of pointers in one frame; deeper ones are an attack on the reader's stack
TRAVERSAL: Final = FRAME // 8 * 2  # words; twice a full frame, so that shared pointers cannot amplify it
HANDSHAKE_FRAME: Final = 512  # bytes; a handshake message needs 200, and the peer is a stranger yet
HANDSHAKE_TIME: Final = 5.0  # seconds; a slow-loris peer must not hold a place for longer
QUEUE_FULL_PAUSE: Final = 0.02  # seconds before trying again where a socket's queue of callers is full
HANDSHAKE_FAILURES: Final = 5  # failures per window that lock a source out
HANDSHAKE_WINDOW: Final = 60.0  # seconds; the window of the line above
HANDSHAKE_SOURCES: Final = 1024  # processes whose failures are remembered; forks of one have 5 tries each as it is
HANDSHAKE_LOCKOUT: Final = 600.0  # seconds; long enough to make guessing pointless
LINK_BUFFER: Final = 4 * FRAME  # bytes waiting to be written to one peer; one that does not read is dropped
LINK_QUESTIONS: Final = 256  # questions of one peer being answered at once
REFUSALS_RECORDED: Final = 30  # refused connections per HANDSHAKE_WINDOW that get a row each; a flood gets no more
ROW_READS: Final = 2  # pages of rows read for one peer at once; each holds one in memory
SHARED_FILE: Final = 64 * 2**20  # bytes of a file that crosses between wings as a memfd; the kernel holds it in memory
LINK_FILES: Final = 10  # files beside one frame; platforms take as many with one message
LINK_FILES_QUEUED: Final = 64  # descriptors waiting to be sent to one peer; one that does not read is dropped
CONNECTIONS: Final = 64  # peers of the gateway at once; six wings, adapters and a few terminals

# --- text -------------------------------------------------------------------------------------------
MESSAGE: Final = 256 * 1024  # bytes of UTF-8 in one inbound message; a book chapter, not a flood
ARGUMENTS: Final = 1 * 2**20  # bytes of one tool call's arguments; the largest file write in one call
PLATFORM_ID: Final = 256  # characters of a platform's message id
SENDER_NAME: Final = 128  # characters of a displayed sender name
SENDER_ID: Final = 256  # characters of a platform's id of an account; the longest known (Matrix) has 255
MARKS: Final = 4  # marks drawn over one sign; no language needs more, and a tower of them covers other lines
SENTENCE: Final = 2 * 1024  # bytes of a sentence that another process or a person gives as the reason of something
TOOL_NAME: Final = 128  # characters of the name of a tool that a model asks for; ours have 10
STOP_REASON: Final = 64  # characters of a provider's word for why an answer ended
ENDED_BY: Final = 64  # characters of the runner's word for what ended a command

# --- turns ------------------------------------------------------------------------------------------
TOOL_ROUNDS: Final = 20  # model rounds with tool calls in one turn; beyond that a model is looping
TOOL_CALLS: Final = 32  # calls in one round; more in one breath is a flood
TURN_QUEUE: Final = 16  # messages waiting for their turn in one session
ANSWER: Final = 1 * 2**20  # bytes of one model answer, text and reasoning together
MODEL_TIME: Final = 600.0  # seconds for one completion; slow local models take minutes
MODEL_STALL: Final = 120.0  # seconds without a byte from the model, once it has started to answer
MODEL_CONNECT: Final = 10.0  # seconds to reach a provider, TLS included
PROVIDER_TRIES: Final = 5  # attempts before a provider's trouble is reported
MODEL_RETRY_FIRST: Final = 0.25  # seconds before the second attempt; doubles from there
MODEL_RETRY_WAIT: Final = 30.0  # seconds of waiting between attempts in all; a person is waiting too
MODEL_STREAM: Final = 64 * 2**20  # bytes of one answer as it travels: an ANSWER in tokens of 4 letters
MODEL_CALLS: Final = 256  # calls read from one answer; the gateway runs TOOL_CALLS of them, refuses the rest
MODEL_LINE: Final = 4 * 2**20  # bytes of one line of a stream: a whole ANSWER with JSON escapes
MODEL_ERROR: Final = 64 * 1024  # bytes read of a provider's error page
MODEL_SAID: Final = 300  # characters of a provider's own words in an error sentence
MODEL_LIST: Final = 4 * 2**20  # bytes of a list of models; the largest aggregator's has 1 MB
MODEL_NAMES: Final = 1000  # names taken from such a list
MODEL_DRAIN: Final = 0.5  # seconds a finished answer has to end its body, so that the connection can be kept
MODEL_CONNECTIONS: Final = 64  # connections to one provider at once
MODEL_IDLE: Final = 30.0  # seconds an idle connection is kept; servers drop theirs after about a minute
PROVIDER_STATUS: Final = 5.0  # seconds a provider has to say whether it is there
SCRUB_SHORTEST: Final = 8  # bytes; shorter "keys" are placeholders such as `ollama`, and plain words
REHEARSAL_LINES: Final = 200  # lines one message to the rehearsal model may have
SUBAGENT_DEPTH: Final = 4  # levels of delegation; deeper trees cannot be supervised by a person
CONTEXT_CHARACTERS: Final = 400_000  # of a conversation that is sent to a model of unknown window (about 100k tokens)
CHARACTERS_PER_TOKEN: Final = 4  # for estimating; the usual ratio of English text

# --- decisions --------------------------------------------------------------------------------------
APPROVAL_ASK: Final = 60.0  # seconds a person at `wirken ask` has to answer
APPROVAL_DAEMON: Final = 300.0  # seconds on every other surface
APPROVAL_LONGEST: Final = 86_400  # seconds a question may be set to wait, for people who are away for a day
APPROVAL_LOOK: Final = 30.0  # seconds between looks at the clock while a question waits; a suspended machine skips some
QUESTION_TEXT: Final = 4000  # bytes of a message, or of a model's own words, in a question; what is cut is counted
QUESTIONS_REMEMBERED: Final = 256  # settled questions of which a late answer is told what became of them
APPROVAL_ID: Final = 64  # bytes kept of an id that somebody answered and that no question has
ANSWERS_REFUSED: Final = 30  # refused answers in ANSWERS_REFUSED_WINDOW that get a row each; a flood gets no more
ANSWERS_REFUSED_WINDOW: Final = 60.0  # seconds; the window of the line above
OPERATIONS_UNSIGNED: Final = 1.0  # seconds that rows about no conversation may wait for the signature over them
GRANT_USES: Final = 10_000  # uses a grant may be limited to; more is no limit
GRANT_LIFETIME: Final = 30 * 86_400  # seconds a remembered Tier 2 approval lives
DENIALS_PER_TURN: Final = 3  # denials after which a turn ends: the model is pushing
MESSAGES_PER_MINUTE: Final = 120  # messages of one person; nobody writes two a second for a minute
TOOL_CALLS_PER_MINUTE: Final = 240  # tool calls for one person; a model that works hard makes one a second
CHANNEL_MESSAGES_PER_MINUTE: Final = 600  # messages on one channel; a lively group
CHANNEL_TOOL_CALLS_PER_MINUTE: Final = 1200  # tool calls on one channel
RATE_WINDOW: Final = 60.0  # seconds: what "a minute" means, and how often a held-off subject gets a row
RATE_SUBJECTS: Final = 4096  # persons and channels whose pace is remembered; the longest unused is forgotten
POLICY_FILE: Final = 64 * 1024  # bytes of an organisation's policy; two lists of names
BUDGET_ALERT: Final = 80  # percent of a budget at which one alert is recorded
BUDGET_LOOK_BACK: Final = 9 * 86_400  # seconds of record read at start: a week, and turns that waited a day before it
BUDGETS: Final = 64  # budgets in one configuration; each is looked at before every model call
PRICES: Final = 1024  # prices in one configuration; more models than a provider offers
UNREPORTED_TOKENS: Final = 4000  # counted for an answer whose provider reports none: a short exchange with its tools
FLAG_READ: Final = 64 * 1024  # characters of one text that are looked at for injection, from each end
FLAGS: Final = 16  # flags of one text; a person reads no more
FLAG_EXCERPT: Final = 80  # characters shown of what was flagged
FLAGS_SHOWN: Final = 4  # flagged rows that a question to a person names
FLAG_BLOBS: Final = 256  # encoded pieces of one text that are decoded
COMMAND_READ: Final = 64 * 1024  # characters of one command that are read; a longer one is not certain
COMMAND_COMPARED: Final = 8 * 1024  # characters, without here-documents, that are read twice; 0.1 s at the worst
COMMAND_GUESSED: Final = 2 * 1024  # characters of what cannot be read that are searched for names; 0.1 s at the worst
COMMAND_NESTING: Final = 24  # levels of substitutions, groups and wrappers in one command
COMMANDS: Final = 256  # simple commands in one text; a person could not judge more
REASONS: Final = 20  # sentences of a question that say why it is asked; the call itself stands beside them

# --- people -----------------------------------------------------------------------------------------
SENDER_REFUSED_EVERY: Final = 3600.0  # seconds between two refusals that one unknown sender is told
SPEAKER_NAME: Final = 40  # characters of a platform's name for somebody that a model reads; long ones are made up
CHANNEL_MESSAGES: Final = 256  # messages of one adapter on their way to disk at once; a link with more is dropped
SENDERS_REFUSED: Final = 30  # refusals told on one channel in that time; a crowd of accounts gets silence
SENDERS_PENDING: Final = 200  # unknown senders listed; a longer list would not be read, the oldest gives way
SENDERS_LISTED: Final = 1000  # senders in one answer to a terminal or the page
TURNED_AWAY_STEP: Final = 60.0  # seconds between notes on disk of how often senders were turned away
PAIRING_LIFETIME: Final = 600.0  # seconds a pairing code is good for: to read it out and type it
PAIRING_TRIES: Final = 5  # codes one sender may try in SENDER_REFUSED_EVERY; typing mistakes
PAIRING_GUESSES: Final = 100  # wrong codes on all channels together after which the codes that wait are void
PAIRING_CODES: Final = 16  # codes that wait at once
PAIRING_LETTERS: Final = 12  # letters of a code, 5 bits each: beyond guessing also for who reads the stored hash

# --- sandbox ----------------------------------------------------------------------------------------
EXEC_TIME: Final = 300.0  # seconds of wall clock for one command
EXEC_MEMORY: Final = 512 * 2**20  # bytes for the whole process tree of one command
EXEC_PROCESSES: Final = 256  # processes and threads of one command
EXEC_TMP: Final = 64 * 2**20  # bytes of /tmp in the sandbox
EXEC_OUTPUT_HEAD: Final = 48 * 1024  # bytes kept from the start of a command's output
EXEC_OUTPUT_TAIL: Final = 16 * 1024  # bytes kept from its end, where errors usually stand
EXEC_FILES: Final = 1024  # open descriptors per process
GVISOR_FILES: Final = 16384  # of gVisor's own, one for each file a command looked at, pip 2000; no edge: RLIMIT_NOFILE
EXEC_FILE_SIZE: Final = 1 * 2**30  # bytes of the largest file a command may write
EXEC_PARALLEL: Final = 8  # commands at once; 8 x 512 MiB is what a laptop can give
EXEC_ARGV: Final = 256  # elements of an argv array
EXEC_OUTPUT_NOTES: Final = 256  # bytes of the tail kept free for saying what was cut and what ended it
EXEC_SETUP: Final = 10.0  # seconds bubblewrap has to build a sandbox; it takes 3 ms; no edge: nothing runs in it yet
STEERING_SCAN: Final = 500_000  # entries of a workspace looked at for files that steer; 0.4 s before each command
STEERING_KEPT: Final = 512  # such files and folders that one sandbox keeps read-only; each is a mount
STEERING_PATH: Final = 3_840  # bytes of a folder's path below a workspace; one more name still fits PATH_MAX
STEERING_TOLD: Final = 10  # names of new ones in a command's answer; more would not be read
STEERING_SETTLED: Final = 3.0  # seconds a new sandbox has to show all of them read-only; it takes 3 ms
EXEC_SETTLE: Final = 0.001  # seconds between looks whether a sandbox's mounts are all made; they take 3 ms
EXEC_CLEAR: Final = 5.0  # seconds the kernel has to clear away a killed process tree; no edge: it is dead by then
EXEC_WATCH: Final = 0.05  # seconds between looks of the watchdog; a hog fills about 100 MiB meanwhile
EXEC_WATCH_CGROUP: Final = 0.25  # seconds between looks at a cgroup, where the kernel holds the limit itself
ENGINE_TIME: Final = 30.0  # seconds an engine has for one step; creating takes 0.1; no edge: it is the operator's own
ENGINE_REPLY: Final = 4 * 2**20  # bytes of one answer of the engine; the description of a container has 10 kB
ENGINE_HEAD: Final = 16 * 1024  # bytes of an answer's header
ENGINE_WATCH: Final = 0.5  # seconds between looks at how many processes a container has
ENGINE_LOOKS: Final = 10  # further looks, EXEC_WATCH apart, whether a killed container was out of memory; one is enough
ENGINE_TOLD: Final = 4096  # bytes that the shell of a container tells us; it says 400
REASON_TAIL: Final = 600  # characters of a tool's last words that are shown as the reason of a failure
WORKSPACE_BUSY: Final = 0.02  # seconds between looks whether a workspace is free: a pause; a container takes 0.2
WARM_IDLE: Final = 600.0  # seconds a container waits for its session's next command; a person's pause
WARM_KEPT: Final = 4  # containers that wait at once; each may hold 64 MiB of /tmp
WARM_WATCH: Final = 0.05  # seconds between looks whether a command in such a container has ended
PODMAN_PROCESSES: Final = 16_384  # of the whole uid (RLIMIT_NPROC); Podman asks for a million, which it may not
ENGINE_PATH: Final = 107  # bytes of a Unix socket's path (unix(7))
PERMITS_REMEMBERED: Final = 4096  # permits the runner remembers having used, so that none runs twice

# --- a sandbox's way out ----------------------------------------------------------------------------
EGRESS_PORT: Final = 3128  # on a granted sandbox's own loopback; the usual number of a proxy
EGRESS_CONNECTIONS: Final = 32  # of one command at once, more wait; npm makes 15, and 8 commands share 1024 descriptors
EGRESS_BACKLOG: Final = 64  # connections of one command that the kernel lets wait; no edge: beyond, see listen(2)
EGRESS_HATCH: Final = 10.0  # seconds to make the listener in a sandbox; it takes 20 ms, more on a loaded machine
HATCH_MEMORY: Final = 64 * 2**20  # bytes of the container that makes the listener beside one; Python takes 10 MiB
HATCH_PROCESSES: Final = 8  # of that container; it has one
HATCH_SHM: Final = 64 * 1024  # bytes of its /dev/shm, which it does not use; no edge: no command runs in it
EGRESS_RETRY: Final = 0.05  # seconds before accepting again where the kernel could not; descriptors are short then
EGRESS_TABLE: Final = 256 * 1024  # bytes read of a sandbox's table of sockets: 1700 of them, in 1 ms
EGRESS_LINKS: Final = 4096  # open files looked at to find out which program connects; 10 ms at the worst
EGRESS_PROGRAM: Final = 128  # bytes of that program's name
PUMP: Final = 128 * 1024  # bytes carried at once from one connection to another; more is no faster
PUMP_BURST: Final = 16  # pieces carried before others have their turn; 2 MiB take 1 ms
EGRESS_HEAD: Final = 16 * 1024  # bytes read of a request that is answered with an error here: a buffer, no edge

# --- skills in WebAssembly ---------------------------------------------------------------------------
SKILLS: Final = 64  # wasm skills that are loaded; each is a tool that the model reads about
SKILL_MANIFEST: Final = 64 * 1024  # bytes of one skill.json; a schema, not a book
SKILL_MODULE: Final = 16 * 2**20  # bytes of one skill.wasm; a whole language runtime has 10 MiB
SKILL_DESCRIPTION: Final = 1024  # characters; the model reads them in every request
SKILL_FUEL: Final = 500_000_000  # instructions, about; half a second of work
SKILL_FUEL_MOST: Final = 20_000_000_000  # as much as SKILL_TIME_MOST has room for
SKILL_MEMORY: Final = 64 * 2**20  # bytes of linear memory
SKILL_MEMORY_MOST: Final = 256 * 2**20  # half of EXEC_MEMORY; compiling and the runtime need the rest
SKILL_TIME: Final = 10  # seconds from the module's first instruction
SKILL_TIME_MOST: Final = 60  # seconds; more is work for exec
SKILL_COMPILE: Final = 20.0  # seconds to compile a module; a SKILL_MODULE takes 5 on a slow machine
SKILL_GRACE: Final = 0.5  # seconds after its time before a module that sleeps is ended with its process
SKILL_STACK: Final = 512 * 1024  # bytes of stack of a module; wasmtime's own default
SKILL_TABLE: Final = 100_000  # elements of its tables, 8 bytes each; compilers make some thousand
SKILL_SAID: Final = 4 * 1024  # bytes kept of its standard error, to say why it failed

# --- files ------------------------------------------------------------------------------------------
FILE_READ: Final = 256 * 1024  # bytes one read_file returns; a model cannot use more at once
FILE_WRITE: Final = 1 * 2**20  # bytes one write_file takes
LISTING: Final = 1000  # directory entries one list_files returns
PATH: Final = 4096  # bytes of a path, as PATH_MAX
FILE_SCAN: Final = 64 * 2**20  # bytes read_file searches for the first line asked for
LINKS: Final = 8  # links one name may lead through when written; longer chains are loops
LISTING_SCAN: Final = 200_000  # entries of one folder that list_files looks at; 0.3 s, and one may grow meanwhile
RESOLVE_RETRIES: Final = 64  # times a path is resolved again when a rename races with it (openat2(2), EAGAIN)

# --- credentials ------------------------------------------------------------------------------------
CREDENTIAL: Final = 64 * 1024  # bytes of one stored value; a service account file has 2 kB
ROTATION_DUE: Final = 90 * 86_400  # seconds after which a credential should be changed
ROTATION_WARNING: Final = 7 * 86_400  # seconds before that at which Wirken starts to say so
KEYCHAIN_TIME: Final = 3.0  # seconds the OS keychain has to answer; D-Bus hangs on servers
ARGON2_MEMORY: Final = 64 * 2**20  # bytes; stretches the passphrase (RFC 9106, second recommendation)
ARGON2_PASSES: Final = 3  # passes over that memory
PASSPHRASE_SHORTEST: Final = 8  # bytes; shorter ones are guessed offline in hours even when stretched
PASSPHRASE: Final = 1024  # bytes; a sentence, not a file
CREDENTIALS: Final = 256  # stored at once; the list of all of them fits into one frame of the vault
LAST_USED_STEP: Final = 60  # seconds between notes of a credential's last use; each costs a commit
VAULT_FRAME: Final = CREDENTIAL + 4096  # bytes; the largest question is one value with its name
VAULT_PAIRS: Final = 64  # socketpairs of children; six roles and a runner per `ask --workspace`
VAULT_OPERATORS: Final = 8  # terminals connected to the vault at once; the oldest gives way
SESSION_ID: Final = 512  # bytes of a session id, sub-agents' suffixes included

# --- record -----------------------------------------------------------------------------------------
ROW: Final = 8 * 2**20  # bytes of a row's payload; an ANSWER of characters that JSON escapes takes 6 MiB; half a FRAME
ROW_PAGE: Final = 4 * 2**20  # bytes of rows answered at once, unless the first alone is longer
ROWS_PER_PAGE: Final = 500  # rows answered at once; a page of small ones is there in some milliseconds
ROW_NUMBER: Final = 2**53  # a row's number stays below; integers beyond it lose digits in JSON (RFC 8785, 3.2.2.3)
COMMIT_GROUP: Final = 512  # rows in one transaction; bounds what one fsync may hold back
ATTEST_ROWS: Final = 1000  # rows whose hashes go to the vault in one question; 32 kB of a frame of 68
RECORD_KEPT: Final = 90 * 86_400  # seconds; retention by default
SESSION_IDLE: Final = 24 * 3600  # seconds after which `--continue` starts a new session

# --- processes --------------------------------------------------------------------------------------
READY_TIME: Final = 10.0  # seconds a child has to report ready, on a slow disk with cold caches
STOP_TIME: Final = 1.5  # seconds a child has to end by itself; `run` promises 2 s in all
RESTART_FIRST: Final = 0.1  # seconds before the first restart of a dead child
RESTART_LONGEST: Final = 30.0  # seconds between restarts of a child that keeps dying
RESTART_FORGET: Final = 60.0  # seconds up after which a child's earlier deaths no longer count
STOP_CONVERSING: Final = 1.1  # seconds after which gateway and page no longer hold up the stop of the rest
STOP_WORKING: Final = 1.3  # seconds after which runner and outbound no longer hold up the stop of the vault
STOP_PATIENCE: Final = 10.0  # seconds `wirken stop` waits; five times what a stop may take
CONTROL_LINE: Final = 16 * 1024  # bytes of one question to the supervisor; two paths of PATH bytes fit
CONTROL_PLAN: Final = 512 * 1024  # bytes of one question of the operator's; a plan with a whole POLICY_FILE in it fits
CONTROL_CONNECTIONS: Final = 32  # terminals that talk to the supervisor at once
WORKSPACES: Final = 16  # further runners at once; each costs 20 MB
REACH_RUNNERS: Final = 4  # runners at once for calls that reach outside of workspaces; each costs 20 MB
OUTSIDE_PATHS: Final = 3  # paths outside the workspace in one call; as many as fit CONTROL_LINE beside a workspace
START_POLL: Final = 0.02  # seconds between looks at a supervisor that is just starting or ending
OLLAMA_PROBE: Final = 0.3  # seconds a local Ollama has to answer when the first configuration is made
SANDBOX_PROBE: Final = 5.0  # seconds the trial of the process views may take; it needs 30 ms
REDIAL_LONGEST: Final = 2.0  # seconds between two tries to reach a gateway that restarts
TOKEN_LOOK: Final = 5.0  # seconds between two looks whether an adapter's missing secret was stored; a person waits
VAULT_POLL: Final = 0.3  # seconds between two looks whether a sealed vault was opened
VAULT_ANSWER: Final = 10.0  # seconds the vault has to answer; a signature takes 1 ms
SOCKET_ADDRESS: Final = 107  # bytes of a Unix socket's path, without the closing zero (unix(7))

# --- walls of our own processes ---------------------------------------------------------------------
# Private memory (RLIMIT_DATA), descriptors, threads of one process: far above work's needs, below what hurts.
SMALL_MEMORY: Final = 256 * 2**20  # the vault's Argon2 takes 64 MiB, everything else in it 30
WING_MEMORY: Final = 1 * 2**30  # a few LINK_BUFFERs, answers and thread stacks (8 MiB each) at once; idle 20 MiB
GATEWAY_MEMORY: Final = 2 * 2**30  # SESSIONS_LOADED conversations and a FRAME of several CONNECTIONS at once
SMALL_FILES: Final = 256  # the vault: VAULT_PAIRS, VAULT_OPERATORS, the database; adapters: a few connections and files
WING_FILES: Final = 1024  # MODEL_CONNECTIONS, PAGE_STREAMS and what browsers keep open; what most systems give anyway
WING_THREADS: Final = 128  # an event loop's pool has 32; held where the process has a user namespace of its own
WALLS_REPORT: Final = 256  # bytes in which a child tells the supervisor which walls it has put on; all names take 110

# --- page -------------------------------------------------------------------------------------------
PAGE_PORT: Final = 18790  # the page's port on loopback
TEAMS_PORT: Final = 3978  # the port on 127.0.0.1 where Bot Connector's calls arrive through the operator's tunnel
WHATSAPP_PORT: Final = 3979  # the same for WhatsApp's webhook
PAGE_UIDS: Final = 16  # further users who may use the page; each is the owner there, so they are few
PAGE_STREAMS: Final = 32  # open event streams; a few tabs per person
PAGE_BODY: Final = MESSAGE * 2  # bytes of a request body; a JSON-escaped message fits
PAGE_QUEUE: Final = 512  # events waiting for one slow browser; beyond that it is told to reload
PAGE_ACCEPT: Final = 30.0  # seconds the gateway has to put a message's row on disk; a slow disk takes one
PAGE_BEAT: Final = 15.0  # seconds of silence after which an event stream shows that it lives; proxies cut at 30
PAGE_STALL: Final = 30.0  # seconds a browser may leave an event unread; a suspended laptop comes back by itself
PAGE_KEEP_ALIVE: Final = 75.0  # seconds an idle connection is kept; each new one costs a look into the TCP table
PAGE_REFUSED: Final = 1.0  # seconds a refused connection lives, so that its 403 is read before it closes
PAGE_REFUSED_LINES: Final = 10.0  # seconds between two log lines about refused connections; a flood is one line
PAGE_ENDING: Final = 0.5  # seconds answers may still take while the process ends, of STOP_TIME's 1.5
TCP_TABLE: Final = 64 * 2**20  # bytes read of a kernel TCP table; 400,000 connections

# When started as root, no child stays root. From Debian's range for local daemons (Policy 9.2.2: 60000-64999).
SERVICE_UID: Final = 64_370  # uid and gid

# --- gateway ----------------------------------------------------------------------------------------
SESSIONS_LOADED: Final = 256  # sessions kept in memory; an idle one is rebuilt from its rows when needed
TOOL_OUTPUT: Final = 320 * 1024  # bytes of one result that reach the record and the model
MODEL_TRIES: Final = 3  # requests in one round, when the outbound process is lost before it answered
RESUMES: Final = 1  # times a turn is taken up again after a crash; more would be a crash loop
VAULT_WAIT: Final = 5.0  # seconds an attestation waits for a vault that is restarting
EXEC_GRACE: Final = 15.0  # seconds on top of EXEC_TIME before a runner is given up; covers its clean-up

# --- terminal and doctor -----------------------------------------------------------------------------
PASSPHRASE_TRIES: Final = 3  # times a terminal asks for the passphrase; a typing mistake or two
PASSPHRASE_BITS: Final = 64  # of a passphrase at best; below that Wirken says that it is weak
PASTE_GAP: Final = 0.05  # seconds between two pieces of one paste; more lines after that are typed ones
EXPIRY_LONGEST: Final = 10 * 365 * 86_400  # seconds a credential may be good for; more is a slip of the keyboard
STATUS_TIME: Final = 2.0  # seconds the gateway has to answer `status` and `doctor`; a stuck one is reported
DOCTOR_SESSIONS: Final = 20  # sessions, the last active ones, that `doctor` verifies
DOCTOR_ROWS: Final = 5000  # rows it reads for that at most; about half a second
DOCTOR_ANSWER: Final = 256 * 1024  # bytes of a provider's list of models that `doctor` reads
DISK_LOW: Final = 1 * 2**30  # free bytes below which `doctor` warns
DISK_FULL: Final = 64 * 2**20  # free bytes below which rows and files will soon fail to be written
CALENDAR_END: Final = 253_402_300_800_000  # ms since the epoch; the year 10000, which no calendar of ours can show
CLOCK_SKEW: Final = 300.0  # seconds a row may lie in the future; more means that the clock was set back
