// A maze in the browser: its model, in which the robot can be dropped and walls be drawn, and its picture.

import { counts, levels, values } from "./unpack.js";
import { cssColour, drawShape } from "./dom.js";
import { fixed } from "./words.js";

const UP = 0, RIGHT = 1, DOWN = 2, LEFT = 3;
const AHEAD = [[0, -1], [1, 0], [0, 1], [-1, 0]];
const KEYS = ["#b8860b", "#2e8b57", "#8a2be2", "#dc143c"];

export class Maze {
  constructor(scene) {
    this.scene = scene;
    this.rows = scene.rows;
    this.cols = scene.cols;
    this.cells = scene.rows * scene.cols;
    this.passages = [...scene.passages].map((digit) => parseInt(digit, 16));
    this.exits = new Set(scene.exits);
    this.pits = new Set(scene.pits);
    this.walls = new Set(); // drawn by hand: cell * 4 + direction, both sides
    if (scene.model) {
      this.successors = counts(scene.model.successors);
      this.rewards = levels(scene.model.rewards);
      this.ends = [...scene.model.ends].map(Number);
    }
    this.belief = null;
    if (scene.optimum) {
      this.optimum = { q: values(scene.optimum), greedy: scene.optimum.greedy, low: scene.optimum.low, high: scene.optimum.high };
    }
  }

  get canChange() {
    return Boolean(this.successors) && this.scene.wind.length === 0;
  }

  beyond(cell, direction) {
    const row = Math.floor(cell / this.cols) + AHEAD[direction][1];
    const col = (cell % this.cols) + AHEAD[direction][0];
    return row < 0 || col < 0 || row >= this.rows || col >= this.cols ? -1 : row * this.cols + col;
  }

  isOpen(cell, direction) {
    return Boolean(this.passages[cell] & (1 << direction)) && !this.walls.has(cell * 4 + direction);
  }

  toggleWall(cell, direction) {
    const other = this.beyond(cell, direction);
    if (other < 0 || !(this.passages[cell] & (1 << direction))) return false;
    const sides = [cell * 4 + direction, other * 4 + ((direction + 2) % 4)];
    const stands = this.walls.has(sides[0]);
    for (const side of sides) stands ? this.walls.delete(side) : this.walls.add(side);
    return true;
  }

  successor(state, direction) {
    const cell = state % this.cells;
    return this.walls.has(cell * 4 + direction) ? state : this.successors[state * 4 + direction];
  }

  // One move, as the environment makes it: slips included, drawn from `random`.
  move(state, action, random) {
    let direction = action;
    const slip = this.scene.slip;
    if (slip > 0) {
      const draw = random();
      if (draw >= 1 - slip) direction = (action + (draw < 1 - slip / 2 ? 1 : 3)) % 4;
    }
    const stopped = this.walls.has((state % this.cells) * 4 + direction);
    const next = stopped ? state : this.successors[state * 4 + direction];
    const reward = stopped ? this.scene.bump : this.rewards[state * 4 + direction];
    return { state: next, reward, end: this.ends[next] };
  }

  // Fewest moves to an exit from every state, as if nothing slipped; -1 where there is no way.
  distances() {
    const size = this.ends.length;
    const into = Array.from({ length: size }, () => []);
    for (let state = 0; state < size; state++) {
      if (this.ends[state]) continue;
      for (let direction = 0; direction < 4; direction++) into[this.successor(state, direction)].push(state);
    }
    const distances = new Int32Array(size).fill(-1);
    let front = [];
    for (let state = 0; state < size; state++) if (this.ends[state] === 1) { distances[state] = 0; front.push(state); }
    for (let far = 1; front.length; far++) {
      const next = [];
      for (const state of front) for (const before of into[state]) {
        if (distances[before] < 0) { distances[before] = far; next.push(before); }
      }
      front = next;
    }
    return distances;
  }

  // A digit a state: the move of a shortest way out, as the walls stand now; "." where there is none.
  wayOut() {
    const distances = this.distances();
    return Array.from(distances, (far, state) => {
      if (far <= 0) return ".";
      for (let direction = 0; direction < 4; direction++) if (distances[this.successor(state, direction)] === far - 1) return String(direction);
      return ".";
    }).join("");
  }

