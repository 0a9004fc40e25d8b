// What does Slack make of `*bold* <@U1> <!date^...>`? Text -> nodes; whatever is not markup stays text.

import { h, link } from "./dom.js";
import { emoji } from "./icons.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const MARKUP = [
  [/^```\n?([\s\S]+?)\n?```/, (m) => h("pre", {}, unescape(m[1]))],
  [/^`([^`\n]+)`/, (m) => h("code", {}, unescape(m[1]))],
  [/^\*(?=\S)([^*\n]+?)\*(?![\w*])/, (m, names) => h("b", {}, inline(m[1], names)), true],
  [/^_(?=\S)([^_\n]+?)_(?!\w)/, (m, names) => h("i", {}, inline(m[1], names)), true],
  [/^~(?=\S)([^~\n]+?)~(?!\w)/, (m, names) => h("s", {}, inline(m[1], names)), true],
  [/^<([^<>\n]+)>/, (m, names) => token(m[1], names)],
  [/^:([a-z0-9_+-]+):/, (m) => emoji(m[1])],
];

function unescape(text) {
  return text.replace(/&(amp|lt|gt);/g, (entity) => ENTITIES[entity]);
}

/** Nodes of a whole mrkdwn text: lines, quotes, code blocks. `names`: {users, channels} by id. */
export function mrkdwn(text, names) {
  const nodes = [];
  for (const part of text.split(/(```[\s\S]+?```)/)) {
    if (part.startsWith("```")) nodes.push(h("pre", {}, unescape(part.slice(3, -3).replace(/^\n|\n$/g, ""))));
    else nodes.push(...lines(part, names));
  }
  return nodes;
}

function lines(text, names) {
  const nodes = [];
  let quote = null;
  text.split("\n").forEach((line, index) => {
    const quoted = /^(&gt;|>) ?/.exec(line);
    if (quoted) {
      if (quote) quote.append(h("br"));
      else nodes.push((quote = h("blockquote")));
      quote.append(...inline(line.slice(quoted[0].length), names));
      return;
    }
    if (index && !quote) nodes.push(h("br"));
    quote = null;
    nodes.push(...inline(line, names));
  });
  return nodes;
}

function inline(text, names) {
  const nodes = [];
  let plain = "";
  for (let at = 0; at < text.length; ) {
    const hit = markupAt(text, at);
    if (!hit) {
      plain += text[at++];
      continue;
    }
    if (plain) nodes.push(unescape(plain));
    plain = "";
    nodes.push(hit.make(hit.match, names));
    at += hit.match[0].length;
  }
  if (plain) nodes.push(unescape(plain));
  return nodes;
}

function markupAt(text, at) {
  const before = at ? text[at - 1] : " ";
  for (const [pattern, make, apart] of MARKUP) {
    if (apart && /[\w*]/.test(before)) continue; // *bold* and the like begin at a word's edge
    const match = pattern.exec(text.slice(at));
    if (match) return { match, make };
  }
  return null;
}

function token(inside, names) {
  const [target, label] = inside.split("|", 2);
  if (target.startsWith("@")) return h("span", { class: "mention" }, `@${names.users[target.slice(1)]?.name ?? label ?? target.slice(1)}`);
  if (target.startsWith("#")) return h("span", { class: "mention" }, `#${names.channels[target.slice(1)] ?? label ?? target.slice(1)}`);
  if (target.startsWith("!subteam^")) return h("span", { class: "mention" }, label ?? target);
  if (target.startsWith("!date^")) return date(target, label);
  if (target.startsWith("!")) return h("span", { class: "mention loud" }, `@${label ?? target.slice(1)}`);
  return link(unescape(target), unescape(label ?? target));
}

function date(target, fallback) {
  const [, seconds, format] = target.split("^");
  const when = new Date(Number(seconds) * 1000);
  if (Number.isNaN(when.getTime())) return document.createTextNode(fallback ?? "");
  return h("time", { datetime: when.toISOString(), title: fallback }, dateText(when, format ?? "{time}"));
}

/** A time in the reader's own time zone, by Slack's format words. */
export function dateText(when, format) {
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const shown = {
    date_num: () => when.toISOString().slice(0, 10),
    date: () => when.toLocaleDateString("en", { month: "long", day: "numeric", year: "numeric" }),
    date_short: () => when.toLocaleDateString("en", { month: "short", day: "numeric", year: "numeric" }),
    date_long: () => when.toLocaleDateString("en", { weekday: "long", month: "long", day: "numeric", year: "numeric" }),
    time: () => when.toLocaleTimeString("en", clock),
    time_secs: () => when.toLocaleTimeString("en", { ...clock, second: "2-digit" }),
  };
  return format.replace(/\{(\w+?)(_pretty)?\}/g, (whole, word) => shown[word]?.() ?? whole);
}
