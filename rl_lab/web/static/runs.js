// The list of runs: found, filtered, sorted, grouped, chosen, hidden, deleted.

import { button, choice, colourOf, element } from "./dom.js";
import { change, list, now } from "./address.js";
import { post } from "./server.js";
import { number, say, whole } from "./words.js";

const STATES = ["finished", "running", "pruned", "stopped", "failed", "damaged", "pending"];
const MARKS = { finished: "✓", running: "●", pruned: "✂", stopped: "‖", failed: "✕", damaged: "!", pending: "…" };
const ORDER = { running: 0, failed: 1, damaged: 2, stopped: 3, pending: 4, finished: 5 };

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return say("seconds", { count: whole(Math.max(0, seconds)) });
  if (seconds < 5400) return say("minutes", { count: whole(seconds / 60) });
  return say("hours", { count: number(seconds / 3600, 2) });
}

export class RunList {
  constructor(root, { agents, onWatch }) {
    this.root = root;
    this.agentIndex = agents;
    this.onWatch = onWatch;
    this.runs = new Map();
    this.open = new Set();
    this.unfolded = new Set(); // runs whose settings are shown
    this.held = false; // is something in the list being pressed? It is not drawn anew under the pointer
    this.folder = "";
    this.links = [];
    this.build();
  }

  build() {
    this.search = element("input", { type: "search", value: now("search"), placeholder: say("search"), "aria-label": say("search") });
    this.search.addEventListener("input", () => { change({ search: this.search.value }); this.draw(); });
    this.state = choice(say("run_state"), [["", say("any_state")], ...STATES.map((state) => [state, say(`state_${state}`)])], now("state"),
      (value) => { change({ state: value }); this.draw(); });
    this.group = choice(say("group_by"), ["experiment", "env", "agent", "none"].map((key) => [key, say(`group_${key}`)]), now("group"),
      (value) => { change({ group: value }); this.draw(); });
    this.sort = choice(say("sort_by"), ["name", "state", "share", "seconds"].map((key) => [key, say(`sort_${key}`)]), now("sort"),
      (value) => { change({ sort: value }); this.draw(); });
    this.count = element("p", { class: "count", role: "status" });
    this.body = element("div", { class: "groups" });
    this.notes = element("div", { class: "notes" });
    this.body.addEventListener("pointerdown", () => { this.held = true; });
    addEventListener("pointerup", () => setTimeout(() => { this.held = false; if (this.waiting) this.draw(); }));
    this.root.replaceChildren(
      element("h2", {}, say("runs")),
      element("div", { class: "filters" }, this.search, this.state, this.group, this.sort),
      this.count,
      element("div", { class: "controls" },
        button(say("select_all"), say("select_all"), () => change({ runs: this.visible().map((run) => run.id) })),
        button(say("select_none"), say("select_none"), () => change({ runs: [] })),
        button(say("delete"), say("delete_selected"), () => this.askToDelete())),
      this.body, this.notes);
  }

  set(values) {
    this.runs = new Map(values.runs.map((run) => [run.id, run]));
    this.folder = values.folder;
    this.links = values.links;
    this.draw();
  }

  update({ changed, gone }) {
    for (const run of changed) this.runs.set(run.id, run);
    for (const id of gone) this.runs.delete(id);
    this.draw();
  }

