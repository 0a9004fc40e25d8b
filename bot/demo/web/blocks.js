// How does Block Kit look? One function a block type; an unknown one says so instead of vanishing.

import { h, link, unseen } from "./dom.js";
import { emoji } from "./icons.js";
import { dateText, mrkdwn } from "./mrkdwn.js";

const TASKS = {
  pending: ["○", "waiting"],
  in_progress: ["", "running"],
  complete: ["✓", "done"],
  error: ["!", "problem"],
};

/** The nodes of a message's blocks. `page`: {names, press(button), folded: Map of what is open}. */
export function blocks(list, page, key) {
  return list.map((block, index) => (RENDER[block.type] ?? unknown)(block, page, `${key}/${index}`));
}

const text = (object, page) => (object.type === "mrkdwn" ? mrkdwn(object.text, page.names) : plain(object.text));

function plain(value) {
  return value.split(/(:[a-z0-9_+-]+:)/).map((part) => (/^:[a-z0-9_+-]+:$/.test(part) ? emoji(part.slice(1, -1)) : part));
}

function unknown(block) {
  return h("p", { class: "faint" }, `(a block of type ${block.type}, which this page cannot draw)`);
}

function section(block, page) {
  const body = h("div", { class: "section-body" });
  if (block.text) body.append(h("div", { class: "text" }, text(block.text, page)));
  if (block.fields) body.append(h("div", { class: "fields" }, block.fields.map((field) => h("div", {}, text(field, page)))));
  return h("div", { class: "section" }, body, block.accessory ? button(block.accessory, block, page) : null);
}

function button(element, block, page) {
  const style = element.style ? `button ${element.style}` : "button";
  if (element.url) return h("a", { class: style, href: element.url, target: "_blank", rel: "noreferrer noopener" }, plain(element.text.text));
  return h(
    "button",
    {
      type: "button",
      class: style,
      "data-action": element.action_id,
      "aria-label": element.accessibility_label,
      onclick: (event) => page.press(event.currentTarget, { ...element, block_id: block.block_id }),
    },
    plain(element.text.text),
  );
}

function table(block, page) {
  const align = (index) => block.column_settings?.[index]?.align ?? "left";
  const cell = (tag) => (value, index) =>
    h(tag, { class: `to-${align(index)}`, scope: tag === "th" ? "col" : null }, value.type === "raw_text" ? value.text : rich(value, page));
  const [head, ...rows] = block.rows;
  return h(
    "div",
    { class: head.length > 4 ? "table wide" : "table", tabindex: "0", role: "region", "aria-label": "Table" },
    h("table", {}, h("thead", {}, h("tr", {}, head.map(cell("th")))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell("td")))))),
  );
}

function rich(block, page) {
  return block.elements.map((part) => richPart(part, page));
}

function richPart(part, page) {
  const inner = () => part.elements.map((element) => richInline(element, page));
  if (part.type === "rich_text_preformatted") return h("pre", {}, inner());
  if (part.type === "rich_text_quote") return h("blockquote", {}, inner());
  if (part.type === "rich_text_list") {
    return h(part.style === "ordered" ? "ol" : "ul", {}, part.elements.map((item) => h("li", {}, item.elements.map((element) => richInline(element, page)))));
  }
  return h("div", { class: "text" }, inner());
}

function richInline(element, page) {
  const { names } = page;
  if (element.type === "link") return link(element.url, element.text ?? element.url);
  if (element.type === "user") return h("span", { class: "mention" }, `@${names.users[element.user_id]?.name ?? element.user_id}`);
  if (element.type === "channel") return h("span", { class: "mention" }, `#${names.channels[element.channel_id] ?? element.channel_id}`);
  if (element.type === "usergroup") return h("span", { class: "mention" }, `@${element.usergroup_id}`);
  if (element.type === "broadcast") return h("span", { class: "mention loud" }, `@${element.range}`);
  if (element.type === "emoji") return emoji(element.name);
  if (element.type === "date") return document.createTextNode(dateText(new Date(element.timestamp * 1000), element.format));
  return styled(element.text, element.style ?? {});
}

function styled(value, style) {
  let node = document.createTextNode(value);
  for (const [name, tag] of [["code", "code"], ["bold", "b"], ["italic", "i"], ["strike", "s"]]) {
    if (style[name]) node = h(tag, {}, node);
  }
  return node;
}

function task(item, page) {
  const [mark, word] = TASKS[item.status];
  const notes = [item.details, item.output].filter(Boolean).map((note) => h("div", { class: "note" }, rich(note, page)));
  return h("li", { class: `task ${item.status}` }, h("span", { class: "mark", "aria-hidden": "true" }, mark), h("div", {}, h("span", {}, item.title, unseen(` (${word})`)), notes));
}

function plan(block, page) {
  const finished = block.tasks.filter((item) => item.status === "complete" || item.status === "error").length;
  const bar = h("progress", { max: block.tasks.length, value: finished, "aria-label": "Checks done" });
  return h("div", { class: "plan" }, h("div", { class: "plan-title" }, h("b", {}, block.title), bar), h("ul", {}, block.tasks.map((item) => task(item, page))));
}

function container(block, page, key) {
  const inner = h("div", { class: "children" }, blocks(block.child_blocks, page, key));
  const title = [h("b", {}, plain(block.title.text)), block.subtitle ? h("span", { class: "faint" }, " ", plain(block.subtitle.text)) : null];
  if (!block.is_collapsible) return h("div", { class: "container" }, h("p", {}, title), inner);
  const open = page.folded.get(key) ?? !block.default_collapsed;
  const details = h("details", { class: "container", open }, h("summary", {}, title), inner);
  details.addEventListener("toggle", () => page.folded.set(key, details.open));
  return details;
}

const RENDER = {
  section,
  header: (block) => h("h3", {}, plain(block.text.text)),
  context: (block, page) => h("div", { class: "context" }, block.elements.map((element) => h("span", {}, text(element, page)))),
  actions: (block, page) => h("div", { class: "buttons" }, block.elements.map((element) => button(element, block, page))),
  divider: () => h("hr"),
  table,
  rich_text: (block, page) => h("div", { class: "rich" }, rich(block, page)),
  plan,
  task_card: (block, page) => h("ul", { class: "plan" }, task(block, page)),
  container,
};
