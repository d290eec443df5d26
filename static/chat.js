// A person's side of the conversation: one turn at a time, from the field to the finished answer.

import { typing } from "./portal.js";
import { Composer } from "./chat/composer.js";
import { Side } from "./chat/side.js";
import { PortalSocket } from "./chat/socket.js";
import { Thread, masked } from "./chat/thread.js";
import { part, word } from "./chat/words.js";

const NOT_SIGNED_IN = 4401;
const WHY_DOWN = { 1012: "offline.restart", 4408: "offline.slow", 4429: "offline.flood" };

const app = document.getElementById("chat");
const data = app.dataset;
const said = document.getElementById("said");
let conversation = data.conversation || null;
let temporary = data.mode === "temp";
let turn = null;
let leaving = false;

const thread = new Thread(document.getElementById("main"));
const side = new Side(app, { conversation: data.conversationUrl, rename: data.renameUrl, remove: data.deleteUrl });
const composer = new Composer(app.querySelector(".composer"), {
  limits: { maxChars: Number(data.maxChars), context: Number(data.context), rate: Number(data.rate) },
  on: { send, cancelEdit },
});
const socket = new PortalSocket(data.socket, { frame: receive, down, door, over });

// ── from the person

function send(text, { confirmed = [] } = {}) {
  const mine = composer.editing ? thread.lastMine : null;
  const restore = mine ? thread.cut(mine) : () => {};
  const kind = mine ? "chat.edit" : "chat.send";
  const fields = mine ? { message: mine.dataset.id, text, confirmed } : { conversation, text, temporary, confirmed };
  composer.editing = false;
  begin({ kind, fields, text, mine: thread.addMine(text), restore, edit: Boolean(mine) });
}

// What was agreed to for the question holds for another answer to it.
function regenerate(answer, { confirmed = [] } = {}) {
  if (turn || !socket.open) return;
  const fields = { message: answer.dataset.id, confirmed };
  begin({ kind: "chat.regenerate", fields, text: "", restore: thread.cut(answer) });
}

function begin({ kind, fields, text, mine = null, restore, edit = false }) {
  const answer = thread.addAnswer();
  turn = { id: null, text, mine, answer, restore, edit, seq: 0, started: false, stopping: false };
  turn.request = socket.send(kind, fields);
  setBusy(true);
  entitle();
  say(word("said.sent"));
}

function stop() {
  if (!turn) return;
  turn.stopping = true;
  if (turn.id) socket.send("chat.stop", { turn: turn.id });
}

function startEdit(mine = thread.lastMine) {
  if (turn || !mine?.dataset.id) return;
  // What is not stored cannot be replaced; it can only be asked once more.
  composer.editing = !temporary;
  composer.text = mine.querySelector(".bubble").textContent;
  composer.focus();
}

function cancelEdit() {
  composer.editing = false;
  composer.text = "";
  composer.focus();
}

function rewrite(held) {
  const { text, edit } = thread.release(held);
  composer.text = text;
  if (edit) composer.editing = true;
  entitle();
  composer.focus();
}

// Sends a message that was held for consent: as it is, or with the passages made unreadable.
function release(held, { mask }) {
  if (turn || !socket.open) return;
  const { text, edit, spans, confirm } = thread.release(held);
  composer.editing = edit;
  send(mask ? masked(text, spans) : text, { confirmed: mask ? [] : confirm });
}

// A chat that has begun keeps its kind; the switch then leads to a new one of the other kind.
function setTemporary(wanted) {
  if (!thread.empty) {
    location.assign(wanted ? `${data.home}?temporary=1` : data.kept);
    return;
  }
  temporary = wanted;
  app.toggleAttribute("data-mode", wanted);
  if (wanted) data.mode = "temp";
  history.replaceState(null, "", wanted ? `${data.home}?temporary=1` : data.kept);
  if (wanted) composer.note("temporary");
  else composer.unnote("temporary");
  composer.focus();
}

// ── from the server

