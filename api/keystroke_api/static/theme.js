// Light or dark: as the system says until the reader says otherwise; kept in a cookie, so that pages arrive in it.
export function offerTheme() {
  const button = document.querySelector("[data-theme-toggle]");
  if (!button) return; // a page that is no part of the app
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const next = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    document.cookie = `keystroke_theme=${next}; path=/; max-age=31536000; samesite=lax`;
  });
}
