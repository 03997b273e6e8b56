// What filters and reasons are called on the page.

export const REASONS = {
  broken: "broken",
  "wrong-caption": "wrong caption",
  duplicate: "duplicate",
  noisy: "noisy",
  other: "other",
};

export const TITLES = {
  split: "Split",
  source: "Source",
  label: "Label",
  maker: "Captions by",
  has: "Has",
  lacks: "Has no",
  flag: "Flags",
};

const HAS = {
  captions: "people’s captions",
  labels: "labels",
  made: "made captions",
  negatives: "negative captions",
  length: "known length",
  problem: "unreadable sound",
};
const FLAGS = { any: "any flag", none: "no flag", captions: "dropped captions", ...REASONS };

/** A value of a filter, in words. */
export function valueName(name, value) {
  if (name === "has" || name === "lacks") return HAS[value] ?? value;
  if (name === "flag") return FLAGS[value] ?? value;
  if (name === "maker") return makerName(value);
  return value || "not stated";
}

/** A filter that is set, in words. */
export function filterName(name, value) {
  if (name === "q") return `“${value.trim()}”`;
  if (name === "min_s") return `at least ${value} s`;
  if (name === "max_s") return `at most ${value} s`;
  if (name === "has") return `has ${valueName(name, value)}`;
  if (name === "lacks") return `no ${valueName(name, value)}`;
  if (name === "flag") return valueName(name, value);
  return `${TITLES[name].toLowerCase()}: ${valueName(name, value)}`;
}

/** Who made a caption. */
export const makerName = (maker) => (maker === "original" ? "people" : maker || "nobody");
