// Menus close by Escape, by a click beside them, and when another one opens.
export function closeMenus() {
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.(".menu") && event.target.open) closeOthers(event.target);
  }, true);
  document.addEventListener("click", (event) => closeOthers(event.target.closest?.(".menu")));
  document.addEventListener("keydown", (event) => {
    const menu = document.querySelector(".menu[open]");
    if (event.key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
    event.stopImmediatePropagation();
  });
}

function closeOthers(kept) {
  for (const menu of document.querySelectorAll(".menu[open]")) if (menu !== kept) menu.open = false;
}