  visible() {
    const hidden = new Set(list("hidden"));
    const words = now("search").toLowerCase().split(/\s+/).filter(Boolean);
    const runs = [...this.runs.values()].filter((run) => {
      if (hidden.has(run.id) || (now("state") && run.state !== now("state"))) return false;
      const text = `${run.experiment} ${run.env} ${run.agent} seed-${run.seed} ${run.state} ${JSON.stringify(run.settings)} ${JSON.stringify(run.env_settings)}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const key = now("sort");
    const compare = {
      name: () => 0, state: (a, b) => ORDER[a.state] - ORDER[b.state], share: (a, b) => b.share - a.share, seconds: (a, b) => b.seconds - a.seconds,
    }[key] || (() => 0);
    const name = (run) => [run.experiment, run.env, run.agent, run.seed ?? -1];
    return runs.sort((a, b) => compare(a, b) || compareNames(name(a), name(b)));
  }

  draw() {
    this.waiting = this.held;
    if (this.held) return;
    const focused = this.body.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const runs = this.visible();
    const chosen = new Set(list("runs"));
    const running = runs.filter((run) => run.state === "running").length;
    this.count.textContent = say("run_count", { count: whole(runs.length), running: whole(running), chosen: whole(chosen.size) });
    const groups = new Map();
    for (const run of runs) {
      const by = now("group");
      const key = by === "none" ? say("all_runs") : by === "experiment" ? `${run.experiment} / ${run.env} / ${run.agent}` : run[by];
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(run);
    }
    this.body.replaceChildren(...[...groups].map(([key, members]) => this.groupElement(key, members, chosen, groups.size)));
    if (focused) this.body.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    const notes = [];
    const hidden = list("hidden").length;
    if (hidden) notes.push(element("p", {}, say("hidden_count", { count: whole(hidden) }), " ", button(say("show_hidden"), say("show_hidden"), () => { change({ hidden: [] }); this.draw(); })));
    if (this.links.length) notes.push(element("p", {}, say("links", { links: this.links.slice(0, 5).join(", ") })));
    if (!this.runs.size) notes.push(element("p", {}, say("no_runs", { folder: this.folder })));
    this.notes.replaceChildren(...notes);
  }

  groupElement(key, members, chosen, numGroups) {
    const count = members.filter((run) => chosen.has(run.id)).length;
    const box = element("input", { type: "checkbox", checked: count === members.length, indeterminate: count > 0 && count < members.length, "aria-label": say("select_group", { group: key }), "data-key": `group ${key}` });
    box.addEventListener("change", () => {
      const ids = new Set(list("runs"));
      for (const run of members) box.checked ? ids.add(run.id) : ids.delete(run.id);
      change({ runs: [...ids] });
    });
    const isOpen = this.open.has(key) || (numGroups === 1 && members.length <= 50 && !this.open.has(`-${key}`));
    const states = STATES.map((state) => [state, members.filter((run) => run.state === state).length]).filter(([, number]) => number);
    const colours = new Set(members.map((run) => run.agent));
    const swatch = colours.size === 1 ? this.swatch(members[0].agent) : null;
    const toggle = button(isOpen ? "▾" : "▸", say("open_group", { group: key }), () => {
      if (isOpen) { this.open.delete(key); this.open.add(`-${key}`); } else { this.open.add(key); this.open.delete(`-${key}`); }
      this.draw();
    }, { class: "plain", "aria-expanded": String(isOpen), "data-key": `open ${key}` });
    const running = members.filter((run) => run.state === "running");
    const share = members.reduce((sum, run) => sum + run.share, 0) / members.length;
    return element("div", { class: "group" },
      element("div", { class: "group-head" }, toggle, box, swatch, element("span", { class: "group-name" }, key),
        element("span", { class: "badges" }, ...states.map(([state, number]) => this.badge(state, number)))),
      running.length ? progress(share) : null,
      isOpen ? element("ul", { class: "rows" }, ...members.slice(0, 300).map((run) => this.row(run, chosen))) : null,
      isOpen && members.length > 300 ? element("p", {}, say("more_runs", { count: whole(members.length - 300) })) : null);
  }

  swatch(agent) {
    const mark = element("span", { class: "dot", "aria-hidden": "true" });
    mark.style.background = colourOf(this.agentIndex(agent));
    return mark;
  }

  badge(state, count) {
    return element("span", { class: `badge ${state}`, title: say(`state_${state}`) }, `${MARKS[state]} ${count === undefined ? say(`state_${state}`) : whole(count)}`);
  }

  row(run, chosen) {
    const box = element("input", { type: "checkbox", checked: chosen.has(run.id), "aria-label": `${run.agent} seed ${run.seed}`, "data-key": `choose ${run.id}` });
    box.addEventListener("change", () => {
      const ids = new Set(list("runs"));
      box.checked ? ids.add(run.id) : ids.delete(run.id);
      change({ runs: [...ids] });
    });
    const left = run.seconds_left === null ? "" : say("time_left", { time: duration(run.seconds_left) });
    const settings = element("pre", {}, [settingsText(run.env_settings), settingsText(run.settings), settingsText(run.budget), run.path, run.error || ""].filter(Boolean).join("\n"));
    return element("li", {}, element("div", { class: "row" }, box, element("span", { class: "row-name" }, `${run.agent} · ${run.env} · ${say("seed")} ${run.seed ?? "?"}`), this.badge(run.state),
      element("span", { class: "soft" }, `${whole(run.env_step)} ${say("unit_steps")} ${duration(run.seconds)} ${left}`)),
      run.state === "running" ? progress(run.share) : null,
      run.error ? element("p", { class: "bad" }, run.error) : null,
      element("div", { class: "row-tools" }, button(say("watch"), say("watch_run", { run: `${run.agent}, ${run.seed}` }), () => this.onWatch(run.id), { "data-key": `watch ${run.id}` }),
        button(say("hide"), say("hide_run", { run: `${run.agent}, ${run.seed}` }), () => {
          change({ hidden: [...list("hidden"), run.id], runs: list("runs").filter((id) => id !== run.id) });
          this.draw();
        }, { "data-key": `hide ${run.id}` }),
        this.details(run, settings)));
  }

  details(run, settings) {
    const made = element("details", { open: this.unfolded.has(run.id) }, element("summary", { "data-key": `settings ${run.id}` }, say("settings")), settings);
    made.addEventListener("toggle", () => { made.open ? this.unfolded.add(run.id) : this.unfolded.delete(run.id); });
    return made;
  }

  askToDelete() {
    const ids = list("runs").filter((id) => this.runs.has(id));
    if (!ids.length) { this.count.textContent = say("none_chosen"); return; }
    const dialog = element("dialog", { class: "ask", "aria-label": say("delete_selected") },
      element("p", {}, say("delete_question", { count: whole(ids.length) })),
      element("ul", {}, ...ids.slice(0, 8).map((id) => element("li", {}, this.runs.get(id).path)), ids.length > 8 ? element("li", {}, "…") : null),
      element("div", { class: "controls" },
        button(say("cancel"), say("cancel"), () => { dialog.close(); dialog.remove(); }),
        button(say("delete_yes"), say("delete_yes"), async () => {
          dialog.close();
          dialog.remove();
          try {
            await post("/api/trash", { ids, yes: true });
            change({ runs: list("runs").filter((id) => !ids.includes(id)) });
          } catch (error) { this.count.textContent = error.message; }
        }, { class: "main" })));
    document.body.append(dialog);
    dialog.showModal();
  }
}

function progress(share) {
  return element("progress", { max: 1, value: share, "aria-label": say("progress") });
}

function settingsText(values) {
  return Object.entries(values).map(([key, value]) => `${key} = ${typeof value === "string" ? value : JSON.stringify(value)}`).join("\n");
}

function compareNames(one, other) {
  for (let index = 0; index < one.length; index++) {
    if (one[index] !== other[index]) return typeof one[index] === "number" ? one[index] - other[index] : String(one[index]).localeCompare(String(other[index]));
  }
  return 0;
}
