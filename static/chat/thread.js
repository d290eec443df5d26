// The messages on the page. Pieces of an answer go in as text; only the finished, sanitised answer as markup.

import { counted, hour, number, part, word } from "./words.js";

const QUEUE_SHOWN_AFTER_MS = 400;

export class Thread {
  #main; #hello; #list; #timers = new Map(); #buffers = new Map(); #held = new WeakMap();

  constructor(main) {
    this.#main = main;
    this.#list = main.querySelector(".thread ol");
    this.#list?.querySelectorAll(".prose").forEach(dress);
    // The server writes times in the portal's zone; the person may sit in another.
    this.#list?.querySelectorAll("time[datetime]").forEach((time) => {
      time.textContent = hour(new Date(time.dateTime));
    });
  }

  get lastMine() {
    return [...(this.#list?.querySelectorAll('.msg[data-from="me"][data-id]:not([data-id=""])') ?? [])].at(-1);
  }

  get empty() {
    return !this.#list?.children.length;
  }

  find(id) {
    return this.#list?.querySelector(`.msg[data-id="${CSS.escape(id)}"]`);
  }

  // The answer that was under way when the page was loaded, drawn anew so that it can go on from its start.
  adoptRunning() {
    const shown = this.#list?.querySelector('.msg[data-status="running"]');
    const answer = this.addAnswer();
    if (shown) {
      answer.dataset.id = shown.dataset.id;
      shown.replaceWith(answer);
    }
    return answer;
  }

  addMine(text) {
    const mine = part("mine");
    mine.querySelector(".bubble").textContent = text;
    this.#add(mine);
    return mine;
  }

  addAnswer() {
    const answer = part("answer");
    answer.dataset.status = "running";
    answer.querySelector(".aigc").hidden = true;
    answer.querySelector("footer").hidden = true;
    this.#work(answer, word("status.sending"), { busy: true });
    this.#add(answer);
    return answer;
  }

  // Takes the message or answer and all below it out of the page; returns what puts them back.
  cut(from) {
    const gone = [];
    for (let item = from; item; item = item.nextElementSibling) gone.push(item);
    gone.forEach((item) => item.remove());
    return () => this.#list.append(...gone);
  }

  remove(...items) {
    items.forEach((item) => { this.#quiet(item); item?.remove(); });
    if (this.empty && this.#hello) {
      this.#main.querySelector(".thread").replaceWith(this.#hello);
      this.#list = undefined;
    }
  }

  // A place that is over in a moment is not worth a flash on the screen.
  queue(answer, place) {
    this.#quiet(answer);
    const shown = answer.querySelector(".queue");
    if (shown) this.#showPlace(answer, shown, place);
    else if (place.position > 0) {
      this.#timers.set(answer, setTimeout(() => this.#showPlace(answer, part("queue"), place), QUEUE_SHOWN_AFTER_MS));
    }
  }

  start(answer, { message } = {}) {
    this.#quiet(answer);
    if (message) answer.dataset.id = message;
    answer.querySelector(".queue")?.remove();
    answer.querySelector(".aigc").hidden = false;
    const prose = answer.querySelector(".prose");
    if (!prose.querySelector(".live")) {
      const live = document.createElement("p");
      live.className = "live";
      live.append(document.createTextNode(""), part("caret"));
      prose.replaceChildren(live);
    }
    answer.began ??= Date.now();
    const tick = () => {
      const s = number(Math.round((Date.now() - answer.began) / 1000));
      this.#work(answer, word("status.running", { s }), { busy: true });
    };
    tick();
    this.#timers.set(answer, setInterval(tick, 1000));
  }

  // Pieces are gathered and written once per frame of the screen, however fast they come.
  write(answer, text) {
    const waiting = this.#buffers.get(answer);
    if (waiting !== undefined) {
      this.#buffers.set(answer, waiting + text);
      return;
    }
    this.#buffers.set(answer, text);
    requestAnimationFrame(() => {
      answer.querySelector(".live")?.firstChild.appendData(this.#buffers.get(answer) ?? "");
      this.#buffers.delete(answer);
    });
  }

  finish(answer, { status, html, usage, timings, reason }) {
    this.#quiet(answer);
    this.#buffers.delete(answer);
    answer.dataset.status = status;
    answer.querySelector(".queue")?.remove();
    if (status === "blocked") {
      this.#seal(answer, reason);
      return;
    }
    const prose = answer.querySelector(".prose");
    prose.innerHTML = html ?? "";
    dress(prose);
    answer.querySelector(".aigc").hidden = false;
    this.#work(answer, status === "complete" ? "" : word(`status.${status}`));
    this.#sign(answer, { usage, timings });
  }

  // The connection broke for good: what has come stays, without claim to be complete.
  abandon(answer) {
    this.#quiet(answer);
    answer.dataset.status = "interrupted";
    answer.querySelector(".caret")?.remove();
    this.#work(answer, word("status.broken"));
    answer.querySelector("footer").hidden = false;
  }

  pause(answer) {
    this.#quiet(answer);
    answer.querySelector(".queue")?.remove();
    this.#work(answer, word("status.broken"));
  }

  // An input rule: the passages it names are blacked out, and nothing was stored. The part "ask" asks for consent.
  hold({ mine, answer, text, edit }, { message, reason }, name = "held") {
    const bubble = mine.querySelector(".bubble");
    const spans = reason?.spans ?? [];
    bubble.dataset.state = "held";
    bubble.replaceChildren(...blacken(text, spans));
    mine.querySelector(".acts").remove();
    const held = part(name);
    held.querySelector("[data-found]").textContent = reason?.title || message;
    held.querySelector("[data-where]").textContent = spans.map(where).join(" ");
    held.querySelector("[data-rule-code]").textContent = reason?.code ?? "";
    held.querySelector("[data-rule-title]").textContent = reason?.title ?? "";
    this.#quiet(answer);
    answer.remove();
    this.#list.append(mine, held);
    this.#held.set(held, { mine, text, edit, spans, confirm: reason?.confirm ?? [] });
    if (name === "ask") held.querySelector(".btn").focus();
  }

  // Takes the held message off the page and returns what it was.
  release(held) {
    const was = this.#held.get(held);
    this.remove(held, was.mine);
    return was;
  }

  #showPlace(answer, queue, { position, etaMs }) {
    const you = queue.querySelector(".you");
    queue.querySelectorAll("i:not(.you)").forEach((place) => place.remove());
    for (let place = 1; place < Math.min(position, 8); place += 1) you.before(document.createElement("i"));
    queue.querySelector("[data-place]").textContent = word("queue.place", { n: number(position) });
    const n = number(Math.max(1, Math.round((etaMs ?? 0) / 1000)));
    queue.querySelector("[data-estimate]").textContent = etaMs ? `· ${word("queue.estimate", { n })}` : "";
    this.#work(answer, "");
    answer.querySelector(".prose").before(queue);
  }

  #add(item) {
    if (!this.#list) {
      this.#hello = this.#main.querySelector(".hello");
      const thread = part("thread");
      this.#hello.replaceWith(thread);
      this.#list = thread.querySelector("ol");
    }
    this.#list.append(item);
    this.#list.parentElement.scrollTop = 0;
  }

  #work(answer, text, { busy = false } = {}) {
    const line = answer.querySelector(".working");
    line.hidden = !text;
    line.textContent = text;
    if (!busy) return;
    const beat = document.createElement("span");
    beat.className = "beat";
    line.prepend(beat);
  }

  #quiet(answer) {
    clearTimeout(this.#timers.get(answer));
    this.#timers.delete(answer);
  }

  #seal(answer, reason) {
    const sealed = part("sealed");
    const rule = sealed.querySelector(".dl");
    rule.hidden = !reason?.code;
    sealed.querySelector("[data-rule-code]").textContent = reason?.code ?? "";
    sealed.querySelector("[data-rule-title]").textContent = reason?.title ?? "";
    answer.querySelectorAll(".prose, .working, footer, .aigc").forEach((item) => item.remove());
    answer.append(sealed);
  }

  #sign(answer, { usage, timings, model }) {
    const stats = [];
    if (usage?.completion_tokens) stats.push(counted("stat.tokens", usage.completion_tokens));
    if (timings?.first_token_ms != null) stats.push(word("stat.first", { s: number(timings.first_token_ms / 1000, 1) }));
    if (timings?.tokens_per_second) stats.push(word("stat.speed", { n: number(timings.tokens_per_second, 1) }));
    if (model) stats.push(model);
    answer.querySelector(".stat").textContent = stats.join(" · ");
    const time = document.createElement("time");
    time.textContent = hour(new Date());
    answer.querySelector(".by time")?.remove();
    answer.querySelector(".by").append(time);
    answer.querySelector("footer").hidden = false;
  }
}

