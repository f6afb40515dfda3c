// A chart on a canvas: lines with bands, faint lines behind them, level lines; hover, zoom, click, keys.
//
// A series: { id, name, colour, dash, x, y, low, high, faint: [{ id, x, y, steps }] }; a level: { y, name, dash }.

import { cssColour } from "./dom.js";
import { number, say, told, whole } from "./words.js";

const NEAR = 60; // pixels above or below a line within which it is meant
const MARGIN = { left: 62, right: 26, top: 12, bottom: 40 };

export class Chart {
  // `on`: { zoom(low, high), click({ series, run, x, y, steps }) }
  constructor(canvas, on) {
    this.canvas = canvas;
    this.on = on;
    this.series = [];
    this.levels = [];
    this.labels = { x: "", y: "" };
    this.zoom = null; // [low, high] of the axis
    this.logX = this.logY = false;
    this.cursor = null; // { x, y } in pixels
    this.drag = null;
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    canvas.addEventListener("pointerleave", () => { if (!this.drag) { this.cursor = null; this.draw(); } });
    canvas.addEventListener("pointerdown", (event) => this.pressed(event));
    canvas.addEventListener("pointerup", (event) => this.released(event));
    canvas.addEventListener("dblclick", () => { clearTimeout(this.clicking); this.setZoom(null); });
    canvas.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    document.addEventListener("themechange", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show({ series, levels, labels, logX, logY }) {
    this.series = series;
    this.levels = levels;
    this.labels = labels;
    this.logX = logX;
    this.logY = logY;
    this.draw();
  }

  // -- ends of the axes -------------------------------------------------------------------------------------

  extent() {
    let low = Infinity, high = -Infinity, bottom = Infinity, top = -Infinity, span = [Infinity, -Infinity];
    for (const one of this.series) {
      for (const line of [one, ...one.faint]) {
        for (let i = 0; i < line.x.length; i++) {
          const x = line.x[i], y = line.y[i];
          if (y === null || (this.logX && x <= 0)) continue;
          span = [Math.min(span[0], x), Math.max(span[1], x)];
          if (this.zoom && (x < this.zoom[0] || x > this.zoom[1])) continue;
          low = Math.min(low, x); high = Math.max(high, x);
          bottom = Math.min(bottom, y); top = Math.max(top, y);
        }
      }
    }
    if (low > high) [low, high, bottom, top] = [span[0] < span[1] ? span[0] : this.logX ? 1 : 0, span[0] < span[1] ? span[1] : 10, 0, 1];
    if (this.zoom) [low, high] = this.zoom;
    if (this.logX) low = Math.max(low, 1e-9);
    const height = top - bottom || 1;
    for (const level of this.levels) { // seen where it is not far away
      if (level.y <= top + height && level.y > top) top = level.y;
      if (level.y >= bottom - height * 0.6 && level.y < bottom) bottom = level.y;
    }
    if (top === bottom) { top += 1; bottom -= 1; }
    if (high === low) high = low + 1;
    if (this.logY && bottom > 0) return { low, high, bottom: bottom / 1.1, top: top * 1.1 };
    const room = (top - bottom) * 0.06;
    return { low, high, bottom: bottom - room, top: top + room };
  }

  prepare() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(240, this.canvas.parentElement.clientWidth);
    const height = Math.max(220, Math.min(900, Math.round(width * 0.52), Math.round(window.innerHeight * 0.6)));
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    this.width = width;
    this.height = height;
    const ends = (this.ends = this.extent());
    const w = width - MARGIN.left - MARGIN.right, h = height - MARGIN.top - MARGIN.bottom;
    const mapX = this.logX ? Math.log10 : (value) => value, mapY = this.logY && ends.bottom > 0 ? Math.log10 : (value) => value;
    const [x0, x1, y0, y1] = [mapX(ends.low), mapX(ends.high), mapY(ends.bottom), mapY(ends.top)];
    this.px = (x) => MARGIN.left + ((mapX(x) - x0) / (x1 - x0)) * w;
    this.py = (y) => MARGIN.top + (1 - (mapY(y) - y0) / (y1 - y0)) * h;
    this.atPixel = (x) => {
      const value = x0 + ((x - MARGIN.left) / w) * (x1 - x0);
      return this.logX ? 10 ** value : value;
    };
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  // -- drawing ------------------------------------------------------------------------------------------------

  draw() {
    const context = this.prepare();
    context.font = "12px system-ui, sans-serif";
    this.drawAxes(context);
    context.save();
    context.beginPath();
    context.rect(MARGIN.left, MARGIN.top, this.width - MARGIN.left - MARGIN.right, this.height - MARGIN.top - MARGIN.bottom);
    context.clip();
    this.drawLevels(context);
    for (const one of this.series) this.drawBand(context, one);
    for (const one of this.series) for (const line of one.faint) {
      if (line.hidden) continue;
      this.drawLine(context, line, { colour: one.colour, dash: [], width: 1, alpha: one.x.length ? 0.28 : 0.9 });
      if (!one.x.length) this.drawLine(context, line, { colour: one.colour, dash: one.dash, width: 2.2, alpha: 1 });
    }
    for (const one of this.series) this.drawLine(context, one, { colour: one.colour, dash: one.dash, width: 2.4, alpha: 1 });
    context.restore();
    this.drawLevelNames(context);
    if (this.drag) this.drawDrag(context);
    else if (this.cursor) this.drawCursor(context);
  }

  drawAxes(context) {
    const { low, high, bottom, top } = this.ends;
    const ink = cssColour("--soft"), line = cssColour("--line");
    context.strokeStyle = line;
    context.fillStyle = ink;
    context.lineWidth = 1;
    context.textAlign = "center";
    for (const x of this.logX ? logTicks(low, high) : ticks(low, high, Math.max(3, this.width / 110))) {
      this.stroke(context, this.px(x), MARGIN.top, this.px(x), this.height - MARGIN.bottom);
      context.fillText(short(x), this.px(x), this.height - MARGIN.bottom + 16);
    }
    context.textAlign = "right";
    for (const y of this.logY && bottom > 0 ? logTicks(bottom, top) : ticks(bottom, top, Math.max(3, this.height / 60))) {
      this.stroke(context, MARGIN.left, this.py(y), this.width - MARGIN.right, this.py(y));
      context.fillText(short(y), MARGIN.left - 6, this.py(y) + 4);
    }
    context.textAlign = "center";
    context.fillText(this.labels.x, MARGIN.left + (this.width - MARGIN.left - MARGIN.right) / 2, this.height - 6);
    context.save();
    context.translate(13, MARGIN.top + (this.height - MARGIN.top - MARGIN.bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(this.labels.y, 0, 0);
    context.restore();
  }

  stroke(context, x1, y1, x2, y2) {
    context.beginPath();
    context.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
    context.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
    context.stroke();
  }

  drawLevels(context) {
    for (const level of this.levels) {
      context.strokeStyle = cssColour("--soft");
      context.lineWidth = 1.4;
      context.setLineDash(level.dash);
      this.stroke(context, MARGIN.left, this.py(level.y), this.width - MARGIN.right, this.py(level.y));
      context.setLineDash([]);
    }
  }

  drawLevelNames(context) {
    context.textAlign = "right";
    context.fillStyle = cssColour("--ink");
    for (const level of this.levels) {
      const y = this.py(level.y);
      if (y < MARGIN.top || y > this.height - MARGIN.bottom) continue;
      context.fillText(`${level.name} ${number(level.y)}`, this.width - MARGIN.right - 4, y > MARGIN.top + 16 ? y - 5 : y + 14);
    }
  }

  drawBand(context, one) {
    if (!one.low) return;
    context.fillStyle = one.colour;
    context.globalAlpha = 0.16;
    context.beginPath();
    let begun = false;
    const back = [];
    for (let i = 0; i < one.x.length; i++) {
      if (one.low[i] === null || (this.logX && one.x[i] <= 0)) continue;
      const x = this.px(one.x[i]);
      begun ? context.lineTo(x, this.py(one.high[i])) : context.moveTo(x, this.py(one.high[i]));
      begun = true;
      back.push([x, this.py(one.low[i])]);
    }
    for (const [x, y] of back.reverse()) context.lineTo(x, y);
    context.fill();
    context.globalAlpha = 1;
  }

  drawLine(context, line, { colour, dash, width, alpha }) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = width;
    context.globalAlpha = alpha;
    context.setLineDash(dash);
    context.lineJoin = "round";
    context.beginPath();
    let pen = false, count = 0, last = null;
    for (let i = 0; i < line.x.length; i++) {
      const x = line.x[i], y = line.y[i];
      if (y === null || (this.logX && x <= 0)) { pen = false; continue; }
      last = [this.px(x), this.py(y)];
      pen ? context.lineTo(...last) : context.moveTo(...last);
      pen = true;
      count += 1;
    }
    context.stroke();
    context.setLineDash([]);
    if (count === 1) {
      context.beginPath();
      context.arc(...last, 3, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  drawDrag(context) {
    const [from, to] = [Math.min(this.drag.from, this.drag.to), Math.max(this.drag.from, this.drag.to)];
    context.fillStyle = cssColour("--accent");
    context.globalAlpha = 0.18;
    context.fillRect(from, MARGIN.top, to - from, this.height - MARGIN.top - MARGIN.bottom);
    context.globalAlpha = 1;
  }

  drawCursor(context) {
    const x = this.cursor.x;
    context.strokeStyle = cssColour("--soft");
    context.lineWidth = 1;
    this.stroke(context, x, MARGIN.top, x, this.height - MARGIN.bottom);
    const value = this.atPixel(x);
    const rows = [[told(this.labels.x, value >= 100 ? whole(value) : number(value, 3)), null]];
    for (const one of this.series) {
      const line = one.x.length ? one : one.faint[0];
      const index = line ? nearest(line.x, value) : -1;
      if (index < 0 || line.y[index] === null) continue;
      const y = this.py(line.y[index]), px = this.px(line.x[index]);
      context.fillStyle = one.colour;
      context.beginPath();
      context.arc(px, y, 4, 0, 2 * Math.PI);
      context.fill();
      const band = one.low && one.low[index] !== null ? ` [${number(one.low[index])}, ${number(one.high[index])}]` : "";
      rows.push([told(one.name, number(line.y[index]) + band), one.colour]);
    }
    const hit = this.hit(x, this.cursor.y);
    if (hit && hit.off < NEAR) rows.push([say("click_to_watch", { run: hit.runName, at: `${hit.x >= 100 ? whole(hit.x) : number(hit.x, 3)} ${this.labels.x}` }), null]);
    this.drawBox(context, rows.slice(0, 12), x);
  }

  drawBox(context, rows, x) {
    const width = Math.min(this.width - 20, 22 + Math.max(...rows.map(([text]) => context.measureText(text).width)));
    const left = x + 14 + width > this.width ? Math.max(4, x - 14 - width) : x + 14;
    context.fillStyle = cssColour("--card");
    context.strokeStyle = cssColour("--line");
    context.beginPath();
    context.roundRect(left, MARGIN.top + 4, width, rows.length * 17 + 10, 6);
    context.fill();
    context.stroke();
    context.textAlign = "left";
    rows.forEach(([text, colour], index) => {
      const y = MARGIN.top + 21 + index * 17;
      if (colour) { context.fillStyle = colour; context.fillRect(left + 6, y - 8, 8, 8); }
      context.fillStyle = cssColour("--ink");
      context.fillText(text, left + (colour ? 18 : 6), y, width - 22);
    });
  }

  // -- pointing -----------------------------------------------------------------------------------------------

  // The point of a run that is meant at a pixel: that of the nearest line.
  hit(x, y) {
    const value = this.atPixel(x);
    let best = null;
    for (const series of this.series) for (const line of series.faint) {
      const index = nearest(line.x, value);
      if (index < 0) continue;
      const off = Math.abs(this.heightAt(line, value) - y);
      const far = off + 0.3 * Math.abs(this.px(line.x[index]) - x);
      if (!best || far < best.far) best = { far, off, series, run: line.id, runName: line.name, x: line.x[index], y: line.y[index], steps: line.steps[index] };
    }
    return best;
  }

  // The pixel at which a line passes a place of the axis.
  heightAt(line, value) {
    const after = line.x.findIndex((x) => x >= value);
    if (after <= 0) return this.py(line.y[after === 0 ? 0 : line.y.length - 1]);
    const share = (value - line.x[after - 1]) / (line.x[after] - line.x[after - 1] || 1);
    const low = this.py(line.y[after - 1]), high = this.py(line.y[after]);
    return low + share * (high - low);
  }

  place(event) {
    const bounds = this.canvas.getBoundingClientRect();
    return { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
  }

  moved(event) {
    const at = this.place(event);
    if (this.drag) this.drag.to = at.x;
    this.cursor = at;
    this.draw();
  }

  pressed(event) {
    if (event.button !== 0) return;
    const { x } = this.place(event);
    this.drag = { from: x, to: x };
    this.canvas.setPointerCapture(event.pointerId);
  }

  released(event) {
    if (!this.drag) return;
    const { from, to } = this.drag;
    this.drag = null;
    const at = this.place(event);
    if (Math.abs(to - from) > 8) this.setZoom([this.atPixel(Math.min(from, to)), this.atPixel(Math.max(from, to))]);
    else {
      const hit = this.hit(at.x, at.y);
      clearTimeout(this.clicking); // a double click shows the whole axis, and opens nothing
      if (hit && hit.off < NEAR) this.clicking = setTimeout(() => this.on.click(hit), 250);
    }
    this.draw();
  }

  wheeled(event) {
    if (!event.ctrlKey && !event.shiftKey) return; // the page scrolls
    event.preventDefault();
    this.zoomBy((event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8, this.place(event).x);
  }

  zoomBy(factor, x = (MARGIN.left + this.width) / 2) {
    const [left, right] = [MARGIN.left, this.width - MARGIN.right];
    this.setZoom([this.atPixel(x - (x - left) * factor), this.atPixel(x + (right - x) * factor)]);
  }

  setZoom(zoom) {
    this.zoom = zoom;
    this.draw();
    this.on.zoom(zoom);
  }

  key(event) {
    const width = this.width - MARGIN.left - MARGIN.right;
    const x = this.cursor ? this.cursor.x : MARGIN.left + width / 2;
    const moves = { ArrowLeft: -width / 50, ArrowRight: width / 50, PageUp: -width / 5, PageDown: width / 5 };
    if (moves[event.key] !== undefined) {
      const next = Math.min(Math.max(x + moves[event.key], MARGIN.left), MARGIN.left + width);
      this.cursor = { x: next, y: this.cursor ? this.cursor.y : this.height / 2 };
    } else if (["ArrowUp", "ArrowDown"].includes(event.key)) {
      this.cursor = { x, y: (this.cursor ? this.cursor.y : this.height / 2) + (event.key === "ArrowUp" ? -12 : 12) };
    } else if (event.key === "Enter" && this.cursor) {
      const hit = this.hit(this.cursor.x, this.cursor.y);
      if (hit) this.on.click(hit);
    } else if (event.key === "+") this.zoomBy(0.8, x);
    else if (event.key === "-") this.zoomBy(1.25, x);
    else if (event.key === "0" || event.key === "Escape") this.setZoom(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.draw();
  }

  // What a reader who does not see the chart is told.
  summary() {
    const parts = this.series.map((one) => {
      const line = one.x.length ? one : one.faint[0];
      if (!line || !line.x.length) return say("chart_empty", { name: one.name });
      const last = line.x.length - 1;
      return say("chart_line", { name: one.name, first: number(line.y[0]), last: number(line.y[last]), from: whole(line.x[0]), to: whole(line.x[last]) });
    });
    return `${this.labels.y}, ${this.labels.x}. ${parts.join(". ")}`;
  }
}

export function nearest(values, wanted) {
  if (!values.length) return -1;
  let low = 0, high = values.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low > 0 && wanted - values[low - 1] < values[low] - wanted ? low - 1 : low;
}

function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => power * factor >= rough);
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) found.push(Number((index * step).toPrecision(12)));
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    const value = 10 ** power;
    if (value >= low && value <= high) found.push(value);
  }
  return found.length > 1 ? found : ticks(low, high, 4);
}

function short(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${number(value / 1e9)}G`;
  if (size >= 1e6) return `${number(value / 1e6)}M`;
  if (size >= 1e4) return `${number(value / 1e3)}k`;
  return number(value);
}
