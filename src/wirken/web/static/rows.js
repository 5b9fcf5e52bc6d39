// The record's rows as a person reads them. Everything but an answer's Markdown goes in as plain text.

import { el, say, shown } from "./dom.js";
import { renderMarkdown } from "./markdown.js";

const LONG_LINES = 14; // lines of output that are shown without being asked for
const LONG_TEXT = 1600; // characters of it
const REPAINT = 80; // ms between two renderings of an answer that is still being written
const READ_ALOUD = 600; // characters of an answer that a screen reader is given at once

const OUTCOMES = {
  ok: "done", failed: "failed", denied: "denied", invalid: "invalid call", stopped: "stopped", unknown: "outcome unknown",
};

const SCOPES = { once: "allowed once", session: "allowed for this session", "30d": "allowed for 30 days" };

// What a call does, for a person: the command line or the path; else its arguments as they came.
function purpose(args) {
  try {
    const given = JSON.parse(args);
    if (typeof given.command === "string") return given.command;
    const list = given.argv ?? given.command;
    if (Array.isArray(list)) return list.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" ");
    if (typeof given.path === "string") return given.path;
  } catch {
    // The model's arguments are no JSON; they are shown as they are.
  }
  return args === "{}" ? "" : args;
}

export class Transcript {
  #list;
  #tools = new Map(); // call id -> the latest element for it
  #preview = null;
  #previewText = "";
  #painted = 0;
  #timer = 0;

  constructor(list) {
    this.#list = list;
  }

  clear() {
    this.#list.replaceChildren();
    this.#tools.clear();
    this.dropPreview();
  }

  get empty() {
    return this.#list.childElementCount === 0;
  }

  row(row, live) {
    const draw = this.#kinds[row.kind];
    if (draw) draw.call(this, row, live);
  }

  delta(text) {
    if (!this.#preview) {
      this.#preview = this.#bubble("assistant", "Wirken", null);
      this.#preview.classList.add("writing");
      this.#preview.setAttribute("aria-busy", "true");
    }
    this.#previewText += text;
    if (!this.#timer) this.#timer = setTimeout(() => this.#paint(), Math.max(0, this.#painted + REPAINT - Date.now()));
  }

  // What the gateway itself answered, as to /status: no row of this conversation.
  said(text) {
    this.#list.append(el("li", { class: "note" }, ...text.split("\n").map((line) => el("p", { text: shown(line) }))));
    say(text);
  }

  dropPreview() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#preview?.remove();
    this.#preview = null;
    this.#previewText = "";
  }

  #paint() {
    this.#timer = 0;
    this.#painted = Date.now();
    if (this.#preview) renderMarkdown(this.#preview.querySelector(".body"), this.#previewText);
  }

