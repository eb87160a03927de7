// Says something in a corner of the page, and to screen readers.
let timer;

export function say(text) {
  const place = document.querySelector("[data-said]");
  place.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => { place.textContent = ""; }, 2500);
}
