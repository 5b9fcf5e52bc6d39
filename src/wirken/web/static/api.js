// The page's questions to its own server, and the event stream with its reconnects. docs/page.md lists the addresses.

export class Problem extends Error {
  constructor(status, error, hint) {
    super(hint ? `${error} ${hint}` : error);
    this.status = status;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem(0, "Wirken does not answer.", "Is `wirken run` still running?");
  }
  let body;
  try {
    body = await response.json();
  } catch {
    throw new Problem(response.status, "Wirken answered something unexpected.", "Load the page again.");
  }
  if (!response.ok) throw new Problem(response.status, body.error ?? "That did not work.", body.hint ?? "");
  return body;
}

const post = (path, value) => ask(path, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

const sessionPath = (session) => "/api/sessions/" + session.split("/").map(encodeURIComponent).join("/");

export const sessions = () => ask("/api/sessions");
export const approvals = () => ask("/api/approvals");
export const senders = () => ask("/api/senders");
export const decide = (channel, sender, decision, role) =>
  post("/api/senders", decision === "allow" ? { channel, sender, decision, role } : { channel, sender, decision });
export const status = () => ask("/api/status");
export const send = (conversation, text, id) => post("/api/messages", { conversation, text, id });
export const verify = (session) => post(sessionPath(session) + "/verify", {});
export const stop = (session) => post(sessionPath(session) + "/stop", {});
export const answer = (approval, lease, choice, reason = "") =>
  post("/api/approvals/" + encodeURIComponent(approval), { lease, choice, reason });

const FIRST_WAIT = 500; // ms before the first new attempt
const LONGEST_WAIT = 10_000; // ms between attempts
const EVENTS = ["row", "delta", "asked", "settled", "over"];

// One conversation's events. `where()` gives the query for the next attempt, so that it resumes after the last row.
export class EventLink {
  #source = null;
  #timer = 0;
  #wait = FIRST_WAIT;
  #where;
  #handlers;

  constructor(where, handlers) {
    this.#where = where;
    this.#handlers = handlers;
  }

  // Resolves once the stream is open, so that nothing sent after it is missed.
  open() {
    this.close();
    return new Promise((resolve) => this.#connect(resolve));
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  get connected() {
    return this.#source?.readyState === EventSource.OPEN;
  }

  #connect(opened) {
    const source = new EventSource("/api/events?" + new URLSearchParams(this.#where()));
    this.#source = source;
    source.addEventListener("open", () => {
      this.#wait = FIRST_WAIT;
      this.#handlers.up();
      opened();
    });
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => this.#handlers[name](JSON.parse(event.data)));
    }
    source.addEventListener("reload", () => this.#again(opened, 0));
    source.addEventListener("away", () => this.#again(opened, this.#wait));
    source.addEventListener("error", () => this.#again(opened, this.#wait));
  }

  #again(opened, wait) {
    this.close();
    if (wait) {
      this.#handlers.down(wait);
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    }
    this.#timer = setTimeout(() => this.#connect(opened), wait);
  }
}
