// The view of curves: what is drawn, on which axes, and what a click on a curve opens.

import { Chart } from "./chart.js";
import { button, choice, colourOf, element, lookOf, swatch } from "./dom.js";
import { change, list, now } from "./address.js";
import { get } from "./server.js";
import { number, say, whole } from "./words.js";

const SMOOTHINGS = [1, 5, 10, 20, 50, 100, 500];
const LEVELS = { optimum: [], solved: [10, 4], floor: [2, 4] };

export class Curves {
  constructor(root, { agents, onMoment, known }) {
    this.known = known;
    this.root = root;
    this.agentIndex = agents;
    this.onMoment = onMoment;
    this.asked = 0;
    this.env = null; // of what is drawn
    this.values = null;
    this.build();
  }

  build() {
    const again = (key) => (value) => { change({ [key]: value, ...(key === "axis" ? { low: "", high: "" } : {}) }); };
    this.canvas = element("canvas", { class: "chart", tabindex: "0", role: "img" });
    const box = element("div", { class: "chart-box" }, this.canvas);
    this.chart = new Chart(this.canvas, {
      zoom: (zoom) => change(zoom ? { low: zoom[0].toPrecision(6), high: zoom[1].toPrecision(6) } : { low: "", high: "" }),
      click: (hit) => this.onMoment(hit),
    });
    this.kind = choice(say("kind"), [["evaluation", say("kind_evaluation")], ["training", say("kind_training")]], now("kind"), again("kind"));
    this.axis = choice(say("axis"), ["steps", "episodes", "seconds"].map((key) => [key, say(`axis_${key}`)]), now("axis"), again("axis"));
    this.smoothing = choice(say("smoothing"), SMOOTHINGS.map((count) => [count, count === 1 ? say("no_smoothing") : say("mean_of", { count })]), now("smoothing"), again("smoothing"));
    this.scale = choice(say("scale"), ["linear", "log_x", "log_y"].map((key) => [key, say(`scale_${key}`)]), now("scale"), again("scale"));
    this.faint = button(say("single_runs"), say("single_runs"), () => change({ faint: now("faint") === "1" ? "0" : "1" }), { "aria-pressed": String(now("faint") === "1") });
    this.envs = element("div", { class: "controls", role: "group", "aria-label": say("environments") });
    this.legend = element("ul", { class: "chart-legend" });
    this.said = element("p", { class: "said", role: "status" });
    this.table = element("details", { class: "chart-table" }, element("summary", {}, say("as_table")), element("div"));
    this.exports = element("div", { class: "controls" });
    this.root.replaceChildren(
      element("div", { class: "controls" }, this.kind, this.axis, this.smoothing, this.scale, this.faint,
        button(say("whole_axis"), say("whole_axis"), () => this.chart.setZoom(null))),
      this.envs, box, this.legend, this.said, this.table, this.exports);
  }

  changed(keys) {
    this.faint.setAttribute("aria-pressed", String(now("faint") === "1"));
    for (const [key, select] of [["kind", this.kind], ["axis", this.axis], ["smoothing", this.smoothing], ["scale", this.scale]]) select.value = now(key);
    this.smoothing.disabled = now("kind") !== "training";
    if (["runs", "kind", "axis", "smoothing", "low", "high"].some((key) => keys.has(key))) this.load();
    else if (["scale", "faint", "env"].some((key) => keys.has(key)) && this.values) this.draw();
  }

  async load() {
    const ids = list("runs").filter((id) => this.known(id));
    const lost = list("runs").length - ids.length;
    const asked = ++this.asked;
    this.smoothing.disabled = now("kind") !== "training";
    if (!ids.length) {
      this.values = { groups: [], scales: [], measure: "return" };
      this.draw();
      this.said.textContent = say("choose_runs");
      return;
    }
    try {
      const values = await get("/api/curves", {
        ids: ids.slice(0, 1000).join(","), kind: now("kind"), axis: now("axis"), smoothing: now("kind") === "training" ? now("smoothing") : 1,
        low: now("low"), high: now("high"), width: Math.min(2000, Math.max(200, Math.round(this.canvas.clientWidth || 800))),
      });
      if (asked !== this.asked) return; // another answer is on its way
      this.values = values;
      this.said.textContent = lost ? say("lost_runs", { count: whole(lost) }) : "";
      this.draw();
    } catch (error) { this.said.textContent = error.message; }
  }

