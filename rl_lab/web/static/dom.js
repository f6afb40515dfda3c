// Elements, made in a line. Texts are set as text: nothing of a run's files is ever HTML.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function button(text, label, action, attributes = {}) {
  return element("button", { type: "button", title: label, "aria-label": label, onclick: action, ...attributes }, text);
}

// Icons of the playback buttons, as outlines: no font need have them.
const ICONS = {
  play: "M6 4l14 8-14 8z", pause: "M6 4h4v16H6zM14 4h4v16h-4z", start: "M5 4h3v16H5zM20 4v16L9 12z", end: "M16 4h3v16h-3zM4 4l11 8-11 8z",
  back: "M15 4v16L5 12z", forward: "M9 4l10 8-10 8z", undo: "M12 5V1L6 7l6 6V9a5 5 0 1 1-5 5H4a8 8 0 1 0 8-9z",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18v-2a7 7 0 0 0 0-14z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", width: "16", height: "16", "aria-hidden": "true" })) svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill", "currentColor");
  svg.append(path);
  return svg;
}

export function choice(label, options, chosen, action) {
  const select = element("select", { "aria-label": label, title: label });
  for (const [value, text] of options) {
    select.append(element("option", { value: String(value), selected: String(value) === String(chosen) }, text));
  }
  select.addEventListener("change", () => action(select.value));
  return select;
}

// Colours that colour-blind people tell apart (Okabe and Ito), each with a shape and a dash pattern of its own.
export const LOOKS = [
  { colour: "#0072b2", dark: "#56b4e9", shape: "circle", dash: [] },
  { colour: "#d55e00", dark: "#ff8c42", shape: "square", dash: [8, 4] },
  { colour: "#00795a", dark: "#2fc49a", shape: "triangle", dash: [2, 3] },
  { colour: "#a84f85", dark: "#e29ac4", shape: "diamond", dash: [10, 3, 2, 3] },
  { colour: "#8a6d00", dark: "#f0c948", shape: "cross", dash: [5, 2] },
  { colour: "#5b5b5b", dark: "#b8b8b8", shape: "circle", dash: [1, 2] },
  { colour: "#332288", dark: "#b3a6ff", shape: "square", dash: [] },
  { colour: "#882255", dark: "#ff8fc0", shape: "triangle", dash: [8, 4] },
  { colour: "#44661f", dark: "#b6d97a", shape: "diamond", dash: [2, 3] },
  { colour: "#8c3b00", dark: "#d9a273", shape: "cross", dash: [10, 3, 2, 3] },
];

// Beyond ten, colours meet other dashes and shapes.
export function lookOf(index) {
  const other = LOOKS[(index + Math.floor(index / LOOKS.length)) % LOOKS.length];
  return { ...LOOKS[index % LOOKS.length], dash: other.dash, shape: other.shape };
}

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function colourOf(index) {
  return isDark() ? lookOf(index).dark : lookOf(index).colour;
}

export function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function reducedMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

// A piece of a line as a legend shows it, with its shape where it has one.
export function swatch({ colour, dash, shape }) {
  const canvas = element("canvas", { class: "swatch", width: 44, height: 36, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  context.fillStyle = context.strokeStyle = colour;
  context.lineWidth = 5;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(0, 18);
  context.lineTo(44, 18);
  context.stroke();
  if (shape) {
    drawShape(context, shape, 22, 18, 11);
    context.fill();
  }
  return canvas;
}

export function drawShape(context, shape, x, y, radius) {
  context.beginPath();
  const corners = { square: 4, triangle: 3, diamond: 4, star: 5 }[shape];
  if (!corners && shape !== "cross") context.arc(x, y, radius, 0, 2 * Math.PI);
  else if (shape === "cross") {
    const w = radius * 0.38;
    for (const [dx, dy] of [[-w, -radius], [w, -radius], [w, -w], [radius, -w], [radius, w], [w, w], [w, radius],
      [-w, radius], [-w, w], [-radius, w], [-radius, -w], [-w, -w]]) context.lineTo(x + dx, y + dy);
  } else {
    const points = shape === "star" ? 10 : corners;
    const turn = shape === "square" ? Math.PI / 4 : 0;
    for (let corner = 0; corner < points; corner++) {
      const angle = turn - Math.PI / 2 + (2 * Math.PI * corner) / points;
      const far = shape === "star" && corner % 2 ? radius * 0.5 : radius * (shape === "square" ? 1.15 : 1.1);
      context.lineTo(x + far * Math.cos(angle), y + far * Math.sin(angle));
    }
  }
  context.closePath();
}