const RECEIVERS = {
  ready, error,
  "turn.queued": queued, "turn.started": started, "turn.delta": delta, "turn.done": done, "turn.refused": refused,
};

function receive(frame) {
  RECEIVERS[frame.type]?.(frame);
}

function ready({ limits }) {
  composer.limits = { maxChars: limits.max_prompt_chars, context: limits.context_tokens, rate: limits.rate_per_minute };
  composer.unnote("offline");
  composer.ready = true;
  if (turn?.id) resume();
  else if (turn) lost();
  else if (data.turn) adopt(data.turn);
}

function resume() {
  if (turn.started) thread.start(turn.answer);
  turn.request = socket.send("chat.resume", { turn: turn.id, after: turn.seq });
}

function adopt(id) {
  const answer = thread.adoptRunning();
  turn = { id, text: "", mine: null, answer, restore: () => {}, seq: 0, started: false, adopted: true };
  resume();
  data.turn = "";
  setBusy(true);
}

function queued(frame) {
  if (!isOurs(frame) || turn.started) return;
  turn.id = frame.turn;
  if (turn.stopping) stop();
  thread.queue(turn.answer, { position: frame.position, etaMs: frame.eta_ms });
}

function started(frame) {
  if (!isOurs(frame)) return;
  turn.id = frame.turn;
  turn.started = true;
  if (turn.stopping) stop();
  if (turn.mine && frame.prompt) turn.mine.dataset.id = frame.prompt;
  if (turn.mine && frame.shown) turn.mine.querySelector(".bubble").textContent = frame.shown;
  thread.start(turn.answer, { message: frame.message });
  open(frame);
  say(word("said.started"));
}

function delta(frame) {
  if (!turn || frame.turn !== turn.id) return;
  socket.acknowledge(frame.turn, frame.seq);
  if (frame.seq <= turn.seq) return;
  if (!turn.started) started(frame);
  turn.seq = frame.seq;
  thread.write(turn.answer, frame.text);
}

function done(frame) {
  if (!turn || frame.turn !== turn.id) return;
  const ended = turn;
  end();
  if (!ended.started && frame.status === "stopped") giveBack(ended);
  else thread.finish(ended.answer, frame);
  const { prompt_tokens: read = 0, completion_tokens: written = 0 } = frame.usage ?? {};
  if (read + written) composer.use(read + written);
  say(frame.status === "complete" ? word("said.done") : word(`status.${frame.status}`));
}

function refused(frame) {
  if (!isOurs(frame)) return;
  if (frame.code === "consent_required") {
    location.assign(data.consent);
    return;
  }
  const ended = turn;
  const { text } = ended;
  end();
  const part = { blocked: "held", consent_in_place: "ask" }[frame.code];
  if (part && ended.mine) {
    ended.restore();
    thread.hold(ended, { message: frame.message, reason: frame.reason }, part);
    return;
  }
  giveBack(ended);
  const why = frame.code === "rate_limited" ? composer.rateText : word("draft.kept");
  if (frame.retry_after_ms) composer.wait({ title: frame.message, text: why, ms: frame.retry_after_ms });
  else composer.note("problem", { title: frame.message, text: text ? why : "" });
}

function error(frame) {
  if (turn && frame.id === turn.request) {
    if (frame.code === "unknown_turn") gone();
    else refused({ ...frame, turn: turn.id });
    return;
  }
  // A stop that comes a moment too late is no problem.
  if (frame.code !== "unknown_turn") composer.note("problem", { title: frame.message });
}

// ── the connection

function down({ attempt, code }) {
  composer.ready = false;
  if (turn?.started) thread.pause(turn.answer);
  composer.note("offline", { title: word(WHY_DOWN[code] ?? "offline.title", { n: attempt }), text: word("offline.text") });
}

function door(code) {
  composer.ready = false;
  // Who signs out here is on the way to another page already; that way must not be cut.
  if (leaving) return;
  const here = encodeURIComponent(location.pathname + location.search);
  location.assign(code === NOT_SIGNED_IN ? `${data.login}?next=${here}` : data.consent);
}

