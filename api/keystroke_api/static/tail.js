// The live tail of a run's log: lines are added at the end, and what is being read stays where it is.
import { duration } from "./times.js";

const SEVERITIES = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
const MOST = 2000;

export function appendLog(line) {
  const list = document.querySelector("[data-log-tail]");
  if (!list || line.number <= newest(list) || !fits(line)) return;
  const following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(made(line, list.dataset.started));
  while (list.children.length > MOST) list.firstElementChild.remove();
  document.querySelector("[data-no-logs]")?.remove();
  if (following) list.scrollTop = list.scrollHeight;
}

const newest = (list) => Number(list.lastElementChild?.dataset.number ?? 0);

function fits(line) {
  const asked = new URLSearchParams(location.search);
  const [level, step, text] = ["level", "step", "text"].map((name) => asked.get(name) ?? "");
  return (!level || SEVERITIES.indexOf(line.severity) >= SEVERITIES.indexOf(level))
    && (!step || line.step === step) && line.body.toLowerCase().includes(text.trim().toLowerCase());
}

function made(line, started) {
  const item = document.createElement("li");
  item.className = line.severity.toLowerCase();
  item.dataset.number = line.number;
  const offset = started ? Date.parse(line.time) - Date.parse(started) : NaN;
  const parts = { number: Number.isNaN(offset) ? "–" : offset < 1000 ? `${offset} ms` : duration(offset), level: line.severity, "step-name": line.step ?? line.logger, body: visible(line.body) };
  for (const [name, text] of Object.entries(parts)) {
    const part = document.createElement("span");
    part.className = name;
    part.textContent = text;
    item.append(part);
  }
  return item;
}

// The same as the server does: what cannot be seen is spelled out.
function visible(text) {
  return text.slice(0, 4000).replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
