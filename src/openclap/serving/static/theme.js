// Light and dark: as the system has it, or as somebody chose.

const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

/** Whether the page is dark now. */
export const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

/** Call when the page becomes light or dark. */
export function onTheme(changed) {
  system.addEventListener("change", changed);
  root.addEventListener("theme", changed);
}

/** Change from light to dark, or back. */
export function switchTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  root.dispatchEvent(new Event("theme"));
}

const chosen = localStorage.getItem("theme");
if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
