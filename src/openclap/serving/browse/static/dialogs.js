// The two dialogs: exporting, and what the keys do.

import { grouped, make } from "./shared/dom.js";
import { keyName } from "./shared/keys.js";
import { api } from "./api.js";
import { REASONS } from "./words.js";

function dialog(title, content, actions) {
  const opened = make("dialog", { "aria-label": title }, make("h2", {}, title), content, make("div.actions", {}, actions));
  opened.addEventListener("close", () => opened.remove());
  document.body.append(opened);
  opened.showModal();
  return opened;
}

const closer = (name = "Close") =>
  make("button.button", { type: "button", onclick: (event) => event.target.closest("dialog").close() }, name);

/** Say what every key does. */
export function showHelp(bindings) {
  const pairs = bindings.flatMap(({ keys, says }) => [make("dt", {}, keys.map((key) => make("kbd", {}, keyName(key)))), make("dd", {}, says)]);
  dialog("Keys", make("dl", { id: "keys" }, pairs), [closer()]);
}

/** Ask for a name, and write the cleaned manifest; nothing is replaced before that was agreed to. */
export function showExport(manifest) {
  const name = make("input.field.wide", { id: "export-name", value: manifest.export, spellcheck: "false", autocomplete: "off" });
  const told = make("div", { role: "status" });
  const write = make("button.button.main", { type: "button", id: "write" }, "Write");
  let agreed = null; // the name whose files may be replaced
  const run = async () => {
    write.disabled = true;
    const asked = name.value.trim();
    try {
      const result = await api.export(asked, agreed === asked);
      agreed = result.exists ? asked : null;
      told.replaceChildren(result.exists ? make("p", {}, `${result.exists}. Replace it?`) : summary(result));
    } catch (error) {
      agreed = null;
      told.replaceChildren(make("p", {}, `Not written: ${error.message}`));
    }
    write.textContent = agreed === null ? "Write" : "Replace it";
    write.disabled = false;
  };
  write.addEventListener("click", run);
  name.addEventListener("input", () => {
    agreed = null;
    write.textContent = "Write";
    told.replaceChildren();
  });
  name.addEventListener("keydown", (event) => {
    if (event.key === "Enter") run();
  });
  dialog(
    "Export a cleaned manifest",
    make(
      "div", {},
      make("p.muted", {}, "Without the clips that are flagged and the captions that are dropped. The manifest itself stays as it is."),
      make("p", {}, make("label", { for: "export-name" }, `Written to ${manifest.folder} as`)),
      name, told,
    ),
    [closer(), write],
  );
  name.focus();
  name.setSelectionRange(0, name.value.indexOf("."));
}

function summary(result) {
  const flagged = Object.entries(result.flagged).map(([reason, count]) => `${grouped(count)} ${REASONS[reason]}`);
  const rows = [
    ["Clips kept", grouped(result.clips)],
    ["Left out", flagged.join(", ") || "none"],
    result.wordless ? ["Left without words", `${grouped(result.wordless)}, left out`] : null,
    ["Captions dropped", grouped(result.captions)],
    result.unknown ? ["Decisions about other clips", grouped(result.unknown)] : null,
    ["Manifest", result.path],
    ["Decisions", result.decisions],
  ].filter(Boolean);
  return make("dl.pairs", {}, rows.flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)]));
}