  shortestWay(state) {
    const distances = this.distances();
    const way = [state];
    while (distances[state] > 0) {
      for (let direction = 0; direction < 4; direction++) {
        const next = this.successor(state, direction);
        if (distances[next] === distances[state] - 1) { state = next; break; }
      }
      way.push(state);
    }
    return distances[way[0]] < 0 ? [] : way;
  }

  // The episode of a greedy table from a state on.
  play(greedy, start, random) {
    const states = [start], actions = [], rewards = [];
    const seen = new Set();
    let state = start, end = this.ends[start] ? "terminated" : "truncated", success = false;
    while (!this.ends[state] && actions.length < this.scene.limit) {
      if (greedy[state] === "." || greedy[state] === undefined) { end = "clueless"; break; }
      const action = Number(greedy[state]);
      if (this.scene.slip === 0 && seen.has(state)) { end = this.successor(state, action) === state ? "bumps" : "circles"; break; }
      seen.add(state);
      const moved = this.move(state, action, random);
      actions.push(action);
      rewards.push(moved.reward);
      states.push(moved.state);
      state = moved.state;
      if (moved.end) { end = "terminated"; success = moved.end === 1; }
    }
    const returns = [0];
    for (const one of rewards) returns.push(returns[returns.length - 1] + one);
    return {
      length: actions.length, actions, rewards, returns, end, success, seed: null,
      state: (step) => states[step], valuesAt: () => null, observationAt: () => null,
    };
  }

  // Cells in which the greedy move goes into a wall that was drawn: there the belief breaks.
  brokenCells(greedy, held) {
    const broken = [];
    for (let cell = 0; cell < this.cells; cell++) {
      const action = greedy[held * this.cells + cell];
      if (action !== "." && action !== undefined && this.walls.has(cell * 4 + Number(action))) broken.push(cell);
    }
    return broken;
  }
}

const STOPS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis

export function valueColour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const index = Math.min(Math.floor(place), STOPS.length - 2);
  const mix = STOPS[index].map((low, band) => Math.round(low + (place - index) * (STOPS[index + 1][band] - low)));
  return { text: mix[0] * 0.3 + mix[1] * 0.59 + mix[2] * 0.11 > 120 ? "#000" : "#fff", fill: `rgb(${mix.join(",")})` };
}

// Where a maze lies on a canvas: cells of `cell` pixels, with a margin.
export function layout(maze, width, height) {
  const below = maze.scene.wind.length ? 20 : 0; // the wind's strength stands there
  const cell = Math.max(2, Math.min((width - 8) / maze.cols, (height - 8 - below) / maze.rows));
  return { cell, left: (width - cell * maze.cols) / 2, top: (height - below - cell * maze.rows) / 2 };
}

export function cellAt(maze, place, x, y) {
  const col = (x - place.left) / place.cell, row = (y - place.top) / place.cell;
  if (col < 0 || row < 0 || col >= maze.cols || row >= maze.rows) return null;
  const edges = [row % 1, 1 - (col % 1), 1 - (row % 1), col % 1];
  const direction = edges.indexOf(Math.min(...edges));
  return { cell: Math.floor(row) * maze.cols + Math.floor(col), direction, near: Math.min(...edges) };
}

