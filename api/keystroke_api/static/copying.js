// Copy buttons: a text they carry, or the file they name.
import { say } from "./say.js";

export function offerCopying(root) {
  if (!navigator.clipboard) return; // not over plain HTTP from another machine: the text can be selected there
  for (const button of root.querySelectorAll("[data-copy][hidden], [data-copy-from][hidden], [data-copy-link][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(await wanted(button.dataset));
    say("Copied.");
  } catch (error) {
    say(`Not copied: ${error.message}`);
  }
}

async function wanted({ copy: text, copyFrom, copyLink }) {
  if (copyLink) return new URL(copyLink, location.href).href;
  return text ?? load(copyFrom);
}

async function load(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.text();
}
