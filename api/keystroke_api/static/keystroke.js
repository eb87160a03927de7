// Everything here adds to pages that work without it.
import { localiseTimes, tick } from "./times.js";
import { offerCopying } from "./copying.js";
import { offerTheme } from "./theme.js";
import { offerSelection } from "./selection.js";
import { offerKeys } from "./keys.js";
import { followChanges } from "./live.js";
import { closeMenus } from "./menus.js";

function prepare(root) {
  localiseTimes(root);
  offerCopying(root);
  offerSelection(root);
}

prepare(document);
offerTheme();
offerKeys();
closeMenus();
followChanges(prepare);
setInterval(tick, 1000);

// A form that starts something is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-once]")) {
    const button = event.target.querySelector("button");
    setTimeout(() => { button.disabled = true; });
  }
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[data-once] button")) button.disabled = false;
});
