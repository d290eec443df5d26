// The list of conversations: find, collapse, add, and the menu that renames and deletes.

import { part, word } from "./words.js";

const KEPT = "side";

export class Side {
  #app; #urls;

  // `urls` has conversation, rename, remove: each with the zero UUID in the place of the id.
  constructor(app, urls) {
    this.#app = app;
    this.#urls = urls;
    app.querySelectorAll(".side [hidden][data-act], .side .with[hidden], .side [data-menu-for][hidden]")
      .forEach((item) => { item.hidden = false; });
    app.querySelector("#find").addEventListener("input", (event) => this.#filter(event.target.value));
    document.addEventListener("click", (event) => this.#aim(event.target.closest("[data-menu-for]")));
    if (localStorage.getItem(KEPT) === "closed") this.toggle();
  }

  toggle() {
    const closed = this.#app.toggleAttribute("data-closed");
    this.#app.querySelector("[data-reopen]").hidden = !closed;
    localStorage.setItem(KEPT, closed ? "closed" : "open");
  }

  url(kind, id) {
    return this.#urls[kind].replace("00000000-0000-0000-0000-000000000000", id);
  }

  add({ id, title }) {
    const link = part("link");
    const anchor = link.querySelector("a");
    anchor.href = this.url("conversation", id);
    anchor.textContent = title;
    anchor.setAttribute("aria-current", "page");
    const more = link.querySelector("[data-menu-for]");
    more.dataset.menuFor = id;
    more.ariaLabel = word("open.menu", { title });
    more.hidden = false;
    this.#today().prepend(link);
  }

  #today() {
    const nav = this.#app.querySelector(".convs");
    const first = nav.querySelector("[data-group]");
    if (first?.querySelector("h2").textContent.trim() === word("today")) return first.querySelector("ul");
    const group = part("group");
    group.querySelector("h2").textContent = word("today");
    nav.querySelector("[data-empty]")?.remove();
    nav.prepend(group);
    return group.querySelector("ul");
  }

  #filter(text) {
    const wanted = text.trim().toLocaleLowerCase();
    let found = 0;
    this.#app.querySelectorAll("[data-group]").forEach((group) => {
      const shown = [...group.querySelectorAll(".conv")].filter((conversation) => {
        conversation.hidden = !conversation.querySelector("a").textContent.toLocaleLowerCase().includes(wanted);
        return !conversation.hidden;
      });
      group.hidden = !shown.length;
      found += shown.length;
    });
    this.#app.querySelector("[data-none]").hidden = found > 0 || !wanted;
  }

  // One menu and two dialogs serve all conversations: they act on the one whose button was pressed.
  #aim(button) {
    const id = button?.dataset.menuFor;
    if (!id) return;
    const link = this.#app.querySelector(`.conv:has([data-menu-for="${id}"]) a`);
    const title = link?.textContent ?? this.#app.querySelector("#title h1")?.textContent ?? "";
    document.querySelector("#rename form").action = this.url("rename", id);
    document.querySelector("#rename_to").value = title;
    document.querySelector("#delete form").action = this.url("remove", id);
    document.querySelector("#delete [data-title]").textContent = title;
  }
}
