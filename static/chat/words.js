// Words and parts that the server rendered and translated; scripts hold none of their own.

const words = document.getElementById("words").content;
const language = document.documentElement.lang;
const plural = new Intl.PluralRules(language);

export function word(name, values = {}) {
  const found = words.querySelector(`[data-word="${name}"]`)?.textContent.trim() ?? "";
  return found.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

export function counted(name, n, values = {}) {
  const form = words.querySelector(`[data-word="${name}.${plural.select(n)}"]`) ? plural.select(n) : "other";
  return word(`${name}.${form}`, { n: number(n), ...values });
}

export function number(value, digits = 0) {
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function hour(date) {
  return date.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

export function part(name) {
  return document.getElementById(`part-${name}`).content.firstElementChild.cloneNode(true);
}
