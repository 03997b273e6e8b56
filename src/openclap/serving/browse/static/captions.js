// The captions of a clip: what people wrote to the left, what was made of it to the right.

import { make } from "./shared/dom.js";
import { makerName } from "./words.js";

const isFor = (caption) => (other) => other.among === caption.among && other.text === caption.text;

/** Whether a decision drops a caption. */
export const drops = (decision, caption) => decision.drop.some(isFor(caption));

/** The decision with that caption dropped, or taken back. */
export function toggled(decision, caption) {
  const { among, text } = caption;
  const drop = drops(decision, caption)
    ? decision.drop.filter((other) => !isFor(caption)(other))
    : [...decision.drop, { among, text }];
  return { ...decision, drop };
}

/**
 * The captions as groups of cards: each caption that something was made of, and beside it what was made.
 * @param {{captions: object[], labels: string[], decision: object}} clip
 * @param {(caption: object) => void} toggle called to drop a caption, or to take that back
 */
export function captionGroups(clip, toggle) {
  const groups = new Map(); // by the text of the caption at its beginning; "" for what has none here
  for (const caption of clip.captions) if (caption.among === "captions") groups.set(caption.text, { written: caption, made: [] });
  groups.set("", { written: null, made: [] });
  const home = new Map([...groups.keys()].map((text) => [text, text]));
  for (const caption of clip.captions) {
    if (caption.among === "captions") continue;
    const source = [caption.nearest, ...caption.of].find((text) => text !== null && home.has(text));
    const own = home.get(source) ?? "";
    groups.get(own).made.push(caption);
    if (!home.has(caption.text)) home.set(caption.text, own); // what is made of what was made stays beside it
  }
  const card = (caption) => captionCard(caption, drops(clip.decision, caption), () => toggle(caption));
  const rows = [...groups.values()]
    .filter(({ written, made }) => written || made.length)
    .map(({ written, made }) =>
      make("div.group", {}, written ? card(written) : labelCard(clip.labels, made.length > 0), make("div.made", {}, made.map(card))),
    );
  if (clip.rejected.length) rows.push(rejections(clip.rejected));
  if (!rows.length) return [make("p.muted", {}, clip.labels.length ? "No captions, only labels." : "Nothing is said of this clip.")];
  const anyMade = clip.captions.some((caption) => caption.among !== "captions");
  return [make("h3.columns", {}, make("span", {}, "Written"), anyMade && make("span", {}, "Made")), ...rows];
}

function labelCard(labels, wanted) {
  if (!wanted || !labels.length) return make("div");
  return make("div.caption", {}, make("div.labels", {}, labels.map((label) => make("span.tag", {}, label))), make("p.from", {}, "labels"));
}

function captionCard(caption, dropped, toggle) {
  const kind = caption.among === "negatives" ? ".negative" : caption.replaced_by ? ".replaced" : "";
  const card = make(
    `article.caption${kind}${dropped ? ".dropped" : ""}`, {},
    make("p.said", { dir: "auto" }, said(caption)),
    origin(caption),
    make(
      "div.under", {},
      make(caption.maker === "original" ? "span.tag" : "span.tag.accent", {}, makerName(caption.maker)),
      caption.among === "negatives" && make("span.tag.warn", {}, `does not fit: ${caption.kind}`),
      caption.replaces && make("span.tag.good", {}, "replaces its source"),
      caption.replaced_by && make("span.tag", {}, `replaced by ${caption.replaced_by}`),
      make("span.gap"),
      make("button.button.danger.drop", { type: "button", "aria-pressed": String(dropped), onclick: toggle }, dropped ? "Dropped" : "Drop"),
    ),
    caption.details?.length > 0 && provenance(caption.details),
  );
  return card;
}

/** What a stage made and refused itself: no part of the manifest, and nothing to decide about. */
function rejections(rejected) {
  const lines = rejected.map(({ maker, text, reason }) =>
    make("li", {}, make("span", { dir: "auto" }, text), " ", make("span.tag.accent", {}, maker), " ", make("span.tag", {}, reason)),
  );
  return make("details.rejected", {}, make("summary", {}, `${rejected.length} refused when captions were made`), make("ul", {}, lines));
}

/** The text, with the words that were put in and left out. */
function said({ text, difference }) {
  if (!difference) return [text];
  const names = { same: "span", added: "ins", removed: "del" };
  return difference.flatMap(([kind, words]) => [make(names[kind], {}, words), " "]);
}

/** What it was made from, where no difference shows it. */
function origin({ among, of, nearest }) {
  const others = of.filter((text) => text !== nearest);
  if (among === "captions" || !others.length) return null;
  return make("p.from", { dir: "auto" }, `${nearest ? "also from" : "from"}: ${others.join(" · ")}`);
}

function provenance(details) {
  const pairs = details.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { dir: "auto" }, value)]);
  return make("details", {}, make("summary", {}, "How it was made"), make("dl.pairs", {}, pairs));
}
