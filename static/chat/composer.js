// The field in which a message is written, and the slot above it for notes about it.

import { countDown } from "../portal.js";
import { counted, number, part, word } from "./words.js";

export class Composer {
  #form; #field; #send; #stop; #slot; #used; #ring; #limits; #busy = false; #ready = false; #cool; #editing = false;

  // `limits` has maxChars, context, rate; `on` has send(text) and cancelEdit().
  constructor(form, { limits, on }) {
    this.#form = form;
    this.#limits = limits;
    this.#field = form.querySelector("textarea");
    this.#send = form.querySelector("#send");
    this.#stop = form.querySelector(".halt");
    this.#slot = form.querySelector("#slot");
    this.#used = form.querySelector("#used");
    this.#ring = form.querySelector(".ring .fg");
    this.#field.addEventListener("input", () => this.#check());
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#submit(on.send); });
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    form.addEventListener("click", (event) => { if (event.target.closest('[data-act="cancel-edit"]')) on.cancelEdit(); });
  }

  get text() {
    return this.#field.value;
  }

  set text(value) {
    this.#field.value = value;
    this.#check();
  }

  focus() {
    this.#field.focus();
    this.#field.setSelectionRange(this.text.length, this.text.length);
  }

  set busy(value) {
    this.#busy = value;
    const had = [this.#send, this.#stop].includes(document.activeElement);
    this.#send.hidden = value;
    this.#stop.hidden = !value;
    if (had) (value ? this.#stop : this.#field).focus();
    this.#check();
  }

  set ready(value) {
    this.#ready = value;
    this.#check();
  }

  set limits(value) {
    this.#limits = value;
  }

  set editing(value) {
    this.#editing = value;
    if (value) this.note("editing");
    else this.unnote("editing");
  }

  get editing() {
    return this.#editing;
  }

  use(tokens) {
    const share = Math.min(100, Math.round((100 * tokens) / this.#limits.context));
    this.#used.textContent = number(tokens);
    this.#ring.setAttribute("stroke-dasharray", `${share} 100`);
    this.#form.querySelector(".budget").dataset.tone = share > 90 ? "warn" : "accent";
  }

  // One note of each kind; a part's name is its kind.
  note(kind, { title, text } = {}) {
    this.unnote(kind);
    const note = part(kind);
    note.dataset.kind = kind;
    if (title) note.querySelector("[data-title]").textContent = title;
    if (note.querySelector("[data-text]")) note.querySelector("[data-text]").textContent = text ?? "";
    this.#slot.append(note);
    return note;
  }

  unnote(kind) {
    this.#slot.querySelector(`[data-kind="${kind}"]`)?.remove();
  }

  // Sending waits; writing does not.
  wait({ title, text, ms }) {
    this.#cool?.();
    const note = this.note("wait", { title, text });
    const done = () => {
      this.#cool = undefined;
      note.remove();
      this.#check();
    };
    this.#cool = countDown(note.querySelector(".count"), { seconds: Math.max(1, Math.ceil(ms / 1000)), done });
    this.#check();
  }

  get rateText() {
    return counted("rate.text", this.#limits.rate);
  }

  #check() {
    const length = [...this.text].length;
    const long = length > this.#limits.maxChars;
    this.#send.disabled = !this.#ready || this.#busy || Boolean(this.#cool) || long || !this.text.trim();
    if (!long) this.unnote("problem-long");
    else this.#tooLong(length);
  }

  #tooLong(length) {
    const title = word("too.long", { n: number(length), max: number(this.#limits.maxChars) });
    const shown = this.#slot.querySelector('[data-kind="problem-long"]');
    const note = shown ?? this.note("problem", { text: word("too.long.text") });
    note.dataset.kind = "problem-long";
    note.querySelector("[data-title]").textContent = title;
  }

  #submit(send) {
    this.#check();
    if (this.#send.disabled) return;
    const text = this.text.trim();
    this.unnote("problem");
    this.text = "";
    send(text);
  }

  // Enter belongs to the input method while it composes; some browsers say so only by the key code.
  #key(event) {
    const composing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }
}