  draw() {
    const { groups, scales, measure } = this.values;
    const envs = [...new Set(groups.map((group) => group.env))];
    this.env = envs.includes(now("env")) ? now("env") : envs[0] ?? null;
    this.envs.replaceChildren(...(envs.length > 1 ? envs.map((env) => button(env, env, () => change({ env }), { "aria-pressed": String(env === this.env) })) : []));
    const mine = groups.filter((group) => group.env === this.env);
    const several = new Set(mine.map((group) => group.experiment)).size > 1;
    const faint = now("faint") === "1";
    const series = mine.map((group) => {
      const index = this.agentIndex(group.agent);
      const lines = group.runs.map((run) => ({ ...run, name: `${group.agent}, ${say("seed")} ${run.seed}` }));
      return {
        name: several ? `${group.agent} (${group.experiment})` : group.agent, colour: colourOf(index), dash: lookOf(index).dash,
        count: group.runs.length, x: group.x, y: group.iqm, low: group.x.length ? group.low : null, high: group.high,
        faint: lines.map((line) => ({ ...line, hidden: !faint && group.x.length > 0 })),
      };
    });
    const scale = now("kind") === "evaluation" ? scales.find((one) => one.env === this.env) : null;
    const levels = scale ? [
      { y: scale.ceiling, name: scale.kind === "exact optimum" ? say("optimum_line") : scale.kind === "solved" ? say("solved_line") : say("given_line"), dash: scale.kind === "exact optimum" ? LEVELS.optimum : LEVELS.solved },
      { y: scale.floor, name: say("random_line"), dash: LEVELS.floor },
    ] : [];
    const label = now("kind") === "training" ? say("y_training") : measure === "-steps" ? say("y_steps") : say("y_return");
    this.chart.zoom = now("low") && now("high") ? [Number(now("low")), Number(now("high"))] : null;
    this.chart.show({ series, levels, labels: { x: say(`axis_${now("axis")}`), y: label }, logX: now("scale") === "log_x", logY: now("scale") === "log_y" });
    this.canvas.setAttribute("aria-label", `${this.env ?? ""}. ${this.chart.summary()}`);
    if (now("scale") === "log_y" && this.chart.ends.bottom <= 0) this.said.textContent = say("no_log_y");
    this.drawLegend(series);
    this.drawTable(series);
    this.drawExports();
  }

  drawLegend(series) {
    this.legend.replaceChildren(...series.map((one) => element("li", {}, swatch(one),
      `${one.name} (${one.count === 1 ? say("one_run") : say("iqm_of", { count: whole(one.count) })})`)));
  }

  drawTable(series) {
    const rows = series.flatMap((one) => {
      const line = one.x.length ? one : one.faint[0];
      if (!line || !line.x.length) return [];
      const last = line.x.length - 1;
      const places = [...new Set([0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(part * last)))];
      return places.map((at) => element("tr", {}, element("td", {}, one.name), element("td", {}, number(line.x[at], 6)), element("td", {}, number(line.y[at])),
        element("td", {}, one.low && one.low[at] !== null ? `${number(one.low[at])} … ${number(one.high[at])}` : "–")));
    });
    const head = element("tr", {}, ...[say("agent"), say(`axis_${now("axis")}`), say("value"), say("interval")].map((text) => element("th", { scope: "col" }, text)));
    this.table.lastChild.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  }

  drawExports() {
    const ids = list("runs");
    if (!ids.length || this.env === null) { this.exports.replaceChildren(); return; }
    const picture = (format) => button(format.toUpperCase(), say("export_as", { format: format.toUpperCase() }), async () => {
      this.said.textContent = say("drawing");
      try {
        const { picture } = await get("/api/figure", { ids: ids.join(","), env: this.env, format });
        element("a", { href: picture, download: `learning-curves.${format}` }).click();
        this.said.textContent = "";
      } catch (error) { this.said.textContent = error.message; }
    });
    const log = now("kind") === "training" ? "episodes" : "evaluations";
    const one = ids.length === 1 ? element("a", { class: "button", href: `/api/raw/${ids[0]}/${log}.csv`, download: `${log}.csv` }, say("raw_rows"))
      : element("span", { class: "soft" }, say("raw_of_one"));
    this.exports.replaceChildren(element("span", { class: "soft" }, say("export")), picture("png"), picture("svg"), one);
  }
}
