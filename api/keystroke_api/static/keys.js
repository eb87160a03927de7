// The keyboard: / searches, j and k move along the rows, Enter opens, x selects, Escape closes the panel.
export function offerKeys() {
  const said = document.querySelector("[data-keys]");
  if (said) said.hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const writing = event.target.matches?.("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") return writing ? event.target.blur() : close();
    if (writing) return;
    const act = ACTIONS[event.key];
    if (act && act() !== false) event.preventDefault();
  });
}

const ACTIONS = {
  "/": () => focusOn("[data-search]"),
  j: () => move(1),
  k: () => move(-1),
  x: () => current()?.querySelector("input[name=run]")?.click(),
  Enter: () => (document.activeElement === document.body && current() ? current().querySelector(".name a").click() : false),
};

function focusOn(selector) {
  const field = document.querySelector(selector);
  if (!field) return false;
  field.focus();
  field.select();
}

const rows = () => [...document.querySelectorAll("#runs tbody tr")];
const current = () => document.querySelector("#runs tr.at");

function move(by) {
  const all = rows();
  if (!all.length) return false;
  const at = all.indexOf(current());
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
  current()?.classList.remove("at");
  next.classList.add("at");
  next.scrollIntoView({ block: "nearest" });
  next.querySelector(".name a").focus({ preventScroll: true });
}

function close() {
  document.querySelector("[data-close-panel]")?.click();
}
