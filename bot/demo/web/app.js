// What does the person at the screen see and do? State comes from /_sim/state whenever something has happened.

import { blocks } from "./blocks.js";
import { h } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

const $ = (id) => document.getElementById(id);
const BOT = "U0NETDIAG";
const NO_COMMANDS_HERE = "Slack knows no app commands in threads. Write @netdiag svc checkout here, or the command in the channel.";
const at = { user: localStorage.getItem("user") ?? "U1ALICE", channel: "C1INC", thread: null, chosen: false };
const folded = new Map();
const typedBefore = [];
let state = null;

// Asking and acting

async function refresh() {
  const answer = await fetch(`/_sim/state?user=${encodeURIComponent(at.user)}`);
  if (!answer.ok) throw new Error(`the workspace answered ${answer.status}`);
  state = await answer.json();
  draw();
}

async function act(action, body) {
  const answer = await fetch(`/_sim/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: at.user, channel: at.channel, ...body }),
  });
  return answer.ok ? answer.json() : { ok: false, error: await answer.text() };
}

function follow() {
  let asked = false;
  const soon = () => {
    if (asked) return;
    asked = true;
    setTimeout(() => {
      asked = false;
      refresh().catch(() => say("The workspace does not answer."));
    }, 60);
  };
  const events = new EventSource(`/_sim/events?after=${state.last}`);
  events.onmessage = soon;
  events.onopen = () => say("");
  events.onerror = () => say("Not connected: is `netdiag demo` still running?");
}

function say(text) {
  $("link-state").textContent = text;
}

// Drawing

function draw() {
  if (!state.channels.some((channel) => channel.id === at.channel)) Object.assign(at, { channel: state.channels[0].id, thread: null });
  const names = { users: state.users, channels: Object.fromEntries(state.channels.map((one) => [one.id, one.name])) };
  const page = { names, folded };
  $("team").textContent = state.team;
  drawChannels();
  drawPeople();
  drawGuide();
  const channel = state.channels.find((one) => one.id === at.channel);
  $("channel-name").textContent = `# ${channel.name}`;
  $("channel-facts").textContent = `${channel.members} members${channel.shared ? ", shared with another workspace" : ""}`;
  $("typed").placeholder = `Message #${channel.name} or type /netdiag`;
  const here = state.messages.filter((message) => message.channel === at.channel);
  openNewest(here);
  fill($("stream"), here.filter((message) => !message.thread_ts || message.broadcast), page, here, false);
  drawThread(here, page);
}

function openNewest(here) {
  if (at.chosen || window.innerWidth < 1000) return; // the person decides, once they have opened or closed one
  const parents = here.filter((message) => message.user === BOT && replies(here, message).length);
  at.thread = parents.at(-1)?.ts ?? null;
}

const replies = (here, parent) => here.filter((message) => message.thread_ts === parent.ts);

function drawThread(here, page) {
  const parent = here.find((message) => message.ts === at.thread);
  $("thread").hidden = !parent;
  document.body.classList.toggle("with-thread", Boolean(parent));
  if (parent) fill($("replies"), [parent, ...replies(here, parent)], page, here, true);
  else $("replies").replaceChildren();
}

function drawChannels() {
  $("channels").replaceChildren(
    ...state.channels.map((channel) =>
      h("li", {}, h("button", { type: "button", "aria-current": channel.id === at.channel ? "page" : null, onclick: () => go(channel.id) }, `# ${channel.name}`)),
    ),
  );
}

function drawPeople() {
  if ($("people").dataset.of === at.user) return;
  $("people").dataset.of = at.user;
  const focused = $("people").contains(document.activeElement);
  $("people").replaceChildren(
    ...state.people.map((id) => {
      const input = h("input", { type: "radio", name: "person", value: id, checked: id === at.user, onchange: () => become(id) });
      return h("label", {}, input, avatar(id), h("span", {}, state.users[id].name));
    }),
  );
  if (focused) $("people").querySelector("input:checked").focus({ preventScroll: true });
}

function drawGuide() {
  const did = new Set(state.did);
  for (const item of document.querySelectorAll("[data-step]")) item.classList.toggle("done", did.has(item.dataset.step));
}

/** Keep what has not changed, so that focus, selection and scrolling stay, and screen readers hear only news. */
function fill(place, messages, page, here, inThread) {
  const atEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 80;
  const before = new Map([...place.children].map((node) => [node.dataset.key, node]));
  const nodes = messages.map((message) => {
    const count = inThread ? [] : replies(here, message);
    const key = `${at.user} ${message.ts} ${inThread}`;
    const print = JSON.stringify([message, count.length, count.at(-1)?.ts, at.thread === message.ts]);
    const old = before.get(key);
    if (old?.dataset.print === print) return old;
    const node = draw1(message, page, count, inThread);
    Object.assign(node.dataset, { key, print });
    return node;
  });
  if (!nodes.length) nodes.push(h("p", { class: "empty faint" }, "Nothing here yet. Type /netdiag svc checkout below."));
  reconcile(place, nodes);
  if (atEnd) place.scrollTop = place.scrollHeight;
}

function reconcile(place, nodes) {
  for (const node of [...place.children]) if (!nodes.includes(node)) node.remove();
  nodes.forEach((node, index) => {
    if (place.children[index] !== node) place.insertBefore(node, place.children[index] ?? null);
  });
}

function draw1(message, page, count, inThread) {
  const name = state.users[message.user]?.name ?? "Slackbot";
  const press = (node, button) => pressed(node, button, message);
  const own = { ...page, press };
  const body = message.blocks.length ? blocks(message.blocks, own, message.ts) : [h("div", { class: "text" }, mrkdwn(message.text, page.names))];
  return h(
    "article",
    { class: message.only_for ? "message private" : "message", "data-ts": message.ts, "aria-label": `${name} wrote` },
    avatar(message.user),
    h(
      "div",
      { class: "content" },
      message.only_for ? h("p", { class: "only-you" }, eye(), "Only visible to you") : null,
      message.broadcast && !inThread ? h("p", { class: "faint" }, "also sent to the channel from a thread") : null,
      h("p", { class: "who" }, h("b", {}, name), message.user === BOT ? h("span", { class: "app" }, "APP") : null, clock(message)),
      body,
      message.files.map((file) => h("details", { class: "container" }, h("summary", {}, h("b", {}, file.title)), h("pre", {}, file.text))),
      count.length ? threadButton(message, count) : null,
    ),
  );
}

function threadButton(message, count) {
  const word = count.length === 1 ? "1 reply" : `${count.length} replies`;
  return h("button", { type: "button", class: "replies", "aria-expanded": String(at.thread === message.ts), onclick: () => openThread(message.ts) }, word, h("span", { class: "faint" }, " View thread"));
}

function clock(message) {
  const when = new Date(Number(message.ts) * 1000);
  const text = when.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return h("time", { class: "faint", datetime: when.toISOString(), title: when.toString() }, message.edits ? `${text} (edited)` : text);
}

function eye() {
  return h("span", { class: "eye", "aria-hidden": "true" });
}

function avatar(id) {
  const name = state.users[id]?.name ?? "S";
  return h("span", { class: "avatar", "data-who": id, "aria-hidden": "true" }, id === BOT ? "" : name[0].toUpperCase());
}

// What the person does

function go(channel) {
  Object.assign(at, { channel, thread: null, chosen: false });
  draw();
}

function openThread(ts) {
  Object.assign(at, { thread: ts, chosen: true });
  draw();
  $("replies").focus({ preventScroll: true });
}

async function become(id) {
  at.user = id;
  localStorage.setItem("user", id);
  await refresh();
}

async function pressed(node, button, message) {
  if (button.confirm && !(await agreed(button.confirm))) return;
  node.classList.add("busy");
  node.setAttribute("aria-disabled", "true");
  const answer = await act("press", { ts: message.ts, action_id: button.action_id, value: button.value });
  node.classList.remove("busy");
  node.removeAttribute("aria-disabled");
  if (!answer.ok && answer.error) $("hint").textContent = answer.error;
}

function agreed(confirm) {
  const names = { users: state.users, channels: {} };
  $("confirm-title").textContent = confirm.title.text;
  $("confirm-text").replaceChildren(...(confirm.text.type === "mrkdwn" ? mrkdwn(confirm.text.text, names) : [confirm.text.text]));
  $("confirm-no").textContent = confirm.deny.text;
  $("confirm-yes").textContent = confirm.confirm.text;
  $("confirm-yes").className = `button ${confirm.style ?? "primary"}`;
  const dialog = $("confirm");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function typed(text, inThread) {
  if (!text.trim()) return true;
  $("hint").textContent = "";
  if (inThread && text.startsWith("/")) {
    $("hint").textContent = NO_COMMANDS_HERE;
    return false;
  }
  typedBefore.push(text);
  const answer = text.startsWith("/") ? await act("slash", { text }) : await act("say", { text, thread_ts: inThread ? at.thread : "" });
  if (!answer.ok && answer.error) $("hint").textContent = answer.error;
  return true;
}

function composer(form, field, inThread) {
  let back = 0;
  const grow = () => {
    field.rows = Math.min(6, field.value.split("\n").length);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = field.value;
    back = 0;
    field.value = "";
    grow();
    if (!(await typed(text, inThread))) field.value = text;
  });
  field.addEventListener("input", grow);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "ArrowUp" && (!field.value || back) && back < typedBefore.length) {
      event.preventDefault();
      field.value = typedBefore.at(-++back);
    }
  });
}

composer($("composer"), $("typed"), false);
composer($("answer"), $("answered"), true);
$("close-thread").addEventListener("click", () => {
  Object.assign(at, { thread: null, chosen: true });
  draw();
});
$("type-it").addEventListener("click", () => {
  at.channel = "C1INC";
  draw();
  $("typed").value = "/netdiag svc checkout";
  $("typed").focus();
});
if (window.innerWidth < 700) $("guide").open = false;
await refresh();
follow();