// Draws a maze. `layers`: { table, arrows, numbers, visits, way, broken }; `robots`: [{ x, y, colour, shape, trail, alpha }].
export function drawMaze(context, maze, place, layers, robots, held) {
  const { cell: size, left, top } = place;
  const corner = (cell) => [left + (cell % maze.cols) * size, top + Math.floor(cell / maze.cols) * size];
  const middle = (cell) => { const [x, y] = corner(cell); return [x + size / 2, y + size / 2]; };
  const ink = cssColour("--ink"), wall = cssColour("--wall"), floor = cssColour("--floor");
  context.fillStyle = floor;
  context.fillRect(left, top, size * maze.cols, size * maze.rows);

  if (layers.table) drawValues(context, maze, layers, held, corner, size);
  if (layers.visits) drawVisits(context, maze, layers.visits, middle, size);
  for (const cell of maze.pits) {
    const [x, y] = middle(cell);
    context.fillStyle = "#000";
    context.beginPath();
    context.arc(x, y, size * 0.36, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = "#888";
    context.lineWidth = 1;
    context.stroke();
  }
  for (const cell of maze.exits) drawExit(context, ...corner(cell), size);
  for (const cell of maze.scene.starts) {
    const [x, y] = corner(cell);
    context.strokeStyle = ink;
    context.setLineDash([3, 3]);
    context.lineWidth = 1.5;
    context.strokeRect(x + size * 0.12, y + size * 0.12, size * 0.76, size * 0.76);
    context.setLineDash([]);
  }
  maze.scene.wind.forEach((strength, col) => {
    if (!strength) return;
    context.fillStyle = ink;
    context.font = "13px system-ui";
    context.textAlign = "center";
    context.fillText(`${strength > 0 ? "↑" : "↓"}${Math.abs(strength)}`, left + (col + 0.5) * size, top + size * maze.rows + 17);
  });
  for (const [cell, number] of maze.scene.keys) {
    if ((held >> (number - 1)) & 1) continue;
    const [x, y] = middle(cell);
    letter(context, "abcd"[number - 1], x, y, size * 0.5, KEYS[number - 1], "circle");
  }
  drawWalls(context, maze, corner, size, wall, ink, held);
  if (layers.way && layers.way.length) {
    context.strokeStyle = cssColour("--way");
    context.lineWidth = Math.max(2, size * 0.1);
    context.setLineDash([size * 0.22, size * 0.16]);
    context.beginPath();
    for (const state of layers.way) context.lineTo(...middle(state % maze.cells));
    context.stroke();
    context.setLineDash([]);
  }
  for (const cell of layers.broken || []) {
    const [x, y] = middle(cell);
    context.strokeStyle = cssColour("--bad");
    context.lineWidth = Math.max(2, size * 0.09);
    context.beginPath();
    const far = size * 0.3;
    context.moveTo(x - far, y - far); context.lineTo(x + far, y + far);
    context.moveTo(x + far, y - far); context.lineTo(x - far, y + far);
    context.stroke();
  }
  for (const robot of robots) drawRobot(context, maze, robot, left, top, size, middle);
}

function drawValues(context, maze, layers, held, corner, size) {
  const { q, low, high, greedy } = layers.table;
  const width = high - low || 1;
  const first = held * maze.cells;
  for (let cell = 0; cell < maze.cells; cell++) {
    const state = first + cell;
    if (greedy[state] === "." || greedy[state] === undefined || maze.passages[cell] === 0 || maze.exits.has(cell)) continue;
    let best = -Infinity;
    for (let action = 0; action < 4; action++) if (q[state * 4 + action] > best) best = q[state * 4 + action];
    if (best === -Infinity) continue;
    const { fill, text } = valueColour((best - low) / width);
    const [x, y] = corner(cell);
    context.fillStyle = fill;
    context.fillRect(x, y, size + 0.5, size + 0.5);
    const numbers = layers.numbers && size >= 28;
    if (layers.arrows) arrow(context, x + size / 2, y + size * (numbers ? 0.34 : 0.5), size * (numbers ? 0.22 : 0.3), Number(greedy[state]), text);
    if (numbers) {
      context.fillStyle = text;
      context.font = `${Math.min(13, size * 0.27)}px system-ui`;
      context.textAlign = "center";
      context.fillText(shortNumber(best), x + size / 2, y + size * 0.82);
    }
  }
}

export function shortNumber(value) {
  return fixed(value, Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
}

function arrow(context, x, y, length, action, colour) {
  const [dx, dy] = AHEAD[action];
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1.2, length * 0.2);
  context.beginPath();
  context.moveTo(x - dx * length, y - dy * length);
  context.lineTo(x + dx * length, y + dy * length);
  const wing = length * 0.6;
  context.moveTo(x + dx * length - (dx + dy) * wing, y + dy * length - (dy + dx) * wing);
  context.lineTo(x + dx * length, y + dy * length);
  context.lineTo(x + dx * length - (dx - dy) * wing, y + dy * length - (dy - dx) * wing);
  context.stroke();
}

function drawVisits(context, maze, visits, middle, size) {
  const most = Math.log1p(Math.max(1, ...visits));
  context.fillStyle = cssColour("--way");
  for (let cell = 0; cell < maze.cells; cell++) {
    if (!visits[cell]) continue;
    context.beginPath();
    context.arc(...middle(cell), size * 0.32 * (Math.log1p(visits[cell]) / most), 0, 2 * Math.PI);
    context.fill();
  }
}

function drawExit(context, x, y, size) {
  const part = size / 4;
  for (let row = 0; row < 4; row++) for (let col = 0; col < 4; col++) {
    context.fillStyle = (row + col) % 2 ? "#fff" : "#1b7f3b";
    context.fillRect(x + col * part, y + row * part, part + 0.5, part + 0.5);
  }
}

function letter(context, text, x, y, size, colour, shape) {
  context.fillStyle = colour;
  drawShape(context, shape, x, y, size * 0.62);
  context.fill();
  context.fillStyle = "#fff";
  context.font = `bold ${Math.max(8, size * 0.85)}px system-ui`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y + size * 0.04);
  context.textBaseline = "alphabetic";
}

