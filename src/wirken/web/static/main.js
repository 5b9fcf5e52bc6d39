// The page: one conversation in view, its stream, its cards, and the list beside it.

import * as api from "./api.js";
import { Cards } from "./cards.js";
import { byId, el, newId, say, shown } from "./dom.js";
import { Transcript } from "./rows.js";
import { Waiting } from "./senders.js";
import { showVerdict } from "./verdict.js";

const HIDDEN_FOR = 30_000; // ms out of sight after which an idle tab gives its connection to others
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });
const when = (ms) => Math.abs(ms) <= 8.64e15 ? WHEN.format(ms) : `${ms} ms`; // a Date reaches no further
const NEAR_END = 120; // pixels from the end within which the view follows what comes

const view = { session: "", conversation: newId(), last: -1, running: false, caughtUp: false };
const sending = { text: "", id: "" };
const transcript = new Transcript(byId("rows"));
const cards = new Cards(() => view.session, showWaiting);
const waiting = new Waiting(byId("waiting"), trouble);
const link = new api.EventLink(where, { up, down, row, delta, asked, settled, over });

// --- events -----------------------------------------------------------------------------------------

function where() {
  if (!view.session) return { conversation: view.conversation };
  return { session: view.session, from: view.last + 1 };
}

async function up() {
  byId("banner").hidden = true;
  transcript.dropPreview();
  try {
    await cards.replace(api.approvals());
    await refreshList();
    await waiting.refresh();
    view.caughtUp = true;
  } catch (error) {
    trouble(error.message);
  }
}

function down(wait) {
  view.caughtUp = false;
  trouble(`The connection to Wirken is lost. Trying again in ${Math.max(1, Math.round(wait / 1000))} s.`);
}

function row(row) {
  if (row.seq <= view.last) return;
  view.last = row.seq;
  adopt(row.session);
  transcript.row(row, view.caughtUp);
  if (row.kind === "turn_started" || row.kind === "turn_resumed") setRunning(true);
  if (row.kind === "turn_ended") setRunning(false);
  if (row.kind === "user_message" && byId("title").dataset.session !== row.session) setTitle(row.text, row.session);
  byId("empty").hidden = !transcript.empty;
}

function delta(event) {
  transcript.delta(event.text);
}

function asked(card) {
  cards.asked(card);
}

function settled(event) {
  cards.settled(event.approval, event.decision);
}

function over(event) {
  setRunning(false);
  transcript.dropPreview();
  if (event.outcome !== "finished") say(`The turn ended: ${event.outcome}. ${event.reason}`);
  refreshList().catch(() => {});
}

// The view follows what comes for as long as the person has not scrolled back.
function followEnd() {
  const box = byId("scroll");
  let following = true;
  box.addEventListener("scroll", () => {
    following = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
  });
  const grown = new ResizeObserver(() => { if (following) box.scrollTop = box.scrollHeight; });
  for (const part of [box, byId("rows"), byId("cards")]) grown.observe(part);
}

// --- what is in view --------------------------------------------------------------------------------

function adopt(session) {
  if (view.session) return;
  view.session = session;
  history.replaceState(null, "", "#" + session);
  byId("verify").hidden = false;
  cards.refresh();
}

function show(session, focus = true) {
  Object.assign(view, { session, conversation: session ? session.split("/")[2] : newId(), last: -1, caughtUp: false });
  transcript.clear();
  setRunning(false);
  setTitle("", "");
  byId("verdict").hidden = true;
  byId("verify").hidden = !session;
  byId("empty").hidden = false;
  toggleMenu(false);
  cards.refresh();
  if (focus) byId("text").focus();
  return link.open();
}

function setTitle(text, session) {
  const title = shown(text.trim().split("\n")[0].slice(0, 80)) || "New conversation";
  byId("title").textContent = title;
  byId("title").dataset.session = session;
}

function setRunning(running) {
  view.running = running;
  byId("stop").hidden = !running;
  byId("scroll").classList.toggle("running", running);
}

function showWaiting(others, here) {
  document.title = here || others.size ? "Approval needed · Wirken" : "Wirken";
  for (const item of byId("conversations").querySelectorAll("a")) {
    item.classList.toggle("asks", others.has(item.dataset.session));
  }
}

function trouble(text) {
  byId("banner-text").textContent = text;
  byId("reconnect").hidden = link.connected;
  byId("banner").hidden = false;
}

// --- the list ---------------------------------------------------------------------------------------

async function refreshList() {
  const { sessions } = await api.sessions();
  byId("conversations").replaceChildren(...sessions.map((session) => el("li", {},
    el("a", {
      href: "#" + session.session, "data-session": session.session,
      "aria-current": session.session === view.session ? "page" : null,
    },
    el("span", { class: "title", text: shown(session.title) || "Untitled" }),
    el("span", { class: "quiet", text: `${when(session.last)} · ${session.rows} rows` })))));
  const known = sessions.find((session) => session.session === view.session);
  if (known) setTitle(known.title, known.session);
}

async function showStatus() {
  const report = await api.status();
  byId("status").textContent = `Wirken ${report.version} · ${report.provider} · ${report.sandbox}`;
}

function toggleMenu(open) {
  byId("menu").setAttribute("aria-expanded", String(open));
  byId("layout").classList.toggle("menu-open", open);
}

// --- actions ----------------------------------------------------------------------------------------

async function submit() {
  const field = byId("text");
  const text = field.value;
  const known = view.session;
  const live = link.connected;
  if (!text.trim() || byId("send").disabled) return;
  // The same text sent again after a failure keeps its id, so that it is taken only once.
  if (sending.text !== text) Object.assign(sending, { text, id: newId() });
  byId("send").disabled = true;
  field.value = "";
  fit();
  try {
    const taken = await api.send(view.conversation, text, sending.id);
    sending.text = "";
    byId("banner").hidden = true;
    if (taken.said !== undefined) {
      transcript.said(taken.said);
      return;
    }
    if (known || view.conversation !== taken.conversation) return;
    adopt(taken.session);
    // A stream that was not open yet may have missed the first rows; a new one starts after the last row we have.
    if (!live) link.open();
    refreshList().catch(() => {});
  } catch (error) {
    if (!field.value && sending.text) field.value = text;
    fit();
    trouble(error.message);
  } finally {
    byId("send").disabled = false;
  }
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    trouble(error.message);
  }
}

function fit() {
  const field = byId("text");
  field.rows = Math.min(10, Math.max(1, field.value.split("\n").length));
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
byId("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
byId("text").addEventListener("input", fit);
byId("new").addEventListener("click", () => {
  if (location.hash) location.hash = "";
  else show("");
});
byId("menu").addEventListener("click", () => toggleMenu(byId("menu").getAttribute("aria-expanded") !== "true"));
byId("stop").addEventListener("click", () => attempt(() => api.stop(view.session)));
byId("verify").addEventListener("click", () => attempt(async () => showVerdict(byId("verdict"), await api.verify(view.session))));
byId("reconnect").addEventListener("click", () => link.open());
globalThis.addEventListener("hashchange", () => show(decodeURIComponent(location.hash.slice(1))));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") toggleMenu(false);
});

let hidden = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden);
  if (document.visibilityState === "visible") {
    if (!link.connected) link.open();
    return;
  }
  // A browser gives one host six connections; tabs nobody looks at must not use them up.
  hidden = setTimeout(() => { if (!view.running) link.close(); }, HIDDEN_FOR);
});

followEnd();
show(decodeURIComponent(location.hash.slice(1)));
attempt(showStatus);
