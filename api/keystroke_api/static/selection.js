// Selecting rows: all at once, and a button that says how many.
export function offerSelection(root) {
  const form = root.querySelector("[data-selection]:not([data-ready])");
  if (!form) return;
  form.dataset.ready = "";
  const all = form.querySelector("[data-select-all]");
  const button = form.querySelector("[data-cancel-selected]");
  if (!all || !button) return;
  const boxes = () => [...form.querySelectorAll("input[name=run]:not(:disabled)")];
  const show = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
    button.disabled = chosen === 0;
    button.textContent = chosen ? `Cancel ${chosen} ${chosen === 1 ? "run" : "runs"}` : "Cancel selected";
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    show();
  });
  form.addEventListener("change", show);
  form.addEventListener("rows-changed", show);
  show();
}
