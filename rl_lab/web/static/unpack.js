// A recording's packed numbers (docs/recordings.md).

const UNKNOWN = 65535;

function bytesOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
}

export function counts(text) {
  return new Uint16Array(bytesOf(text));
}

export function hundredths(text) {
  return Float64Array.from(new Int16Array(bytesOf(text)), (code) => code / 100);
}

export function values(packed) {
  const width = packed.high - packed.low || 1;
  return Float64Array.from(counts(packed.codes), (code) =>
    code === UNKNOWN ? NaN : packed.low + (code / (UNKNOWN - 1)) * width);
}

export function levels(packed) {
  return Float64Array.from(counts(packed.codes), (code) => packed.levels[code]);
}

// An episode, with a number for each step.
export function unpackEpisode(episode, scene, numActions) {
  const length = episode.length;
  const reward = episode.rewards;
  const rewards = Array.isArray(reward) ? reward : Array(length).fill(reward);
  const actions = typeof episode.actions === "string" ? [...episode.actions].map(Number) : episode.actions;
  const lander = scene.kind === "lander";
  const states = lander ? hundredths(episode.states) : counts(episode.states);
  const returns = [0];
  for (const one of rewards) returns.push(returns[returns.length - 1] + one);
  const seen = episode.observations ? values(episode.observations) : null;
  const size = episode.observations?.size;
  const table = episode.values ? values(episode.values) : null;
  return {
    seed: episode.seed, scene: episode.scene, length, actions, rewards, returns, end: episode.end,
    success: episode.success,
    state: (step) => lander ? states.subarray(step * 9, step * 9 + 9) : states[step],
    observationAt: (step) => (seen ? [...seen.subarray(step * size, (step + 1) * size)] : null),
    valuesAt: (step) => table && step * numActions < table.length
      ? table.subarray(step * numActions, (step + 1) * numActions) : null,
  };
}
