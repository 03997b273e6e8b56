// Filters: chips of those that are set, and a panel to set them, each value with how many clips have it.

import { grouped, make } from "./shared/dom.js";
import { filterName, TITLES, valueName } from "./words.js";

const SHOWN = 60;

export class FilterPanel {
  /**
   * @param {{chips: HTMLElement, panel: HTMLElement}} places
   * @param {import("./state.js").State} state
   * @param {() => void} changed called after a filter was set or lifted
   * @param {() => Promise<object>} counts values of everything, with their numbers
   */
  constructor(places, state, changed, counts) {
    Object.assign(this, { ...places, state, changed, counts, narrowed: "" });
    this.opener = make(
      "button.button",
      { type: "button", "aria-expanded": "false", "aria-controls": "panel", "aria-keyshortcuts": "g", onclick: () => this.toggle() },
      "+ Filter",
    );
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.toggle(false);
    });
    document.addEventListener("pointerdown", (event) => {
      const own = this.panel.contains(event.target) || this.chips.contains(event.target);
      if (!this.panel.hidden && !own) this.toggle(false, { focus: false });
    });
  }

  /** Show the chips of the filters that are set. */
  show() {
    const set = [...this.state.set()].filter(([name]) => name !== "q");
    const buttons = () => [...this.chips.querySelectorAll("button")];
    const focused = buttons().indexOf(document.activeElement);
    const chips = set.map(([name, value]) => {
      const says = filterName(name, value);
      const lift = () => {
        this.state.lift(name, value);
        this.changed();
      };
      const keydown = (event) => {
        if (event.key === "Delete" || event.key === "Backspace") lift();
      };
      const remove = make("button", { type: "button", "aria-label": `Remove the filter ${says}`, onclick: lift, onkeydown: keydown }, "×");
      return make("li", {}, make("span.chip", {}, make("span", { title: says }, says), remove));
    });
    this.chips.replaceChildren(...chips, make("li", {}, this.opener));
    if (focused >= 0) (buttons()[focused] ?? this.opener).focus();
    if (!this.panel.hidden) this.fill();
  }

  /** Open or close the panel. */
  async toggle(open = this.panel.hidden, { focus = true } = {}) {
    this.panel.hidden = !open;
    this.opener.setAttribute("aria-expanded", open);
    if (open) {
      this.panel.style.top = `${this.chips.offsetTop + this.chips.offsetHeight + 6}px`;
      await this.fill();
    }
    if (focus) (open ? this.panel.querySelector("input") : this.opener)?.focus();
  }

  async fill() {
    const counts = await this.counts();
    const at = document.activeElement?.dataset?.key; // what has the focus is built anew
    const scrolled = this.panel.scrollTop;
    const lists = Object.keys(TITLES).map((name) => this.list(name, counts[name === "lacks" ? "has" : name]));
    this.panel.replaceChildren(...lists, this.lengths(counts.files));
    this.panel.scrollTop = scrolled;
    if (at) [...this.panel.querySelectorAll("[data-key]")].find((input) => input.dataset.key === at)?.focus();
  }

  list(name, counted) {
    const set = this.state.filters[name];
    const values = [...new Set([...set, ...counted.map(([value]) => value)])];
    if (!set.length && values.every((value) => value === "")) return null;
    const number = new Map(counted);
    const shown = name === "label" ? values.filter((value) => this.narrow(value)).slice(0, SHOWN) : values;
    const options = shown.map((value) => {
      const toggled = () => {
        this.state.toggle(name, value);
        this.changed();
      };
      const box = make("input", { type: "checkbox", checked: set.includes(value), "data-key": `${name} ${value}`, onchange: toggled });
      const count = name === "lacks" ? "" : grouped(number.get(value) ?? 0);
      return make("label", {}, box, make("span", {}, valueName(name, value)), make("span.muted", {}, count));
    });
    const many = name === "label" && values.length > 12;
    const two = name === "has" || name === "lacks" || name === "flag" ? "div.options.two" : "div.options";
    return make("fieldset", {}, make("legend", {}, TITLES[name]), many && this.narrower(), make(two, {}, options));
  }

  narrow(value) {
    return valueName("label", value).toLowerCase().includes(this.narrowed.toLowerCase());
  }

  narrower() {
    const typed = (event) => {
      this.narrowed = event.target.value;
      this.fill();
    };
    return make("input.field.narrow", {
      type: "search", placeholder: "Find a label", "aria-label": "Find a label", value: this.narrowed, "data-key": "narrow", oninput: typed,
    });
  }

  lengths({ read, of }) {
    const field = (name, says) => {
      const changed = (event) => {
        const value = event.target.valueAsNumber;
        this.state.filters[name] = Number.isFinite(value) && value >= 0 ? value : null;
        this.changed();
      };
      const value = this.state.filters[name];
      return make("input.field", { type: "number", min: "0", step: "any", "aria-label": says, value, "data-key": name, onchange: changed });
    };
    const reading = read < of && make("p.muted.small", {}, `${grouped(read)} of ${grouped(of)} sounds are looked at so far`);
    const fields = make("div.lengths", {}, field("min_s", "Shortest, in seconds"), "to", field("max_s", "Longest, in seconds"), "seconds");
    return make("fieldset", {}, make("legend", {}, "Length"), fields, reading);
  }
}