// The server has closed for good: what is on the page stays, and so does the draft.
function over() {
  const ended = turn;
  composer.ready = false;
  composer.unnote("offline");
  if (ended) end();
  if (ended?.started) thread.abandon(ended.answer);
  else if (ended) giveBack(ended);
  composer.note("over");
}

// The line broke before the server said that it has the message: better twice asked than silently lost.
function lost() {
  const ended = turn;
  end();
  giveBack(ended);
  if (ended.text) composer.note("problem", { title: word("lost.title"), text: word("lost.text") });
}

// The server no longer knows the turn: the store has what became of it, unless nothing was to be stored.
function gone() {
  const { answer, adopted } = turn;
  end();
  thread.abandon(answer);
  if (conversation && !temporary && !adopted) location.reload();
}

// ── small change

function isOurs(frame) {
  return Boolean(turn) && (frame.id === turn.request || (turn.id !== null && frame.turn === turn.id));
}

// Puts the page back to what it was before the turn, and the words back into the field.
function giveBack({ text, mine, answer, restore, edit }) {
  restore();
  thread.remove(answer, mine);
  entitle();
  if (composer.text || !text) return;
  composer.text = text;
  if (edit) composer.editing = true;
}

function end() {
  socket.forget(turn.id);
  turn = null;
  setBusy(false);
}

function setBusy(busy) {
  app.toggleAttribute("data-busy", busy);
  composer.busy = busy;
}

function say(text) {
  said.textContent = text;
}

// The greeting is the heading of a chat in which nobody has spoken yet; after that it has one of its own.
function entitle(text) {
  const shown = document.querySelector("#title h1");
  if (thread.empty) shown?.remove();
  if (thread.empty || (shown && !text)) return shown;
  const heading = shown ?? part("title");
  heading.textContent = text || word(temporary ? "title.temporary" : "title.new");
  if (!shown) document.getElementById("title").prepend(heading);
  return heading;
}

// A new conversation gets its address, its place in the list and its heading.
function open({ conversation: id, title }) {
  if (!id || conversation) return;
  conversation = id;
  const heading = entitle(temporary ? "" : title);
  document.title = document.title.replace(/^.*(?= · )/, () => heading.textContent);
  if (temporary) return;
  side.add({ id, title: heading.textContent });
  history.replaceState(null, "", side.url("conversation", id));
  const more = document.getElementById("more");
  more.dataset.menuFor = id;
  more.hidden = false;
}

function act(event) {
  const button = event.target.closest("[data-act], [data-start]");
  if (!button) return;
  const message = button.closest(".msg");
  const acts = {
    stop, collapse: () => side.toggle(), reconnect: () => socket.reconnect(),
    edit: () => startEdit(message), rephrase: () => startEdit(), rewrite: () => rewrite(message),
    regenerate: () => regenerate(message),
    agree: () => release(message, { mask: false }), mask: () => release(message, { mask: true }),
  };
  if ("start" in button.dataset) {
    composer.text = button.dataset.start;
    composer.focus();
  } else acts[button.dataset.act]?.();
}

function onKey(event) {
  const mod = event.ctrlKey || event.metaKey;
  if (event.key === "Escape" && turn && !document.querySelector("dialog[open], :popover-open")) stop();
  if (event.altKey && event.code === "KeyN") {
    event.preventDefault();
    location.assign(data.home);
  }
  if (mod && !event.shiftKey && event.key.toLowerCase() === "b") {
    event.preventDefault();
    side.toggle();
  }
  const inField = event.target.matches?.(".composer textarea");
  if (event.key === "ArrowUp" && inField && !composer.text && !mod) {
    event.preventDefault();
    startEdit();
  }
}

app.addEventListener("click", act);
document.addEventListener("keydown", onKey);
addEventListener("beforeunload", () => { leaving = true; });
document.getElementById("temporary").addEventListener("change", (event) => setTemporary(event.target.checked));
composer.use(Number(data.used));
if (!typing(document.activeElement) && matchMedia("(hover: hover)").matches) composer.focus();
