// The form of system parameters says at once what would change. It is an ordinary form without this.

const find = (selector, within = document) => within.querySelector(selector);

function text(control) {
  return control.tagName === "SELECT" ? control.selectedOptions[0].textContent : control.value.trim();
}

function watch(form) {
  const rows = [...form.querySelectorAll(".set")];
  const badge = find("[data-unsaved]", form);
  const one = find("[data-unsaved] > span", form)?.textContent.replace(/\d+/u, "#") ?? "";

  const look = () => {
    let dirty = 0;
    for (const row of rows) {
      const control = find("select, .unit .input", row);
      const pending = find("[data-pending]", row);
      if (!pending || control.disabled) continue;
      const differs = control.value.trim() !== row.dataset.shown;
      const before = control.tagName === "SELECT"
        ? [...control.options].find((option) => option.value === row.dataset.shown)?.textContent
        : row.dataset.shown;
      row.toggleAttribute("data-dirty", differs);
      pending.hidden = !differs;
      if (differs) find("span", pending).textContent = `${before} → ${text(control)}`;
      dirty += differs;
    }
    if (badge) {
      badge.hidden = !dirty;
      find("span", badge).textContent = one.replace("#", dirty);
    }
  };
  form.addEventListener("input", look);
  look();
}

document.querySelectorAll("[data-sets]").forEach(watch);
