// Small helpers over the DOM. Text goes in through textContent only; nothing here parses HTML.

export const byId = (id) => document.getElementById(id);

export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "text") node.textContent = value;
    else if (key === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// The same characters as domain/text.py `shown`: what moves a cursor, reorders text, is invisible or has no shape.
const HIDDEN = new RegExp("[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}\\p{Cn}\\p{Zl}\\p{Zp}" +
  "\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180d\\u180f\\u2800\\u3164\\ufe00-\\ufe0f\\uffa0" +
  "\\u{13441}\\u{13442}\\u{16fe4}\\u{1d159}\\u{e0100}-\\u{e01ef}]" +
  "|(?<=[\\p{Mn}\\p{Me}]{4})[\\p{Mn}\\p{Me}]", "gu"); // limits.MARKS: a tower of marks covers other lines
const RUNNING = "\n\t\ufe0f"; // what running text may keep; the last gives the sign before it its colour

function escaped(character) {
  const point = character.codePointAt(0);
  const digits = point.toString(16);
  if (point < 0x100) return "\\x" + digits.padStart(2, "0");
  return point < 0x10000 ? "\\u" + digits.padStart(4, "0") : "\\U" + digits.padStart(8, "0");
}

export function shown(text, keepNewlines = false) {
  return text.replace(HIDDEN, (character) =>
    keepNewlines && RUNNING.includes(character) ? character : escaped(character));
}

export function say(text, urgent = false) {
  const region = byId(urgent ? "urgent" : "polite");
  region.textContent = "";
  // A region that is emptied and filled in one go is not read again when the text is the same.
  setTimeout(() => { region.textContent = text; }, 50);
}

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
