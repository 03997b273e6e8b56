// A player: a spectrogram to click into, play and pause, loop, speed.

import { clock, make } from "./dom.js";
import { fetchSpectrogram, LEFT, paint } from "./spectrogram.js";
import { onTheme } from "./theme.js";

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.5, 2];
const ICONS = { play: "M8 5.2v13.6L19 12z", pause: "M7 5h3.6v14H7zM13.4 5H17v14h-3.6z" };

export class Player {
  /** @param {HTMLElement} place where it is put */
  constructor(place) {
    this.audio = make("audio", { preload: "auto" });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.now = make("div.now", { hidden: true });
    this.there = make("div.there", { hidden: true }, make("span"));
    this.message = make("div.message", { role: "status" });
    this.plot = make(
      "div.plot",
      { tabindex: "0", role: "slider", "aria-label": "Position in the sound", "aria-valuemin": "0" },
      this.canvas, this.there, this.now, this.message,
    );
    this.icon = path(ICONS.play);
    this.button = make("button.button.main.play", { type: "button", "aria-label": "Play", onclick: () => this.toggle() });
    this.button.append(this.icon.closest("svg"));
    this.time = make("span.time", {}, "0:00.0");
    this.looping = make("button.button.plain", { type: "button", "aria-pressed": "false", onclick: () => this.loop() }, "Loop");
    const options = SPEEDS.map((speed) => make("option", { value: speed, selected: speed === 1 }, `${speed}×`));
    this.speed = make("select.field", { "aria-label": "Speed", onchange: () => this.setSpeed(+this.speed.value) }, options);
    this.extra = make("span.extra");
    place.classList.add("player");
    place.append(
      this.plot, this.audio,
      make("div.transport", {}, this.button, this.time, make("span.gap"), this.extra, this.looping, this.speed),
    );
    this.picture = null;
    this.seconds = 0; // as the server says, until the picture or the browser know better
    this.failed = null; // why nothing can be played
    this.listen();
  }

  /**
   * Show and, if asked, play another sound.
   * @param {{sound: string, spectrogram: string, error?: string, seconds?: number, play?: boolean}} clip
   */
  load({ sound, spectrogram, error, seconds, play = false }) {
    this.loading?.abort();
    this.loading = new AbortController();
    this.audio.pause();
    this.failed = error ?? null;
    this.seconds = seconds ?? 0;
    this.show(null);
    if (error) {
      this.audio.removeAttribute("src");
      this.tell("This sound cannot be played", error);
    } else {
      this.audio.src = sound;
      this.audio.playbackRate = +this.speed.value;
      this.tell(null, "listening …");
      this.draw(spectrogram, this.loading.signal);
      if (play) this.play();
    }
    this.button.disabled = Boolean(error);
    this.tick();
  }

  async draw(url, signal) {
    try {
      this.show(await fetchSpectrogram(url, signal));
      this.tell(null, "");
    } catch (error) {
      if (error.name !== "AbortError") this.tell("There is no spectrogram", error.message);
    }
  }

  /** Play, or pause. */
  toggle() {
    if (this.failed !== null) return;
    if (this.audio.paused) this.play();
    else this.audio.pause();
  }

  play() {
    this.audio.play().catch((error) => {
      if (error.name === "NotAllowedError") return; // the browser waits for the first click or key
      if (error.name !== "AbortError") this.tell("This sound cannot be played", error.message);
    });
  }

  /** Go so many seconds on, or back. */
  nudge(seconds) {
    this.seek(this.audio.currentTime + seconds);
  }

  seek(seconds) {
    if (this.failed !== null) return;
    this.audio.currentTime = Math.min(Math.max(0, seconds), Math.max(0, this.duration - 0.01));
    this.tick();
  }

  loop() {
    this.audio.loop = !this.audio.loop;
    this.looping.setAttribute("aria-pressed", this.audio.loop);
  }

  /** Play quicker (1) or slower (-1); the pitch stays. */
  hasten(steps) {
    const place = SPEEDS.indexOf(+this.speed.value) + steps;
    if (place in SPEEDS) this.setSpeed(SPEEDS[place]);
  }

  setSpeed(speed) {
    this.speed.value = speed;
    this.audio.playbackRate = speed;
  }

  get duration() {
    if (this.picture) return this.picture.head.duration_s; // what is painted is what a click means
    return Number.isFinite(this.audio.duration) ? this.audio.duration : this.seconds;
  }

  tell(title, text) {
    this.message.replaceChildren(...(title ? [make("strong", {}, title)] : []), ...(text ? [make("span", {}, text)] : []));
  }

  show(picture) {
    this.picture = picture;
    paint(this.canvas, picture);
    this.tick();
  }

  tick() {
    const at = Math.min(this.audio.currentTime, this.duration || 0);
    const width = this.plot.clientWidth - LEFT;
    this.now.hidden = this.failed !== null || !this.picture;
    this.now.style.transform = `translateX(${this.duration ? (at / this.duration) * width : 0}px)`;
    this.time.textContent = `${clock(at)} / ${clock(this.duration)}`;
    this.plot.setAttribute("aria-valuemax", this.duration.toFixed(2));
    this.plot.setAttribute("aria-valuenow", at.toFixed(2));
    this.plot.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${this.duration.toFixed(1)} seconds`);
    cancelAnimationFrame(this.frame);
    if (!this.audio.paused) this.frame = requestAnimationFrame(() => this.tick());
  }

  listen() {
    const playing = () => {
      this.icon.setAttribute("d", this.audio.paused ? ICONS.play : ICONS.pause);
      this.button.setAttribute("aria-label", this.audio.paused ? "Play" : "Pause");
      this.tick();
    };
    for (const event of ["play", "pause", "ended", "seeked", "loadedmetadata"]) this.audio.addEventListener(event, playing);
    this.audio.addEventListener("error", () => {
      if (this.failed === null && this.audio.hasAttribute("src")) this.unplayable();
    });
    const seconds = (event) => ((event.clientX - this.plot.getBoundingClientRect().left - LEFT) / (this.plot.clientWidth - LEFT)) * this.duration;
    this.plot.addEventListener("pointerdown", (event) => {
      this.plot.setPointerCapture(event.pointerId);
      this.seek(seconds(event));
    });
    this.plot.addEventListener("pointermove", (event) => {
      const at = seconds(event);
      this.there.hidden = at < 0 || !this.picture;
      this.there.style.transform = `translateX(${(at / this.duration) * (this.plot.clientWidth - LEFT)}px)`;
      this.there.firstChild.textContent = clock(at);
      if (event.buttons === 1) this.seek(at);
    });
    this.plot.addEventListener("pointerleave", () => (this.there.hidden = true));
    this.plot.addEventListener("keydown", (event) => {
      if (event.key !== "Home" && event.key !== "End") return; // the arrows are the whole page's
      event.preventDefault();
      event.stopPropagation();
      this.seek(event.key === "Home" ? 0 : this.duration);
    });
    const repaint = () => {
      paint(this.canvas, this.picture);
      this.tick();
    };
    new ResizeObserver(repaint).observe(this.plot);
    onTheme(repaint);
  }

  /** The browser says only that it failed; the server knows why. */
  async unplayable() {
    this.failed = "";
    this.button.disabled = true;
    const response = await fetch(this.audio.src).catch(() => null);
    const told = response && !response.ok ? await response.json().catch(() => ({})) : {};
    if (this.failed === "") this.tell("This sound cannot be played", told.reason ?? "the browser does not know its format");
  }
}

function path(shape) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const drawn = svg.appendChild(document.createElementNS(space, "path"));
  drawn.setAttribute("d", shape);
  return drawn;
}
