// What is on the page keeps itself up to date: by server-sent events, or by looking again every few seconds where those do
// not come. Either way the page is loaded anew from its own address, and only what differs in it is replaced.
import { appendLog } from "./tail.js";

const POLL_MS = 5000;
const CALM_MS = 600; // however much happens, this lies between two loads; what happens is there within a second

export function followChanges(prepare) {
  const places = [...document.querySelectorAll("[data-live]")].filter((place) => place.dataset.active !== "false");
  for (const place of places) new Follower(place, prepare);
}

class Follower {
  constructor(place, prepare) {
    this.place = place;
    this.prepare = prepare;
    this.ended = this.loading = this.stale = false;
    this.loadedAt = -CALM_MS;
    this.arrived = new Set();
    document.addEventListener("visibilitychange", () => (document.hidden ? this.pause() : this.resume()));
    addEventListener("pagehide", () => this.pause());
    addEventListener("pageshow", (event) => { if (event.persisted) this.resume(); });
    if (!document.hidden) this.listen();
  }

  // Browsers hold six connections to a server: a tab that nobody looks at must not keep one.
  pause() {
    this.source?.close();
    clearInterval(this.polling);
    this.source = this.polling = undefined;
  }

  resume() {
    if (this.ended || this.source) return;
    this.refreshSoon();
    this.listen();
  }

  listen() {
    this.source = new EventSource(this.place.dataset.live);
    this.source.addEventListener("open", () => { this.poll(false); this.show("Live"); });
    this.source.addEventListener("error", () => { this.poll(true); this.refreshSoon(); this.show("Looking every few seconds"); });
    this.source.addEventListener("runs", (event) => this.runsChanged(JSON.parse(event.data).data));
    this.source.addEventListener("reset", () => this.refreshSoon());
    this.source.addEventListener("log", (event) => appendLog(JSON.parse(event.data)));
    for (const name of ["status", "step", "progress"]) this.source.addEventListener(name, (event) => this.runChanged(name, event));
    this.source.addEventListener("end", () => { this.ended = true; this.pause(); this.refreshSoon(); });
  }

  poll(on) {
    clearInterval(this.polling);
    this.polling = on ? setInterval(() => this.refresh(), POLL_MS) : undefined;
    // The browser does not try again after an answer such as 503: then we do, with the next look.
    if (on && this.source?.readyState === EventSource.CLOSED) { this.source = undefined; setTimeout(() => this.resume(), 6 * POLL_MS); }
  }

  runsChanged(changes) {
    const known = (change) => document.getElementById(change.id);
    const arriving = changes.filter((change) => change.transition === "create" && !known(change));
    for (const change of arriving) this.arrived.add(change.id);
    if (arriving.length) this.announce();
    if (changes.some(known)) this.refreshSoon();
  }

  runChanged(name, event) {
    if (name === "progress") this.showProgress(JSON.parse(event.data));
    if (name !== "progress" || !document.querySelector("#run-head .progress")) this.refreshSoon();
  }

  showProgress({ fraction, message }) {
    const place = document.querySelector("#run-head .progress");
    if (!place) return;
    const bar = place.querySelector("progress");
    if (bar && fraction !== null) {
      bar.value = fraction;
      place.querySelector(".number").textContent = `${Math.round(fraction * 100)} %`;
    }
    const said = place.querySelector("span:not(.number)");
    if (said && message) said.textContent = message;
  }

  announce() {
    const place = document.querySelector("[data-arrivals]");
    if (!place) return;
    const count = this.arrived.size;
    place.hidden = false;
    place.querySelector("a").textContent = `Show ${count} new ${count === 1 ? "run" : "runs"}`;
  }

  show(text) {
    const place = document.querySelector("[data-live-state]");
    if (!place) return;
    place.hidden = false;
    place.textContent = text;
    place.classList.toggle("polling", text !== "Live");
  }

  refreshSoon() {
    if (this.waiting) return;
    const rest = CALM_MS - (performance.now() - this.loadedAt);
    this.waiting = setTimeout(() => { this.waiting = undefined; this.refresh(); }, Math.max(rest, 60));
  }

  // One load at a time: an answer that is overtaken by a later one would show the past.
  async refresh() {
    if (this.loading) { this.stale = true; return; }
    this.loading = true;
    this.loadedAt = performance.now();
    await this.load();
    this.loading = false;
    if (this.stale) { this.stale = false; this.refreshSoon(); }
  }

  async load() {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      replaceRows(fresh, this.prepare, this.arrived, () => this.announce());
      for (const id of ["run-head", "run-tab"]) replacePart(id, fresh, this.prepare);
    } catch {
      this.show("The server does not answer"); // the next event or look tries again
    }
  }
}

// Rows that are there are brought up to date where they are; none is added or moved under the reader's eyes.
function replaceRows(fresh, prepare, arrived, announce) {
  for (const row of document.querySelectorAll("#runs tbody tr")) {
    const now = fresh.getElementById(row.id);
    if (!now || plain(row) === plain(now)) continue;
    const at = row.classList.contains("at");
    const chosen = row.querySelector("input[name=run]")?.checked;
    const focused = row.contains(document.activeElement);
    row.innerHTML = now.innerHTML;
    row.classList.toggle("at", at);
    const box = row.querySelector("input[name=run]");
    if (box && !box.disabled) box.checked = Boolean(chosen);
    if (focused) row.querySelector(".name a").focus({ preventScroll: true });
    prepare(row);
    row.closest("form").dispatchEvent(new Event("rows-changed"));
  }
  const before = arrived.size;
  for (const row of fresh.querySelectorAll("#runs tbody tr")) {
    const newest = document.querySelector("#runs tbody tr")?.id ?? "";
    if (row.id > newest && !document.getElementById(row.id)) arrived.add(row.id);
  }
  if (arrived.size > before) announce();
}

// What differs only by the script's own doing (times in the reader's zone, ticking) is the same.
function plain(row) {
  const copy = row.cloneNode(true);
  for (const each of copy.querySelectorAll("time, [data-since]")) each.replaceWith(each.dateTime ?? each.dataset.since);
  for (const each of copy.querySelectorAll("input")) each.removeAttribute("checked");
  return copy.innerHTML;
}

function replacePart(id, fresh, prepare) {
  const part = document.getElementById(id);
  const now = fresh.getElementById(id);
  if (!part || !now || part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return;
  const folded = new Map([...part.querySelectorAll("details")].map((each, at) => [`${at} ${label(each)}`, each.open]));
  const logs = part.querySelector("[data-log-tail]");
  const inHand = reachable(part).indexOf(document.activeElement);
  const forms = new Map([...part.querySelectorAll("form.answer")].map((each) => [each.getAttribute("action"), each]));
  part.innerHTML = now.innerHTML;
  for (const each of part.querySelectorAll("form.answer")) each.replaceWith(forms.get(each.getAttribute("action")) ?? each); // as far as it is filled in
  if (logs) part.querySelector("[data-log-tail]")?.replaceWith(logs);
  part.querySelectorAll("details").forEach((each, at) => {
    each.open = folded.get(`${at} ${label(each)}`) ?? each.open;
  });
  prepare(part);
  reachable(part)[inHand]?.focus({ preventScroll: true });
}

const reachable = (part) => [...part.querySelectorAll("a, button, summary")];
const label = (details) => details.querySelector("summary .step-name, summary .span-name, summary b")?.textContent ?? "";
