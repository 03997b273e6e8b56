// What is decided about a clip: a reason to leave it out, and a note.

import { make } from "./shared/dom.js";
import { REASONS } from "./words.js";

export class DecisionBar {
  /**
   * @param {HTMLElement} place
   * @param {(decision: object) => void} decide called with the new decision
   */
  constructor(place, decide) {
    this.decide = decide;
    this.decision = { flag: null, note: "", drop: [] };
    this.buttons = Object.entries(REASONS).map(([reason, name], at) =>
      make(
        "button.button.danger",
        { type: "button", role: "radio", "aria-checked": "false", "data-reason": reason, "aria-keyshortcuts": at + 1, onclick: () => this.flag(reason) },
        name, make("kbd", {}, `${at + 1}`),
      ),
    );
    this.reasons = make("div.reasons", { role: "radiogroup", "aria-label": "Leave this clip out as" }, make("span.muted", {}, "Leave out as"), this.buttons);
    this.reasons.addEventListener("keydown", (event) => this.arrows(event));
    this.note = make("input.field.note", { type: "text", maxlength: "4000", placeholder: "A note for whoever reads this", "aria-label": "Note" });
    this.note.addEventListener("change", () => this.keep());
    this.note.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.note.blur();
    });
    place.append(this.reasons, this.note);
  }

  /** Show a clip's decision. */
  show(decision) {
    this.decision = decision;
    const chosen = Math.max(0, this.buttons.findIndex((button) => button.dataset.reason === decision.flag));
    this.buttons.forEach((button, at) => {
      button.setAttribute("aria-checked", button.dataset.reason === decision.flag);
      button.tabIndex = at === chosen ? 0 : -1;
    });
    if (document.activeElement !== this.note) this.note.value = decision.note;
    this.note.hidden = decision.flag === null && !decision.note && document.activeElement !== this.note;
  }

  /** Save a note that is being written, before another clip takes its place. */
  keep() {
    if (this.note.value.trim() !== this.decision.note) this.decide({ ...this.decision, note: this.note.value.trim() });
  }

  /** Flag with that reason, or take the flag off where it is that one. */
  flag(reason) {
    this.decide({ ...this.decision, flag: this.decision.flag === reason ? null : reason });
  }

  /** Put the focus on the reasons. */
  focus() {
    this.buttons.find((button) => button.tabIndex === 0).focus();
  }

  /** Write a note. */
  write() {
    this.note.hidden = false;
    this.note.focus();
  }

  arrows(event) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!steps) return;
    event.preventDefault();
    event.stopPropagation();
    const at = this.buttons.indexOf(document.activeElement);
    this.buttons.at((at + steps) % this.buttons.length).focus();
  }
}