function where([from, to]) {
  return word("held.where", { from: number(from + 1), to: number(to) });
}

// Spans count characters as the server does: code points, not UTF-16 units.
function blacken(text, spans) {
  const letters = [...text];
  const pieces = [];
  let at = 0;
  [...spans].sort((a, b) => a[0] - b[0]).forEach(([from, to]) => {
    if (to <= at) return;
    const black = document.createElement("span");
    black.className = "black";
    black.textContent = "•".repeat(to - Math.max(from, at));
    pieces.push(letters.slice(at, from).join(""), black);
    at = to;
  });
  return [...pieces, letters.slice(at).join("")];
}

// The text with its passages made unreadable, for sending.
export function masked(text, spans) {
  const letters = [...text];
  spans.forEach(([from, to]) => letters.fill("*", from, to));
  return letters.join("");
}

// Code gets a head with its language and a copy button, tables scroll by themselves.
function dress(prose) {
  prose.querySelectorAll("pre").forEach((pre) => {
    if (pre.closest(".code")) return;
    const box = part("code");
    const name = /language-([\w+#-]+)/.exec(pre.querySelector("code")?.className ?? "")?.[1] ?? "";
    box.querySelector("header span").textContent = name;
    pre.replaceWith(box);
    pre.tabIndex = 0;
    box.append(pre);
  });
  prose.querySelectorAll("table").forEach((table) => {
    if (table.closest(".wrap")) return;
    const wrap = document.createElement("div");
    wrap.className = "wrap";
    wrap.tabIndex = 0;
    table.replaceWith(wrap);
    wrap.append(table);
  });
}
