// Elements from plain values. Text is only ever text here: nothing in these pages is parsed as HTML.

/** An element: `make("button.plain", {onclick, "aria-label": "…"}, "text", child, …)`; absent children are left out. */
export function make(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Seconds as a clock shows them: 0:05.2, 1:02:03.4. */
export function clock(seconds) {
  const tenths = Math.floor(Math.max(0, seconds) * 10 + 1e-6);
  const hours = Math.floor(tenths / 36000);
  const minutes = Math.floor(tenths / 600) % 60;
  const rest = `${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A whole number with separators between the thousands. */
export const grouped = (number) => number.toLocaleString("en");

let hiding = 0;

/** Say something for a moment, to eyes and to screen readers. */
export function say(text, { bad = false } = {}) {
  const toast = document.querySelector(".toast");
  toast.textContent = text;
  toast.classList.toggle("bad", bad);
  toast.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => toast.classList.remove("shown"), bad ? 8000 : 2600);
}
