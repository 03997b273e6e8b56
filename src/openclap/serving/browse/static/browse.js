// The page of `openclap data browse`: its parts, and what happens between them.

import { grouped, make, say } from "./shared/dom.js";
import { listen } from "./shared/keys.js";
import { Player } from "./shared/player.js";
import { switchTheme } from "./shared/theme.js";
import { api } from "./api.js";
import { captionGroups, toggled } from "./captions.js";
import { DecisionBar } from "./decision.js";
import { showExport, showHelp } from "./dialogs.js";
import { FilterPanel } from "./filters.js";
import { ClipList, PAGE } from "./list.js";
import { State } from "./state.js";
import { REASONS } from "./words.js";

const LOOK_AGAIN_MS = 10_000; // other pages decide, too
const TYPING_MS = 150;
const MOST_UNDONE = 200;

const at = (id) => document.getElementById(id);
const state = new State();
const player = new Player(at("player"));
const decisions = new DecisionBar(at("decision"), (decision) => decide(clip.place, decision, clip.decision));
const list = new ClipList(at("list"), at("pages"), { select, turn });
const filters = new FilterPanel({ chips: at("chips"), panel: at("panel") }, state, filtered, () => api.counts(state.query()));
const following = make("button.button.plain", { type: "button", "aria-pressed": "false", onclick: follow }, "Autoplay");
player.extra.append(following);

let manifest = null;
let clip = null; // all about the one that is shown
let looking = null; // what would stop its being fetched
let searches = 0;
let version = -1;
let decided = 0;
let saving = Promise.resolve(); // decisions go to the server one after the other, in the order of being made

// Finding

async function find(page) {
  const search = ++searches;
  const found = await api.clips(state.query({ limit: PAGE, ...page }));
  if (search !== searches) return null; // somebody typed on
  list.show(found);
  tell(found);
  filters.show();
  return found;
}

function tell(found) {
  version = found.version;
  at("found").textContent = `${grouped(found.found)} of ${grouped(manifest.clips)} clips`;
  at("total").textContent = found.flagged ? `${grouped(found.flagged)} flagged` : "";
}

async function filtered({ step = true } = {}) {
  decisions.keep();
  state.save({ step });
  const found = await find({ around: state.clip ?? 0 });
  if (!found) return;
  const same = found.clips.some((line) => line.place === state.clip);
  if (same) list.mark(state.clip);
  else if (found.clips.length) select(found.clips[0].place);
  else select(null);
}

async function turn(offset, end) {
  const found = await find({ offset });
  if (found) select(found.clips.at(end === "first" ? 0 : -1).place, { focus: true });
}

// One clip

function select(place, { focus = false } = {}) {
  decisions.keep();
  list.mark(place, { focus });
  state.clip = place;
  state.save();
  looking?.abort();
  looking = new AbortController();
  at("clip").hidden = place === null;
  if (place === null) player.audio.pause();
  else look(place, looking.signal);
}

async function look(place, signal) {
  try {
    const seen = await api.clip(place, signal);
    if (signal.aborted) return;
    clip = seen;
    show();
    const columns = Math.min(2000, Math.max(300, Math.round(player.plot.clientWidth * devicePixelRatio)));
    player.load({
      sound: api.sound(place),
      spectrogram: api.spectrogram(place, columns),
      error: clip.sound.reason,
      seconds: clip.sound.seconds,
      play: following.getAttribute("aria-pressed") === "true",
    });
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, { bad: true });
  }
}

function show() {
  document.title = `${clip.id} – openclap`;
  at("clip-name").replaceChildren(make("bdi", {}, clip.id));
  at("clip-place").textContent = list.position ? `${grouped(list.position)} of ${grouped(list.found)}` : "";
  showDecision();
  const { sound } = clip;
  const heard = sound.reason ? [] : [["sound", `${sound.format}, ${sound.sample_rate_hz} Hz, ${sound.channels === 1 ? "mono" : `${sound.channels} channels`}`]];
  const pairs = [...heard, ...clip.facts].flatMap(([name, value]) => [make("dt", {}, name), make("dd", { dir: "auto" }, value)]);
  const labels = clip.labels.length > 0 && make("div.labels", {}, clip.labels.map(labelButton));
  at("facts").replaceChildren(...[labels, make("dl.pairs", {}, pairs)].filter(Boolean));
}

function labelButton(label) {
  const narrow = () => {
    state.toggle("label", label);
    filtered();
  };
  return make("button.tag", { type: "button", dir: "auto", title: "Filter by this label", onclick: narrow }, label);
}

function showDecision() {
  decisions.show(clip.decision);
  const focused = [...at("captions").querySelectorAll(".drop")].indexOf(document.activeElement);
  at("captions").replaceChildren(...captionGroups(clip, drop));
  at("captions").querySelectorAll(".drop")[focused]?.focus({ preventScroll: true });
}

// Deciding

function drop(caption) {
  decide(clip.place, toggled(clip.decision, caption), clip.decision);
}

async function decide(place, decision, before) {
  if (clip.place === place) {
    clip.decision = decision;
    showDecision();
  }
  try {
    decided += 1;
    const sent = saving.then(() => api.decide(place, decision));
    saving = sent.catch(() => {});
    const saved = await sent;
    if (before) remember({ place, before });
    list.update([saved.clip]);
    at("total").textContent = saved.flagged ? `${grouped(saved.flagged)} flagged` : "";
    version = saved.version;
    say(said(decision, before));
    return true;
  } catch (error) {
    if (clip.place === place && before) {
      clip.decision = before;
      showDecision();
    }
    say(error.message, { bad: true });
    return false;
  }
}

