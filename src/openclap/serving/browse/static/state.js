// What the page shows, as its address says: filters, and the clip.

export const LISTS = ["split", "source", "label", "maker", "has", "lacks", "flag"];
const NUMBERS = ["min_s", "max_s"];

export class State {
  constructor() {
    this.read();
  }

  /** Take everything from the address. */
  read() {
    const asked = new URLSearchParams(location.search);
    this.filters = { q: asked.get("q") ?? "" };
    for (const name of LISTS) this.filters[name] = asked.getAll(name);
    for (const name of NUMBERS) this.filters[name] = number(asked.get(name));
    this.clip = number(asked.get("clip"));
  }

  /** The filters as the server takes them, with more beside them. */
  query(more = {}) {
    const query = new URLSearchParams();
    if (this.filters.q.trim()) query.set("q", this.filters.q);
    for (const name of LISTS) for (const value of this.filters[name]) query.append(name, value);
    for (const name of NUMBERS) if (this.filters[name] !== null) query.set(name, this.filters[name]);
    for (const [name, value] of Object.entries(more)) query.set(name, value);
    return query.toString();
  }

  /** Put everything into the address; a step to go back from where `step` is set. Browsers refuse too many at once. */
  save({ step = false } = {}) {
    clearTimeout(this.saving);
    const write = () => {
      const query = this.query(this.clip === null ? {} : { clip: this.clip });
      history[step ? "pushState" : "replaceState"](null, "", query ? `?${query}` : location.pathname);
    };
    if (step) write();
    else this.saving = setTimeout(write, 250);
  }

  /** Set a value of a list of filters, or lift it. */
  toggle(name, value) {
    const values = this.filters[name];
    this.filters[name] = values.includes(value) ? values.filter((other) => other !== value) : [...values, value];
  }

  /** Every filter that is set, as [name, value]. */
  *set() {
    if (this.filters.q.trim()) yield ["q", this.filters.q];
    for (const name of LISTS) for (const value of this.filters[name]) yield [name, value];
    for (const name of NUMBERS) if (this.filters[name] !== null) yield [name, this.filters[name]];
  }

  /** Lift one filter. */
  lift(name, value) {
    if (name === "q") this.filters.q = "";
    else if (NUMBERS.includes(name)) this.filters[name] = null;
    else this.filters[name] = this.filters[name].filter((other) => other !== value);
  }
}

function number(text) {
  const value = text === null || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : null;
}
