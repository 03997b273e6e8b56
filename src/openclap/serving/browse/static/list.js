// The list of clips that were found, a page of them at a time.

import { grouped, make } from "./shared/dom.js";
import { REASONS } from "./words.js";

export const PAGE = 100;

export class ClipList {
  /**
   * @param {HTMLElement} place the listbox
   * @param {HTMLElement} pages where one turns pages
   * @param {{select: (place: number) => void, turn: (offset: number, at: "first" | "last") => void}} does
   */
  constructor(place, pages, does) {
    Object.assign(this, { place, pages, does, lines: [], offset: 0, found: 0, selected: null });
    place.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.does.select(Number(row.dataset.place));
    });
  }

  /** Show a page of what was found. */
  show({ clips, offset, found }) {
    Object.assign(this, { lines: clips, offset, found });
    const rows = clips.map((line, at) => this.row(line, offset + at));
    this.place.replaceChildren(...(rows.length ? rows : [make("p.empty", {}, "No clip fits these filters.")]));
    this.place.scrollTop = 0;
    this.turns();
  }

  /** Show what has become of clips that are on the page. */
  update(lines) {
    for (const line of lines) {
      const at = this.lines.findIndex((shown) => shown.place === line.place);
      if (at < 0 || JSON.stringify(this.lines[at]) === JSON.stringify(line)) continue;
      const [old, focused] = [this.place.children[at], this.place.children[at] === document.activeElement];
      this.lines[at] = line;
      old.replaceWith(this.row(line, this.offset + at));
      if (focused) this.place.children[at].focus({ preventScroll: true });
    }
  }

  /** Mark a clip, bring it into sight, and put the focus on it if the list has it (or is to get it). */
  mark(place, { focus = false } = {}) {
    this.selected = place;
    const had = this.place.contains(document.activeElement);
    this.lines.forEach((line, at) => {
      const row = this.place.children[at];
      const chosen = line.place === place;
      row.setAttribute("aria-selected", chosen);
      row.tabIndex = chosen ? 0 : -1;
      if (!chosen) return;
      row.scrollIntoView({ block: "nearest" });
      if (had || focus) row.focus({ preventScroll: true });
    });
  }

  /** The clip so many lines on, turning the page where that is needed. */
  move(steps) {
    const at = this.lines.findIndex((line) => line.place === this.selected);
    const next = at < 0 ? 0 : at + steps;
    if (next in this.lines) this.does.select(this.lines[next].place);
    else if (next < 0 && this.offset > 0) this.does.turn(this.offset - PAGE, "last");
    else if (next >= this.lines.length && this.offset + this.lines.length < this.found) this.does.turn(this.offset + PAGE, "first");
  }

  /** The next page (1) or the one before (-1). */
  page(steps) {
    const offset = this.offset + steps * PAGE;
    if (offset >= 0 && offset < this.found) this.does.turn(offset, "first");
  }

  /** Which of the found clips the marked one is, from 1; 0 if it is not on the page. */
  get position() {
    const at = this.lines.findIndex((line) => line.place === this.selected);
    return at < 0 ? 0 : this.offset + at + 1;
  }

  row(line, position) {
    const chosen = line.place === this.selected;
    const flag = line.flag
      ? make("span.tag.bad", {}, REASONS[line.flag])
      : line.drops
        ? make("span.tag.warn", {}, `−${line.drops}`)
        : null;
    return make(
      line.flag ? "div.row.flagged" : "div.row",
      {
        role: "option",
        id: `row-${line.place}`,
        tabindex: chosen ? "0" : "-1",
        "aria-selected": String(chosen),
        "aria-posinset": position + 1,
        "aria-setsize": this.found,
        "data-place": line.place,
      },
      make(
        "div.first", {},
        make(line.text ? "span.text" : "span.text.none", { dir: "auto" }, line.text || "no words"),
        line.problem && make("span.tag.bad", {}, "unreadable"),
        line.captions > 1 && make("span.tag", { title: `${line.captions} captions` }, `${line.captions}`),
        flag,
      ),
      make(
        "div.second", {},
        make("span.id", {}, make("bdi", {}, line.id)),
        line.split && make("span", {}, line.split),
        line.source && make("span", {}, line.source),
        line.seconds !== null && make("span", {}, `${line.seconds.toFixed(1)} s`),
      ),
    );
  }

  turns() {
    const last = this.offset + this.lines.length;
    const button = (name, says, steps, enabled) =>
      make("button.button.plain", { type: "button", disabled: !enabled, "aria-label": says, onclick: () => this.page(steps) }, name);
    this.pages.hidden = this.found <= PAGE;
    this.pages.replaceChildren(
      button("‹", "Page before", -1, this.offset > 0),
      make("span.muted", {}, `${grouped(this.offset + 1)} – ${grouped(last)} of ${grouped(this.found)}`),
      button("›", "Next page", 1, last < this.found),
    );
  }
}