function drawWalls(context, maze, corner, size, colour, ink, held) {
  const doors = new Map(maze.scene.doors.map(([cell, way, number]) => [cell * 4 + way, number]));
  context.lineCap = "round";
  const letters = [];
  for (let cell = 0; cell < maze.cells; cell++) {
    const [x, y] = corner(cell);
    const ends = [[x, y, x + size, y], [x + size, y, x + size, y + size], [x, y + size, x + size, y + size], [x, y, x, y + size]];
    for (let way = 0; way < 4; way++) {
      const move = cell * 4 + way;
      const other = maze.beyond(cell, way);
      const open = Boolean(maze.passages[cell] & (1 << way));
      const back = other >= 0 && Boolean(maze.passages[other] & (1 << ((way + 2) % 4)));
      const door = doors.get(move);
      const [x1, y1, x2, y2] = ends[way];
      if (maze.walls.has(move) || (!open && !back)) {
        context.strokeStyle = maze.walls.has(move) ? cssColour("--bad") : colour;
        context.lineWidth = Math.max(1.5, size * 0.1);
        line(context, x1, y1, x2, y2);
      } else if (door && !((held >> (door - 1)) & 1)) {
        context.strokeStyle = KEYS[door - 1];
        context.lineWidth = Math.max(3, size * 0.16);
        line(context, x1, y1, x2, y2);
        if (way === DOWN || way === RIGHT) letters.push(["ABCD"[door - 1], (x1 + x2) / 2, (y1 + y2) / 2, size * 0.4, KEYS[door - 1], "square"]);
      } else if (open && !back && other >= 0) { // one way: a small arrow through it
        context.strokeStyle = colour;
        context.setLineDash([size * 0.12, size * 0.14]);
        context.lineWidth = Math.max(1.5, size * 0.08);
        line(context, x1, y1, x2, y2);
        context.setLineDash([]);
        arrow(context, (x1 + x2) / 2, (y1 + y2) / 2, size * 0.16, way, ink);
      }
    }
  }
  context.lineCap = "butt";
  for (const one of letters) letter(context, ...one);
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function drawRobot(context, maze, robot, left, top, size, middle) {
  const shift = robot.shift * size * 0.12;
  context.globalAlpha = robot.alpha;
  context.strokeStyle = robot.colour;
  context.setLineDash(robot.dash.map((length) => (length * size) / 30));
  context.lineWidth = Math.max(1.5, size * 0.08);
  context.beginPath();
  for (const state of robot.trail) {
    const [x, y] = middle(state % maze.cells);
    context.lineTo(x + shift, y + shift);
  }
  context.stroke();
  context.setLineDash([]);
  const x = left + (robot.x + 0.5) * size + shift, y = top + (robot.y + 0.5) * size + shift;
  context.fillStyle = robot.colour;
  drawShape(context, robot.shape, x, y, size * 0.3);
  context.fill();
  context.strokeStyle = "#fff";
  context.lineWidth = Math.max(1.5, size * 0.06);
  context.stroke();
  context.globalAlpha = 1;
}
