// Approval cards: what is asked, exactly, and the answers. The server has made hidden characters visible.

import { answer } from "./api.js";
import { byId, el, say } from "./dom.js";

const ARMED_AFTER = 350; // ms; a click or key that was meant for something else must not allow a call

const HERE = "webchat"; // the page's own channel; a question of another is shown whatever is in view

const TIERS = { tier2: "asked once in 30 days", tier3: "asked every time" };

// What a button says, and how it looks; the gateway says which there are.
const ANSWERS = { once: ["Allow once", "primary"], session: ["Allow this session", ""], "30d": ["Allow 30 days", ""], deny: ["Deny", "danger"] };

const elsewhere = (card) => card.session.split("/")[1] !== HERE;

// A piece of somebody's words, with a statement of what was left out of it.
function words(label, text, cut) {
  if (!text) return null;
  const rest = cut ? el("p", { class: "quiet", text: `${cut} more bytes, not shown here; the record has them.` }) : null;
  return el("div", { class: "words" }, el("p", { class: "quiet", text: label }),
    el("pre", { class: "quoted", tabindex: "0", "aria-label": label, text }), rest);
}

export class Cards {
  #open = new Map(); // approval -> { card, node, timer, skew }
  #settled = new Set();
  #session;
  #changed;

  // `session()` is the conversation in view; `changed(others)` hears which other sessions wait for an answer.
  constructor(session, changed) {
    this.#session = session;
    this.#changed = changed;
  }

  asked(card, quietly = false) {
    if (this.#settled.has(card.approval) || this.#open.has(card.approval)) return;
    const entry = { card, node: null, timer: 0, skew: card.now - Date.now() };
    this.#open.set(card.approval, entry);
    if (this.#inView(card)) this.#show(entry, quietly);
    this.#report();
  }

  #inView(card) {
    return card.session === this.#session() || elsewhere(card);
  }

  settled(approval, decision = "") {
    this.#settled.add(approval);
    const entry = this.#open.get(approval);
    if (!entry) return;
    // A button that was pressed is disabled while its answer is on the way, which takes the focus from it.
    const lostFocus = entry.answered && document.activeElement === document.body;
    const hadFocus = lostFocus || entry.node?.contains(document.activeElement);
    this.#remove(entry);
    this.#open.delete(approval);
    if (decision) say(`The approval of ${entry.card.tool} was settled: ${decision}.`);
    if (hadFocus) byId("text").focus();
    this.#report();
  }

  // The conversation in view has changed.
  refresh() {
    for (const entry of this.#open.values()) {
      this.#remove(entry);
      if (this.#inView(entry.card)) this.#show(entry, elsewhere(entry.card));
    }
    this.#report();
  }

  // After a reconnect the gateway's list is the truth, but for questions that came while it was on its way.
  async replace(fetched) {
    const before = [...this.#open.keys()];
    const { approvals } = await fetched;
    const listed = new Set(approvals.map((card) => card.approval));
    for (const approval of before) if (!listed.has(approval)) this.settled(approval);
    for (const card of approvals) this.asked(card);
  }

  #report() {
    const others = new Set();
    let here = 0;
    for (const { card } of this.#open.values()) {
      if (this.#inView(card)) here += 1;
      else others.add(card.session);
    }
    this.#changed(others, here);
  }

  #remove(entry) {
    clearInterval(entry.timer);
    entry.node?.remove();
    entry.node = null;
  }

  #show(entry, quietly) {
    const { card } = entry;
    const title = `title-${card.approval}`;
    const countdown = el("span", { class: "countdown" });
    const problem = el("p", { class: "problem", role: "alert", hidden: true });
    const reason = el("input", { type: "text", class: "reason", maxlength: "500", "aria-label": "Reason for a no, told to the model", placeholder: "Reason for a no (optional)" });
    const buttons = card.choices.map((choice) => [choice, ...ANSWERS[choice]]).map(([choice, label, look]) => el("button", {
      type: "button", class: look, text: label, disabled: choice !== "deny", "data-choice": choice,
      on: { click: () => this.#answer(entry, choice, choice === "deny" ? reason.value : "", buttons, problem) },
    }));
    const asker = card.sender_name ? `${card.principal} (called "${card.sender_name}" there)` : card.principal;
    entry.node = el("section", { class: "card", role: "group", tabindex: "-1", "aria-labelledby": title },
      el("header", {},
        el("h3", { id: title, text: `Allow ${card.tool}?` }),
        el("span", { class: "chip", text: TIERS[card.tier] ?? card.tier, title: card.tier }), countdown),
      el("p", { class: "quiet asker", text: `Asked by ${asker} in ${card.session}` }),
      words("The message that led here:", card.message, card.message_cut),
      words("The model says:", card.said, card.said_cut),
      el("pre", { class: "command", tabindex: "0", "aria-label": "What runs", text: card.command }),
      card.reasons.length ? el("ul", { class: "reasons" },
        ...card.reasons.map((reason) => el("li", { text: reason }))) : null,
      card.place.length ? el("ul", { class: "reasons place" },
        ...card.place.map((line) => el("li", { text: line }))) : null,
      el("p", { class: "quiet", text: "Action: " + card.action_keys.join(", ") }),
      el("p", { class: "quiet", text: "Exactly this is what you allow:" }),
      el("pre", { class: "call", tabindex: "0", "aria-label": "The whole call", text: card.call }),
      el("p", { class: "quiet lease", text: "SHA-256 " + card.lease }),
      reason, el("div", { class: "buttons" }, ...buttons), problem);
    byId("cards").append(entry.node);
    this.#count(entry, countdown, buttons);
    setTimeout(() => buttons.forEach((button) => { button.disabled = entry.late ?? false; }), ARMED_AFTER);
    entry.node.scrollIntoView({ block: "nearest" });
    if (!quietly) this.#announce(entry);
  }

  #announce({ card, node }) {
    say(`Approval needed: ${card.tool}: ${card.command}`, true);
    const typing = document.activeElement === byId("text") && byId("text").value !== "";
    if (!typing) node.focus();
  }

  #count(entry, countdown, buttons) {
    const tick = () => {
      const now = Date.now() + entry.skew;
      if (entry.card.held_until > now) {
        const ends = new Date(entry.card.held_until - entry.skew).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
        countdown.textContent = `held until ${ends}: quiet hours`;
        return;
      }
      const left = Math.ceil((entry.card.expires - now) / 1000);
      countdown.textContent = left > 0 ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left` : "expired";
      if (left > 0) return;
      entry.late = true;
      clearInterval(entry.timer);
      for (const button of buttons) button.disabled = true;
    };
    entry.timer = setInterval(tick, 1000);
    tick();
  }

  async #answer(entry, choice, reason, buttons, problem) {
    entry.answered = true;
    for (const button of buttons) button.disabled = true;
    problem.hidden = true;
    try {
      await answer(entry.card.approval, entry.card.lease, choice, reason);
      this.settled(entry.card.approval, choice === "deny" ? "denied" : "allowed");
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      for (const button of buttons) button.disabled = entry.late ?? false;
    }
  }
}
