// What verifying a conversation's record found.

import { byId, el, shown } from "./dom.js";

const SENTENCES = {
  verified: "The record verifies.",
  divergence: "The record is whole, but says something that does not fit together.",
  unverifiable: "Part of the record cannot be checked.",
  broken: "The record was changed.",
  empty: "There is nothing to verify yet.",
};

const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

export function showVerdict(panel, verdict) {
  const close = () => {
    panel.hidden = true;
    byId("verify").focus();
  };
  panel.dataset.status = verdict.status;
  panel.replaceChildren(
    el("header", {},
      el("h3", { id: "verdict-title", text: SENTENCES[verdict.status] ?? verdict.status }),
      el("button", { type: "button", text: "Close", on: { click: close } })),
    el("p", { class: "quiet", text: `Checked: ${count(verdict.rows, "row")}, ${count(verdict.attestations, "signature")}.` }),
    el("ul", {}, ...verdict.findings.map((finding) => el("li", { text: shown(finding) }))));
  panel.hidden = false;
  panel.focus();
}
