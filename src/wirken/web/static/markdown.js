// An answer's Markdown as safe HTML: no raw HTML, no images, no other schemes than http, https and mailto.

import markdownit from "/static/vendor/markdown-it.esm.min.mjs";

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

const parser = markdownit({ html: false, linkify: false, typographer: false, maxNesting: 40 });
parser.disable("image");

function allowed(href) {
  try {
    return SCHEMES.has(new URL(href).protocol);
  } catch {
    return false; // relative addresses lead nowhere but to this page's own API
  }
}
parser.validateLink = allowed;

parser.renderer.rules.link_open = (tokens, index, options, env, self) => {
  const token = tokens[index];
  const href = token.attrGet("href") ?? "";
  token.attrSet("target", "_blank");
  token.attrSet("rel", "noopener noreferrer");
  token.attrSet("title", href); // where it leads, whatever its text and title say
  return self.renderToken(tokens, index, options);
};

// Heading levels go below those of the page itself.
for (const rule of ["heading_open", "heading_close"]) {
  parser.renderer.rules[rule] = (tokens, index, options, env, self) => {
    tokens[index].tag = "h" + Math.min(6, Number(tokens[index].tag[1]) + 2);
    return self.renderToken(tokens, index, options);
  };
}
// Column alignment comes as an inline style, which the page's policy forbids; a class says the same.
for (const rule of ["th_open", "td_open"]) {
  parser.renderer.rules[rule] = (tokens, index) => {
    const { tag } = tokens[index];
    const side = /^text-align:(left|center|right)$/.exec(tokens[index].attrGet("style") ?? "");
    return side ? `<${tag} class="${side[1]}">` : `<${tag}>`;
  };
}

// The policy itself renders, so that no other string can become HTML through it.
const rules = { createHTML: (text) => parser.render(text) };
const policy = globalThis.trustedTypes?.createPolicy("wirken-markdown", rules) ?? rules;

export function renderMarkdown(node, text) {
  node.innerHTML = policy.createHTML(text);
}
