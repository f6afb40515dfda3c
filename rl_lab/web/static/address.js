// The address is the whole state: a view can be bookmarked, and sent to oneself.

const DEFAULTS = {
  view: "curves", runs: "", kind: "evaluation", axis: "steps", smoothing: "1", scale: "linear", low: "", high: "",
  search: "", state: "", group: "experiment", sort: "name", hidden: "", env: "", racers: "", at: "", episode: "", number: "0", seed: "",
  lang: "", theme: "", faint: "1",
};
const listeners = [];
let state = read();

function read() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(Object.entries(DEFAULTS).map(([key, value]) => [key, given.get(key) ?? value]));
}

export function now(key) {
  return state[key];
}

export function list(key) {
  return state[key] ? state[key].split(",") : [];
}

export function change(values, { push = false } = {}) {
  const before = state;
  state = { ...state };
  for (const [key, value] of Object.entries(values)) {
    if (!(key in DEFAULTS)) throw new Error(`no such state: ${key}`);
    state[key] = Array.isArray(value) ? value.join(",") : String(value ?? "");
  }
  const query = new URLSearchParams(Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]));
  const address = `${location.pathname}${query.size ? `?${query}` : ""}`;
  push ? history.pushState(null, "", address) : history.replaceState(null, "", address);
  tell(before);
}

export function onChange(listener) {
  listeners.push(listener);
}

function tell(before) {
  const changed = new Set(Object.keys(DEFAULTS).filter((key) => before[key] !== state[key]));
  if (changed.size) for (const listener of listeners) listener(changed);
}

addEventListener("popstate", () => {
  const before = state;
  state = read();
  tell(before);
});