  #bubble(who, name, row) {
    const node = el("li", { class: `message ${who}`, "data-seq": row?.seq, title: row ? `row ${row.seq}` : null },
      el("span", { class: "who", text: name }), el("div", { class: "body", dir: "auto" }));
    this.#list.append(node);
    return node;
  }

  #note(row, text, look = "") {
    this.#list.append(el("li", { class: `note ${look}`, "data-seq": row.seq, title: `row ${row.seq}`, text }));
  }

  #answer(row, live) {
    this.dropPreview();
    if (!row.text) return;
    renderMarkdown(this.#bubble("assistant", "Wirken", row).querySelector(".body"), row.text);
    if (live) say(row.text.slice(0, READ_ALOUD));
  }

  #tool(row, call) {
    const node = el("li", { class: "tool", "data-seq": row.seq, "data-state": "waiting", title: `row ${row.seq}` },
      el("div", { class: "line" },
        el("span", { class: "name", text: shown(call.name) }),
        el("code", { class: "what", text: shown(purpose(call.arguments), true) }),
        el("span", { class: "state", text: "waiting" })),
      el("p", { class: "why quiet", hidden: true }));
    this.#tools.set(call.id, node);
    this.#list.append(node);
  }

  #mark(row, state, text, why = "") {
    const node = this.#tools.get(row.call_id);
    if (!node) return;
    node.dataset.state = state;
    node.querySelector(".state").textContent = text;
    if (!why) return;
    const line = node.querySelector(".why");
    line.hidden = false;
    line.textContent = shown(why);
  }

  #result(row) {
    const code = row.exit_code === null ? "" : `, exit code ${row.exit_code}`;
    this.#mark(row, row.outcome, `${OUTCOMES[row.outcome] ?? row.outcome}${code}`);
    const node = this.#tools.get(row.call_id);
    if (!node) return;
    const facts = [];
    if (row.ended_by) facts.push(`ended by ${shown(row.ended_by)}`);
    if (row.truncated_bytes) facts.push(`${row.truncated_bytes} bytes left out`);
    if (row.outcome === "ok" || row.outcome === "failed") facts.push(`${row.duration_ms} ms`);
    if (row.output) node.append(this.#output(shown(row.output, true)));
    if (facts.length) node.append(el("p", { class: "quiet", text: facts.join(" · ") }));
  }

  #output(text) {
    const lines = text.split("\n").length;
    const pre = el("pre", { class: "output", tabindex: "0", "aria-label": "Output", text });
    if (lines <= LONG_LINES && text.length <= LONG_TEXT) return pre;
    return el("details", {}, el("summary", { text: `Output, ${lines} lines, ${text.length} characters` }), pre);
  }

  #kinds = {
    user_message(row) {
      this.#bubble("user", row.sender_name ? shown(row.sender_name) : "You", row).querySelector(".body").textContent = row.text;
    },
    assistant_message(row, live) {
      this.#answer(row, live);
    },
    assistant_tool_calls(row) {
      this.#answer(row, false);
      for (const call of row.calls) this.#tool(row, call);
    },
    approval_requested(row) {
      this.#mark(row, "asked", "waits for you", row.reasons.join(" "));
    },
    permission_approved(row) {
      this.#mark(row, "permitted", SCOPES[row.scope] ?? `allowed (${shown(row.scope)})`);
    },
    tool_permitted(row) {
      this.#mark(row, "running", "running", `Permitted: ${row.tier}, ${row.action_keys.join(", ")} (${row.rule})`);
    },
    permission_denied(row) {
      this.#mark(row, "denied", "denied", `Denied: ${row.tier}, ${row.action_key} (${row.rule})`);
    },
    egress_verdict(row) {
      const node = this.#tools.get(row.call_id);
      const how = row.verdict === "allowed" ? "Reaches" : `Does not reach (${shown(row.verdict)}):`;
      const text = `${how} ${shown(row.host)}, port ${row.port}`;
      if (node && node.lastElementChild?.textContent !== text) node.append(el("p", { class: "quiet", text }));
    },
    http_redirect(row) {
      const text = `Sent on by the server (${row.status}): ${shown(row.method)} ${shown(row.url)}`;
      this.#tools.get(row.call_id)?.append(el("p", { class: "quiet", text }));
    },
    tool_result(row) {
      this.#result(row);
    },
    turn_resumed(row) {
      this.#note(row, `Wirken was interrupted here and went on; ${row.unknown} calls have an unknown outcome.`, "warning");
    },
    stop_requested(row) {
      this.#note(row, `${shown(row.by)} said stop.`);
    },
    turn_ended(row) {
      this.dropPreview();
      if (row.outcome !== "finished") this.#note(row, `Turn ${row.outcome}. ${shown(row.reason)}`, "warning");
    },
    injection_flag(row) {
      const [first, ...more] = row.flags;
      const rest = more.length ? ` (and ${more.length} more)` : "";
      if (first) this.#note(row, `Row ${row.about_seq} looks like an injection: it ${shown(first.reason)}${rest}`, "warning");
    },
    budget_alert(row) {
      const money = row.unit === "money";
      const amount = (number) => (money ? (number / 1e6).toFixed(2) : number);
      const unit = money ? "in money" : row.unit.replaceAll("_", " ");
      this.#note(row, `Budget '${shown(row.budget)}': ${amount(row.used)} of ${amount(row.limit)} ${unit} are used in this ${row.per}.`, "warning");
    },
    compaction(row) {
      this.#note(row, `From here on the model no longer sees ${row.left_out} earlier rows; the record keeps them.`);
    },
    new_requested(row) {
      this.#note(row, `${shown(row.by)} began anew.`);
    },
    delivery_failed(row) {
      this.#note(row, `Row ${row.about_seq} was not delivered: ${shown(row.reason)}`, "warning");
    },
    attestation(row) {
      this.#note(row, `Signed up to row ${row.chain_head_seq} · ${row.chain_head_hash.slice(0, 12)}…`, "signed");
    },
    session_closed(row) {
      this.#note(row, "This conversation was closed.");
    },
  };
}
