// Asking the relay: JSON, by the cookie of who has signed in; what it refuses is an Error with its own words.

export class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

async function ask(method, path, body, signal) {
  const options = { method, signal, credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } };
  if (method !== "GET") {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body ?? {});
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Refused(0, "the relay does not answer");
  }
  let told = null;
  try {
    told = await answer.json();
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
  }
  if (!answer.ok) throw new Refused(answer.status, told?.error ?? `status ${answer.status}`);
  if (told === null) throw new Refused(answer.status, "the answer cannot be read");
  return told;
}

export const get = (path, signal) => ask("GET", path, null, signal);
export const post = (path, body, signal) => ask("POST", path, body, signal);
export const remove = (path) => ask("DELETE", path, {});

// Where something is: its parts encoded, its query without what is empty.
export const path = (parts, query = {}) => {
  const fields = new URLSearchParams(Object.entries(query).filter(([, each]) => each !== "" && each !== null && each !== undefined));
  return `/${parts.map(encodeURIComponent).join("/")}${String(fields) ? `?${fields}` : ""}`;
};

// The checks of /readyz, each with its reason; null while nobody answers. It is open to everybody, and no JSON.
export async function readiness(signal) {
  try {
    const answer = await fetch("/readyz?verbose", { signal, cache: "no-store" });
    const lines = (await answer.text()).trimEnd().split("\n");
    const checks = lines.slice(0, -1).map((line) => /^(ok|not ok) ([\w-]+)(?:: (.*))?/.exec(line)).filter(Boolean);
    return { ready: answer.status === 200, checks: checks.map(([, state, name, why]) => ({ ok: state === "ok", name, why: why ?? "" })) };
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    return null;
  }
}

// Ask now and again while the page is looked at; the next question comes after the last answer.
export function every(seconds, look, signal) {
  const turn = async () => {
    if (document.visibilityState === "visible") await look();
    if (!signal.aborted) timer = setTimeout(turn, seconds * 1000);
  };
  let timer = setTimeout(turn, seconds * 1000);
  signal.addEventListener("abort", () => clearTimeout(timer));
}