function said(decision, before) {
  if (!before) return "Undone";
  if (decision.flag !== before.flag) return decision.flag ? `Left out: ${REASONS[decision.flag]} – u undoes` : "Kept again";
  if (decision.note !== before.note) return "Note saved";
  return decision.drop.length > before.drop.length ? "Caption dropped – u undoes" : "Caption kept again";
}

const history = () => JSON.parse(sessionStorage.getItem("undo") ?? "[]");

function remember(step) {
  sessionStorage.setItem("undo", JSON.stringify([...history(), step].slice(-MOST_UNDONE)));
}

async function undo() {
  const steps = history();
  const last = steps.pop();
  if (!last) {
    say("There is nothing to undo");
    return;
  }
  if (!(await decide(last.place, last.before, null))) return;
  sessionStorage.setItem("undo", JSON.stringify(steps));
  if (last.place !== state.clip) {
    await find({ around: last.place });
    select(last.place);
  }
}

/** Take in what other pages, or other servers of this manifest, have decided. */
async function lookAgain() {
  if (document.hidden || !manifest) return;
  await saving;
  const before = [decided, searches];
  const stale = () => decided !== before[0] || searches !== before[1]; // an answer from before what was done here
  const found = await api.clips(state.query({ limit: PAGE, offset: list.offset })).catch(() => null);
  if (!found || stale()) return;
  list.update(found.clips); // also with what was found out about the files
  if (found.version === version) return;
  tell(found);
  const seen = clip && (await api.clip(clip.place).catch(() => null));
  if (!seen || stale() || seen.place !== clip.place) return;
  if (JSON.stringify(seen.decision) === JSON.stringify(clip.decision)) return;
  clip.decision = seen.decision;
  showDecision();
}

// Keys

function follow() {
  following.setAttribute("aria-pressed", following.getAttribute("aria-pressed") !== "true");
}

function walkCaptions(steps) {
  const buttons = [...at("captions").querySelectorAll(".drop")];
  const from = buttons.indexOf(document.activeElement);
  const next = from < 0 ? (steps > 0 ? 0 : -1) : (from + steps) % buttons.length;
  buttons.at(next)?.focus();
}

const reasons = Object.keys(REASONS);
const bindings = [
  { keys: ["j", "ArrowDown"], says: "next clip", does: () => list.move(1) },
  { keys: ["k", "ArrowUp"], says: "clip before", does: () => list.move(-1) },
  { keys: ["]", "["], says: "next page of clips, page before", does: ({ key }) => list.page(key === "]" ? 1 : -1) },
  { keys: [" "], says: "play, pause", does: () => player.toggle() },
  { keys: ["ArrowLeft", "ArrowRight"], says: "a second back, on", does: ({ key }) => player.nudge(key === "ArrowLeft" ? -1 : 1) },
  { keys: ["0"], says: "back to the beginning", does: () => player.seek(0) },
  { keys: ["l"], says: "loop", does: () => player.loop() },
  { keys: ["-", "+"], says: "slower, quicker", does: ({ key }) => player.hasten(key === "+" ? 1 : -1) },
  { keys: ["a"], says: "play every clip at once when it is shown", does: follow },
  { keys: ["f"], says: "flag: to the reasons, then ← → and Enter", does: () => decisions.focus() },
  { keys: ["1", "2", "3", "4", "5"], says: Object.values(REASONS).join(", "), does: ({ key }) => decisions.flag(reasons[key - 1]) },
  { keys: ["n"], says: "note", does: () => decisions.write() },
  { keys: ["c", "C"], says: "next caption, caption before; Enter drops it", does: ({ key }) => walkCaptions(key === "c" ? 1 : -1) },
  { keys: ["u"], says: "undo", does: undo },
  { keys: ["/"], says: "search; -word for clips without it", does: () => at("search").focus() },
  { keys: ["g"], says: "filters", does: () => filters.toggle() },
  { keys: ["e"], says: "export", does: () => showExport(manifest) },
  { keys: ["t"], says: "light, dark", does: switchTheme },
  { keys: ["?"], says: "this help", does: () => showHelp(bindings) },
  { keys: ["Escape"], says: "back to the list", does: () => list.mark(state.clip, { focus: true }) },
];

// The beginning

function listenToPage() {
  listen(bindings);
  at("help").addEventListener("click", () => showHelp(bindings));
  at("theme").addEventListener("click", switchTheme);
  at("undo").addEventListener("click", undo);
  at("export").addEventListener("click", () => showExport(manifest));
  let typing = 0;
  at("search").addEventListener("input", (event) => {
    state.filters.q = event.target.value;
    clearTimeout(typing);
    typing = setTimeout(() => filtered({ step: false }), TYPING_MS);
  });
  at("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") list.mark(state.clip, { focus: true });
  });
  addEventListener("popstate", () => {
    state.read();
    at("search").value = state.filters.q;
    filtered({ step: false });
  });
  addEventListener("focus", lookAgain);
  setInterval(lookAgain, LOOK_AGAIN_MS);
}

async function begin() {
  manifest = await api.manifest();
  at("name").textContent = manifest.name;
  at("name").title = manifest.path;
  at("search").value = state.filters.q;
  listenToPage();
  const wanted = state.clip;
  const found = await find({ around: wanted ?? 0 });
  const listed = found.clips.some((line) => line.place === wanted);
  if (wanted !== null && wanted < manifest.clips && !listed) select(wanted); // shown, though the filters leave it out
  else if (found.clips.length) select(listed ? wanted : found.clips[0].place, { focus: true });
  else select(null);
}

begin().catch((error) => say(error.message, { bad: true }));
