// A Telegram text with its entities as elements. Offsets are UTF-16 units, as JavaScript's are.

import { element } from "./dom.js";

const TAGS = {
  bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote", spoiler: "span",
};

export function formatted(text, entities, follow) {
  const sorted = [...(entities ?? [])].sort((a, b) => a.offset - b.offset || b.length - a.length);
  return nodes(text, sorted, 0, text.length, follow);
}

function nodes(text, entities, start, end, follow) {
  const made = [];
  let at = start;
  let index = 0;
  while (index < entities.length) {
    const entity = entities[index];
    const from = Math.max(entity.offset, at);
    const to = Math.min(entity.offset + entity.length, end);
    index += 1;
    if (to <= from) continue;
    const inside = [];
    while (index < entities.length && entities[index].offset < to) inside.push(entities[index++]);
    if (from > at) made.push(document.createTextNode(text.slice(at, from)));
    made.push(wrapped(entity, text.slice(from, to), nodes(text, inside, from, to, follow), follow));
    at = to;
  }
  if (end > at) made.push(document.createTextNode(text.slice(at, end)));
  return made;
}

function wrapped(entity, text, children, follow) {
  if (entity.type === "bot_command") {
    return element("button", { type: "button", class: "command", onclick: () => follow({ command: text }) }, children);
  }
  if (entity.type === "text_link" || entity.type === "url") {
    return link(entity.url ?? text, children, follow);
  }
  return element(TAGS[entity.type] ?? "span", { class: `entity ${entity.type}` }, children);
}

export function link(url, children, follow, attributes = {}) {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (address === null || !["http:", "https:", "mailto:", "tg:"].includes(address.protocol)) {
    return element("span", attributes, children);
  }
  const start = address.searchParams.get("start");
  if (start !== null) {
    return element("a", { ...attributes, href: url, onclick: (event) => { event.preventDefault(); follow({ start }); } }, children);
  }
  return element("a", { ...attributes, href: url, target: "_blank", rel: "noopener noreferrer" }, children);
}
