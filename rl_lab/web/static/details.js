// What the player tells in words and numbers: who is who, what was done, what each action is worth.

import { element, swatch } from "./dom.js";
import { named, number, say, whole } from "./words.js";
import { shortNumber, valueColour } from "./maze.js";

export function drawLegend(player) {
  const rows = player.tracks.map((track) => {
    const moment = player.momentOf(track);
    const trained = moment.env_step === null || track.kind !== "agent" ? "" : say("after_steps", { steps: whole(moment.env_step) });
    return element("li", { class: track.index === player.chosen && player.tracks.length > 1 ? "chosen" : "" }, swatch(player.look(track)),
      element("span", {}, element("b", {}, track.name), trained && ` ${trained}`, element("br"), player.sentence(track)));
  });
  player.legend.replaceChildren(element("ul", {}, ...rows));
}

export function drawDetails(player) {
  const track = player.tracks[Math.min(player.chosen, player.tracks.length - 1)];
  const episode = player.shown(track), step = Math.min(player.step, episode.length);
  const maze = player.mazeOf(track), state = episode.state(step);
  const rows = [];
  if (maze) {
    const cell = state % maze.cells, held = Math.floor(state / maze.cells);
    rows.push([say("state"), `${state} (${say("cell_at", { row: Math.floor(cell / maze.cols), col: cell % maze.cols })}${held ? `, ${say("holds")} ${"abcd".split("").filter((_, bit) => (held >> bit) & 1).join(" ")}` : ""})`]);
  } else if (player.scenes[player.sceneIndex(track)].scene.kind === "lander") {
    rows.push([say("place"), `x = ${number(state[0], 3)}, y = ${number(state[1], 3)}, ${say("angle")} ${number((state[2] * 180) / Math.PI, 3)}°`]);
  }
  const observed = episode.observationAt(step);
  if (observed) rows.push([say("observation"), observed.map((one) => number(Math.abs(one) < 1e-3 ? 0 : one, 3)).join("   ")]);
  const action = step > 0 ? episode.actions[step - 1] : null;
  rows.push([say("action"), action === null ? "–" : actionName(player, action)]);
  rows.push([say("reward"), step > 0 ? number(episode.rewards[step - 1]) : "–"]);
  rows.push([say("return"), number(episode.returns[step])]);
  if (episode.seed !== null) rows.push([say("seed"), String(episode.seed)]);
  const list = element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  player.details.replaceChildren(list, bars(player, track, episode, step, maze, state));
}

function actionName(player, action) {
  const name = player.recording.actions[action];
  if (Array.isArray(action)) return action.map((one) => number(one, 3)).join(", ");
  return name === undefined ? String(action) : named(name);
}

// The values of each action now, as bars.
function bars(player, track, episode, step, maze, state) {
  const table = player.tableOf(track);
  let now = episode.valuesAt(step);
  if (table && maze) now = table.q.subarray(state * 4, state * 4 + 4);
  if (!now || ![...now].some(Number.isFinite)) return element("div", { class: "bars" });
  const known = [...now].filter(Number.isFinite);
  const low = Math.min(...known), high = Math.max(...known), width = high - low || 1;
  const rows = [...now].map((value, action) => {
    const best = value === high;
    const share = Number.isFinite(value) ? 8 + (92 * (value - low)) / width : 0;
    const filled = element("span", { class: "fill" });
    filled.style.width = `${share}%`;
    filled.style.background = valueColour((value - low) / width).fill;
    return element("div", { class: best ? "bar best" : "bar" }, element("span", { class: "name" }, actionName(player, action)),
      element("span", { class: "track" }, filled), element("span", { class: "value" }, Number.isFinite(value) ? shortNumber(value) : "–"));
  });
  return element("div", { class: "bars", "aria-label": say("values_now"), role: "group" }, element("h3", {}, say("values_now")), ...rows);
}
