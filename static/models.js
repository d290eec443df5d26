// The model pages: a reason before its button, and what goes on kept fresh. Both work without this, by the server's
// answer and by a reload.

const PAUSE_MS = 2000;
const LONG_PAUSE_MS = 15000;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// What needs a reason waits for it; rejecting always does.
function watchReason(form) {
  const area = form.querySelector("textarea");
  const needing = all(
    form.matches("[data-needs-reason]") ? "[data-act]" : "[data-act=reject]", form);
  const show = () => {
    const isEmpty = !area.value.trim();
    needing.forEach((button) => { button.disabled = isEmpty; });
    all("[data-hint]", form).forEach((hint) => { hint.hidden = !isEmpty; });
  };
  area.addEventListener("input", show);
  show();
}

function isWriting() {
  return all("textarea").some((area) => area.value !== area.defaultValue);
}

// A part is replaced only when it says something else, so that a screen reader hears each thing once.
function renew(part, fresh) {
  const wasBusy = "busy" in part.dataset;
  if (part.innerHTML !== fresh.innerHTML) part.innerHTML = fresh.innerHTML;
  part.toggleAttribute("data-busy", "busy" in fresh.dataset);
  return wasBusy && !("busy" in fresh.dataset);
}

async function look(page) {
  const response = await fetch(page.dataset.live, { headers: { accept: "text/html" }, redirect: "error" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const ended = all("[data-region]", page).filter((part) => {
    const other = fresh.querySelector(`[data-region="${part.dataset.region}"]`);
    return other !== null && renew(part, other);
  });
  // What has ended changed the rest of the page too: results, buttons, the line of steps.
  if (ended.length > 0 && !isWriting()) location.reload();
}

async function keepLooking(page) {
  for (;;) {
    const pause = page.querySelector("[data-busy]") ? PAUSE_MS : LONG_PAUSE_MS;
    await new Promise((done) => { setTimeout(done, pause); });
    if (document.hidden) continue;
    // A portal that restarts does not answer for a moment; the next look may.
    await look(page).catch(() => {});
  }
}

all("form:has([data-act])").forEach(watchReason);
all("[data-live]").forEach(keepLooking);
