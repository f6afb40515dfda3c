// What the player shows on its canvases: mazes, landers, pictures; one of each scene, or one of each track.

import { drawMaze, layout } from "./maze.js";
import { drawLander, drawMoon, endMoon, landerLayout } from "./lander.js";
import { cssColour, reducedMotion } from "./dom.js";
import { say } from "./words.js";

export function viewsOf(player) {
  const groups = new Map();
  for (const track of player.tracks) {
    const key = player.beside ? `t${track.index}` : `s${player.sceneIndex(track)}`;
    if (!groups.has(key)) groups.set(key, { scene: player.sceneIndex(track), tracks: [] });
    groups.get(key).tracks.push(track);
  }
  return [...groups.values()];
}

export function drawView(player, view, count) {
  const { scene, maze } = player.scenes[view.scene];
  const room = player.stage.clientWidth || 600;
  const across = Math.min(count, Math.max(1, Math.floor(room / 260)));
  const width = Math.max(160, Math.floor(room / across) - 12);
  const shape = maze ? maze.rows / maze.cols : scene.kind === "lander" ? 2 / 3 : scene.kind === "pictures" ? 0.75 : 0.15;
  const most = Math.max(220, Math.min(window.innerHeight * 0.62, 760));
  const height = Math.min(Math.round(width * shape) + 8, most);
  const ratio = window.devicePixelRatio || 1;
  const { canvas } = view;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  canvas.setAttribute("aria-label", `${player.recording.title}: ${view.tracks.map((track) => `${track.name}, ${player.sentence(track)}`).join("; ")}`);
  if (maze) drawMazeView(player, context, view, maze, width, height);
  else if (scene.kind === "lander") drawLanderView(player, context, view, scene, width, height);
  else if (scene.kind === "pictures") drawPicture(player, context, view, scene, width, height);
  else {
    context.fillStyle = cssColour("--ink");
    context.font = "15px system-ui";
    context.fillText(say("no_pictures"), 8, 24);
  }
}

function drawMazeView(player, context, view, maze, width, height) {
  view.place = layout(maze, width, height);
  const track = view.tracks.find((one) => one.index === player.chosen) || view.tracks[0];
  const table = player.tableOf(track);
  const now = player.shown(track).state(Math.min(player.step, player.shown(track).length));
  const held = (view.held = Math.floor(now / maze.cells));
  let visits = null;
  if (player.layers.visits) {
    visits = new Array(maze.cells).fill(0);
    const episode = player.shown(track);
    for (let step = 0; step <= Math.min(player.step, episode.length); step++) visits[episode.state(step) % maze.cells] += 1;
  }
  const changed = maze.walls.size > 0;
  const layers = {
    table: player.layers.values ? table : null, arrows: player.layers.arrows, numbers: player.layers.numbers, visits,
    way: player.layers.way && maze.successors ? maze.shortestWay(now) : null,
    broken: changed && table ? maze.brokenCells(table.greedy, held) : null,
  };
  const robots = view.tracks.map((one) => {
    const episode = player.shown(one);
    const step = Math.min(player.step, episode.length);
    const cell = episode.state(step) % maze.cells;
    let x = cell % maze.cols, y = Math.floor(cell / maze.cols);
    const part = player.clock - player.step;
    if (player.playing && part > 0 && step < episode.length && !reducedMotion()) {
      const next = episode.state(step + 1) % maze.cells;
      const dx = (next % maze.cols) - x, dy = Math.floor(next / maze.cols) - y;
      if (Math.abs(dx) + Math.abs(dy) === 1) { x += dx * part; y += dy * part; }
    }
    const trail = [];
    for (let at = Math.max(0, step - 40); at <= step; at++) trail.push(episode.state(at));
    const spread = view.tracks.length > 1 ? one.index - (view.tracks.length - 1) / 2 : 0;
    const look = player.look(one);
    return { x, y, trail, colour: look.colour, shape: look.shape, dash: look.dash, alpha: view.tracks.length > 1 && one !== track ? 0.82 : 1, shift: spread };
  });
  drawMaze(context, maze, view.place, layers, robots, held);
}

function drawLanderView(player, context, view, scene, width, height) {
  const place = landerLayout(scene, width, height);
  drawMoon(context, scene, place);
  for (const track of view.tracks) {
    const episode = player.shown(track), step = Math.min(player.step, episode.length);
    const trail = [];
    for (let at = 0; at <= step; at++) { const [x, y] = episode.state(at); trail.push([x, y]); }
    const look = { ...player.look(track), trail, alpha: view.tracks.length > 1 ? 0.85 : 1 };
    const firing = step < episode.length && player.clock > 0 ? episode.actions[Math.max(step - 1, 0)] : 0;
    drawLander(context, place, episode.state(step), Array.isArray(firing) ? (firing[0] > 0 ? 2 : 0) : firing, look);
  }
  endMoon(context);
}

function drawPicture(player, context, view, scene, width, height) {
  const episode = player.shown(view.tracks[0]);
  const source = scene.frames[episode.state(Math.min(player.step, episode.length))];
  if (!player.images.has(source)) {
    const image = new Image();
    image.onload = () => player.draw();
    image.src = source;
    player.images.set(source, image);
  }
  const image = player.images.get(source);
  if (!image.complete || !image.naturalWidth) return;
  const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight);
  const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
  context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
}
