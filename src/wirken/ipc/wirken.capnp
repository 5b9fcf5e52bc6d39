# The wire contract between Wirken's processes. Field numbers are forever; add, never renumber.
@0xe6d3b1f0a9c84d27;

struct Frame {
  union {
    # conversing: channels, page and terminal <-> gateway
    inbound  @0 :Inbound;
    accepted @1 :Accepted;
    rejected @2 :Rejected;
    delta    @3 :Delta;
    row      @4 :Row;
    asked    @5 :Asked;
    settled  @6 :Settled;
    over     @7 :Over;
    # asking: typed questions of ipc/calls, as MessagePack
    call     @8 :Call;
    item     @9 :Item;
    reply    @10 :Reply;
    failure  @11 :Failure;
    cancel   @12 :Cancel;
    # conversing again: what the gateway itself answers
    said     @14 :Said;
  }
  # Sealed memfds that belong to this frame. They travel beside its first byte (unix(7), SCM_RIGHTS), in order.
  files @13 :UInt16;
}

# A message of a person. The channel is the connection's; nothing here says who the sender may be taken for.
struct Inbound {
  platformId   @0 :Text;   # the platform's id of this message; a repeated one gets the stored outcome
  conversation @1 :Text;
  agent        @2 :Text;   # empty: the route decides
  sender       @3 :Text;
  senderName   @4 :Text;
  text         @5 :Text;
  interactive  @6 :Bool;   # operator only: someone sits there who can answer an approval
  runner       @7 :Text;   # operator only: the runner that was started for a workspace of its own
  workspace    @8 :Text;   # operator only: that workspace
  group        @9 :Bool;   # several people converse here
  mentioned    @10 :Bool;  # the bot was spoken to; in a group nothing else is taken
  files        @11 :List(Attached);  # what the frame's memfds are, in their order
}

# A file that came with a message. The name is the sender's choice; the size must be the memfd's.
struct Attached {
  name      @0 :Text;
  mediaType @1 :Text;
  size      @2 :UInt64;   # bytes
}

# The message's row is on disk.
struct Accepted {
  platformId @0 :Text;
  session    @1 :Text;
  seq        @2 :UInt64;
}

# Nothing will come of the message. `reason` is for its sender; an empty one means: say nothing.
struct Rejected {
  platformId @0 :Text;
  reason     @1 :Text;
  hint       @2 :Text;
}

# What the gateway itself answers to the message, for its sender, as plain text; no turn comes of it.
struct Said {
  platformId @0 :Text;
  text       @1 :Text;
}

# A further piece of the answer, as a preview; the record's rows are what counts.
struct Delta {
  session @0 :Text;
  text    @1 :Text;
}

# A row of the record was committed.
struct Row {
  session @0 :Text;
  payload @1 :Data;   # the stored bytes
}

# A person is asked. Data: MessagePack of ipc.calls.operator.ApprovalRow
struct Asked {
  session  @0 :Text;
  approval @1 :Data;
}

struct Settled {
  session  @0 :Text;
  approval @1 :Text;
  decision @2 :Text;
  by       @3 :Text;   # the person who decided; empty where nobody did
}

# The turn has ended.
struct Over {
  session    @0 :Text;
  platformId @1 :Text;
  outcome    @2 :Text;
  reason     @3 :Text;
}

struct Call    { id @0 :UInt64; body @1 :Data; }
struct Item    { id @0 :UInt64; body @1 :Data; }
struct Reply   { id @0 :UInt64; body @1 :Data; }
struct Failure { id @0 :UInt64; kind @1 :Text; message @2 :Text; hint @3 :Text; }
struct Cancel  { id @0 :UInt64; }
