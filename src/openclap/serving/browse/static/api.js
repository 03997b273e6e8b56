// What the page asks its server, and the words that the server's errors are told in.

/** The server could not do what it was asked; `kind` is the name of its error. */
export class ServerError extends Error {
  constructor(kind, reason) {
    super(reason);
    this.kind = kind;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("gone", "openclap does not answer: has the command ended?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ServerError(answer.error, answer.reason ?? `the server answered ${response.status}`);
  return answer;
}

const send = (path, values) =>
  ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(values) });

export const api = {
  manifest: () => ask("api/manifest"),
  clips: (query) => ask(`api/clips?${query}`),
  counts: (query) => ask(`api/counts?${query}`),
  clip: (place, signal) => ask(`api/clips/${place}`, { signal }),
  decide: (place, decision) => send(`api/clips/${place}/decision`, decision),
  export: (name, overwrite) => send("api/export", { name, overwrite }),
  sound: (place) => `api/clips/${place}/sound`,
  spectrogram: (place, columns) => `api/clips/${place}/spectrogram?columns=${columns}`,
};
