// The policy pages: the bench answers while somebody types, and the list narrows at once. Both work without this, by
// a button and by a reload. What is typed on the bench goes to the portal in a request's body and is kept nowhere.

const PAUSE_MS = 250;
const find = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

function word(name) {
  return find("#words").content.querySelector(`[data-word="${name}"]`)?.textContent ?? "";
}

async function ask(form, signal) {
  const body = new URLSearchParams(new FormData(form));
  body.set("part", "1");
  const response = await fetch(form.action, { method: "POST", body, signal, redirect: "error" });
  if (!response.ok) throw new Error("refused");
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// A part is replaced only when it says something else, so that a screen reader hears each thing once.
function put(form, fresh) {
  for (const part of all("[data-part]", form)) {
    const other = find(`[data-part="${part.dataset.part}"]`, fresh);
    if (other && part.innerHTML !== other.innerHTML) part.innerHTML = other.innerHTML;
  }
}

function watchBench(form) {
  const area = find("textarea", form);
  const marked = find("[data-part=marked]", form);
  const said = find("[data-part=said]", form);
  let timer = 0;
  let asking = new AbortController();

  const look = async () => {
    clearTimeout(timer);
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const fresh = await ask(form, signal);
      if (!signal.aborted) put(form, fresh);
    } catch {
      if (!signal.aborted) said.textContent = word("bench.lost");
    }
    follow();
  };
  // Marks of an older text would stand in the wrong places.
  const wait = () => {
    clearTimeout(timer);
    marked.replaceChildren();
    timer = setTimeout(look, PAUSE_MS);
  };
  const follow = () => { marked.scrollTop = area.scrollTop; };

  form.dataset.live = "";
  area.addEventListener("input", wait);
  area.addEventListener("scroll", follow);
  all("input[type=radio]", form).forEach((choice) => choice.addEventListener("change", look));
  form.addEventListener("submit", (event) => { event.preventDefault(); look(); });
}

// The list holds every rule of its kind, so it can be narrowed without asking.
function watchSearch(field) {
  const rows = all("[data-rules] > li:not(.empty)");
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}

all("[data-bench]").forEach(watchBench);
all("input#find[value='']").forEach(watchSearch);
