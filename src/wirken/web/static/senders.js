// Who wrote on a chat platform and waits for the owner's decision. The server has made hidden characters visible.

import { decide, senders } from "./api.js";
import { byId, el, say, shown } from "./dom.js";

const LOOK_EVERY = 20_000; // ms between looks while the page is in view
const ARMED_AFTER = 350; // ms; a click that was meant for something else must not admit anybody

export class Waiting {
  #box;
  #trouble;
  #items = new Map(); // account -> node

  constructor(box, trouble) {
    this.#box = box;
    this.#trouble = trouble;
    setInterval(() => { if (document.visibilityState === "visible") this.refresh().catch(() => {}); }, LOOK_EVERY);
  }

  // Those that are shown stay where they are, so that no button moves under a hand; new ones go to the end.
  async refresh() {
    const listed = new Map((await senders()).senders.map((row) => [`${row.channel}:${row.sender}`, row]));
    for (const account of [...this.#items.keys()]) if (!listed.has(account)) this.#remove(account);
    for (const [account, row] of listed) if (!this.#items.has(account)) this.#add(account, row);
    this.#box.hidden = this.#items.size === 0;
  }

  #add(account, row) {
    const role = el("select", { "aria-label": `Role of ${account}` },
      el("option", { value: "user", text: "as user" }), el("option", { value: "guest", text: "as guest, without tools" }));
    const buttons = [
      el("button", { type: "button", text: "Admit", disabled: true,
        "aria-label": `Admit ${account}`, on: { click: () => this.#decide(account, row, "allow", role.value, buttons) } }),
      el("button", { type: "button", class: "danger", text: "Block", disabled: true,
        "aria-label": `Block ${account}`, on: { click: () => this.#decide(account, row, "block", "", buttons) } }),
    ];
    const node = el("li", { "data-account": account },
      el("span", { class: "title", text: shown(row.name) || "No name" }),
      el("span", { class: "quiet", text: shown(account) }),
      role, el("div", { class: "buttons" }, ...buttons));
    this.#items.set(account, node);
    this.#box.querySelector("ul").append(node);
    setTimeout(() => buttons.forEach((button) => { button.disabled = false; }), ARMED_AFTER);
    say(`Somebody unknown wrote: ${shown(account)}.`);
  }

  #remove(account) {
    const node = this.#items.get(account);
    const hadFocus = node?.contains(document.activeElement);
    node?.remove();
    this.#items.delete(account);
    this.#box.hidden = this.#items.size === 0;
    if (hadFocus) byId("text").focus();
  }

  async #decide(account, row, decision, role, buttons) {
    for (const button of buttons) button.disabled = true;
    try {
      await decide(row.channel, row.sender, decision, role);
      this.#remove(account);
      say(`${decision === "allow" ? "Admitted" : "Blocked"}: ${shown(account)}.`);
    } catch (error) {
      this.#trouble(error.message);
      for (const button of buttons) button.disabled = false;
    }
  }
}
