// What every page gains from scripting. Each page reads and submits without it.

const root = document.documentElement;
const find = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const YEAR = 31536000;

function word(name) {
  const words = document.getElementById("words");
  return words?.content.querySelector(`[data-word="${name}"]`)?.textContent ?? "";
}

// The server reads the cookie, so that the next page comes in the right theme without a flash.
function keepTheme(value) {
  if (value === "auto") delete root.dataset.theme;
  else root.dataset.theme = value;
  document.cookie = `theme=${value};path=/;max-age=${YEAR};samesite=lax`;
}

// `data-copy` holds the text itself, or is empty for the nearest code block or message.
async function copy(button) {
  const near = button.closest(".code, .msg");
  const said = near?.querySelector("pre, .prose, .bubble")?.innerText ?? "";
  const label = near?.matches(".msg") ? near.querySelector(".aigc")?.textContent : "";
  const text = button.dataset.copy || (label ? `${said}\n\n${label}` : said);
  await navigator.clipboard.writeText(text);
  confirmCopy(button);
}

function confirmCopy(button) {
  const shown = find("span", button);
  const before = shown ? shown.textContent : button.title;
  const show = (text) => {
    if (shown) shown.textContent = text;
    else button.title = text;
  };
  show(word("copied"));
  button.dataset.done = "";
  setTimeout(() => {
    show(before);
    delete button.dataset.done;
  }, 1600);
}

// Browsers without invoker commands get the same two: show and close a dialog.
function command(button) {
  if ("command" in HTMLButtonElement.prototype) return;
  const dialog = document.getElementById(button.getAttribute("commandfor"));
  if (button.getAttribute("command") === "close") dialog.close();
  else dialog.showModal();
}

function toggleEye(button) {
  const input = document.getElementById(button.dataset.eye);
  const shown = input.type === "password";
  input.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
  button.setAttribute("aria-label", word(shown ? "password.hide" : "password.show"));
  all("span", button).forEach((drawing, at) => { drawing.hidden = shown ? at === 0 : at === 1; });
}

// Menus open beside the button that asked; the style object is allowed where style attributes are not.
function place(menu, button) {
  const from = button.getBoundingClientRect();
  const box = menu.getBoundingClientRect();
  const below = from.bottom + 4 + box.height < innerHeight;
  menu.style.top = `${below ? from.bottom + 4 : Math.max(8, from.top - box.height - 4)}px`;
  menu.style.left = `${Math.max(8, Math.min(from.left, innerWidth - box.width - 8))}px`;
}

function clock(seconds) {
  return `${String(Math.floor(seconds / 60)).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
}

// Counts by the wall clock: a tab in the background does not lose seconds.
export function countDown(element, { seconds = Number(element.dataset.count), done = () => {} } = {}) {
  const end = Date.now() + seconds * 1000;
  const show = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    element.textContent = "clock" in element.dataset ? clock(left) : left;
    if (left > 0) return;
    clearInterval(timer);
    done();
  };
  const timer = setInterval(show, 1000);
  show();
  return () => clearInterval(timer);
}

export function typing(element) {
  return Boolean(element?.matches?.("input, textarea, select, [contenteditable]"));
}

// Single letters as commands must be possible to switch off (WCAG 2.1.4); the browser remembers it.
function singleKeys() {
  return localStorage.getItem("single-keys") !== "off";
}

function walkRows(key) {
  const rows = all(".audit tbody tr");
  const at = rows.findIndex((row) => row.contains(document.activeElement) || row.ariaSelected === "true");
  const next = rows[key === "j" ? Math.min(rows.length - 1, at + 1) : Math.max(0, at - 1)];
  next?.querySelector("a")?.focus();
}

function onKey(event) {
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && key === "k" && find("#find")) {
    event.preventDefault();
    find("#find").focus();
  }
  if (event.key === "Escape" && !find("dialog[open], :popover-open")) find(".drawer [data-back]")?.click();
  if (!singleKeys() || typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const field = find(".composer textarea, #find");
    if (field) event.preventDefault();
    field?.focus();
  }
  if (event.key === "?") find("dialog#keys:not([open])")?.showModal();
  if (key === "j" || key === "k") walkRows(key);
}

function onClick(event) {
  const button = event.target.closest("button, [data-close]");
  if (!button) return;
  if (button.matches("[data-copy]")) copy(button).catch(() => button.blur());
  if (button.matches("[data-close]")) button.closest(".toast, .note")?.remove();
  if (button.matches("[data-eye]")) toggleEye(button);
  if (button.matches("[data-reload]")) location.reload();
  if (button.matches("[commandfor]")) command(button);
}

function onToggle(event) {
  if (event.newState !== "open" || !event.target.matches(".menu")) return;
  const button = event.source ?? find(`[popovertarget="${event.target.id}"]:focus`) ??
    find(`[popovertarget="${event.target.id}"]`);
  if (button) place(event.target, button);
}

document.addEventListener("change", (event) => {
  if (event.target.name === "theme") keepTheme(event.target.value);
  if (event.target.matches("[data-single-keys]")) localStorage.setItem("single-keys", event.target.checked ? "on" : "off");
});
document.addEventListener("click", onClick);
document.addEventListener("keydown", onKey);
document.addEventListener("toggle", onToggle, true);
all("[data-eye]").forEach((button) => { button.hidden = false; });
all("dialog[data-open]").forEach((dialog) => dialog.showModal());
all("[data-single-keys]").forEach((box) => { box.checked = singleKeys(); });
all("[data-count]").forEach((element) => countDown(element));
all(".toast:not([data-tone=danger], [data-tone=warn])").forEach((toast) => setTimeout(() => toast.remove(), 6000));
