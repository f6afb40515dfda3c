// LunarLander in the browser, from the places and angles of its three bodies (Gymnasium's geometry, in world units).

import { cssColour } from "./dom.js";

const BODY = [[-14, 17], [-17, 0], [-17, -10], [17, -10], [17, 0], [14, 17]].map(([x, y]) => [x / 30, y / 30]);
const LEG = [[-2, -8], [2, -8], [2, 8], [-2, 8]].map(([x, y]) => [x / 30, y / 30]);

export function landerLayout(scene, width, height) {
  const scale = Math.min(width / scene.width, height / scene.height);
  const left = (width - scene.width * scale) / 2, bottom = (height + scene.height * scale) / 2;
  return { scale, at: (x, y) => [left + x * scale, bottom - y * scale], left, bottom };
}

export function drawMoon(context, scene, place) {
  const { scale, at } = place;
  const [left, top] = at(0, scene.height);
  context.fillStyle = cssColour("--sky");
  context.fillRect(left, top, scene.width * scale, scene.height * scale);
  context.save();
  context.beginPath();
  context.rect(left, top, scene.width * scale, scene.height * scale);
  context.clip();
  context.fillStyle = cssColour("--moon");
  context.beginPath();
  context.moveTo(...at(0, 0));
  for (const [x, y] of scene.ground) context.lineTo(...at(x, y));
  context.lineTo(...at(scene.width, 0));
  context.fill();
  const [x1, x2, y] = scene.pad;
  for (const x of [x1, x2]) {
    context.strokeStyle = "#fff";
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(...at(x, y));
    context.lineTo(...at(x, y + 50 / 30));
    context.stroke();
    context.fillStyle = "#e8d44d";
    context.beginPath();
    context.moveTo(...at(x, y + 50 / 30));
    context.lineTo(...at(x, y + 40 / 30));
    context.lineTo(...at(x + 25 / 30, y + 45 / 30));
    context.fill();
  }
}

export function endMoon(context) {
  context.restore();
}

// `bodies`: [x, y, angle] of the lander and of both legs; `firing`: the number of the engine, 0 for none.
export function drawLander(context, place, bodies, firing, look) {
  context.globalAlpha = look.alpha;
  context.strokeStyle = look.colour;
  context.lineWidth = 1.5;
  if (look.trail.length > 1) {
    context.setLineDash(look.dash);
    context.beginPath();
    for (const [x, y] of look.trail) context.lineTo(...place.at(x, y));
    context.stroke();
    context.setLineDash([]);
  }
  const flames = { 2: [[-0.13, -0.35], [0.13, -0.35], [0, -1.1]], 1: [[-0.5, 0.35], [-0.5, 0.15], [-0.95, 0.25]], 3: [[0.5, 0.35], [0.5, 0.15], [0.95, 0.25]] };
  if (flames[firing]) {
    context.fillStyle = "#ff9d2e";
    shape(context, place, flames[firing], bodies[0], bodies[1], bodies[2]);
    context.fill();
  }
  for (let body = 1; body < 3; body++) {
    shape(context, place, LEG, bodies[body * 3], bodies[body * 3 + 1], bodies[body * 3 + 2]);
    context.fillStyle = look.colour;
    context.fill();
  }
  shape(context, place, BODY, bodies[0], bodies[1], bodies[2]);
  context.fillStyle = look.colour;
  context.fill();
  context.strokeStyle = "#fff";
  context.lineWidth = 1;
  context.stroke();
  context.globalAlpha = 1;
}

function shape(context, place, points, x, y, angle) {
  const cos = Math.cos(angle), sin = Math.sin(angle);
  context.beginPath();
  for (const [px, py] of points) context.lineTo(...place.at(x + px * cos - py * sin, y + px * sin + py * cos));
  context.closePath();
}
