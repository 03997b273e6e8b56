// Keys that work wherever one is on a page, but for where somebody types.

const TYPED_INTO = new Set(["INPUT", "TEXTAREA"]);
const CHOOSES = /^(Arrow|Page|Home|End|Enter| |[0-9.])/; // what a list of choices does itself
const PRESSED = new Set(["BUTTON", "SUMMARY", "A"]);
const OWN = new Set([" ", "Enter"]); // what a focused button does itself

/**
 * Listen for keys.
 * @param {{keys: string[], says: string, does: (event: KeyboardEvent) => void}[]} bindings what `event.key` does what
 */
export function listen(bindings) {
  const does = new Map(bindings.flatMap((binding) => binding.keys.map((key) => [key, binding.does])));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return; // a dialog has keys of its own
    const at = document.activeElement;
    if (TYPED_INTO.has(at?.tagName) && at.type !== "checkbox") {
      if (event.key === "Escape") at.blur();
      else return;
    }
    if (at?.tagName === "SELECT" && CHOOSES.test(event.key)) return;
    if ((PRESSED.has(at?.tagName) || at?.type === "checkbox") && OWN.has(event.key)) return;
    const action = does.get(event.key);
    if (!action) return;
    event.preventDefault();
    action(event);
  });
  // A button that was clicked would go on answering to the space bar, which is the player's.
  document.addEventListener("click", (event) => {
    if (event.detail > 0) event.target.closest?.("button")?.blur();
  });
}

const NAMES = { " ": "space", ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };

/** A key as it is written on a keyboard. */
export const keyName = (key) => NAMES[key] ?? key;
