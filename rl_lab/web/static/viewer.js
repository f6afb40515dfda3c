// The viewer: its parts, put together.

import { Compare } from "./compare.js";
import { Curves } from "./curves.js";
import { RunList } from "./runs.js";
import { Start } from "./start.js";
import { Watch } from "./watch.js";
import { button, element, icon } from "./dom.js";
import { change, list, now, onChange } from "./address.js";
import { follow, get } from "./server.js";
import { learnWords, preferredLanguage, say, spoken } from "./words.js";

const VIEWS = ["curves", "watch", "compare", "start"];
const MOST_AT_FIRST = 100; // runs that are chosen when nobody has chosen
const WORDS = JSON.parse(document.getElementById("words").textContent);
let parts = {};

function applyTheme() {
  if (now("theme")) document.documentElement.dataset.theme = now("theme");
  else delete document.documentElement.dataset.theme;
  document.dispatchEvent(new Event("themechange"));
}

function build() {
  learnWords(WORDS, now("lang") || preferredLanguage(WORDS));
  const names = [];
  const agents = (name) => {
    if (!names.includes(name)) names.push(name);
    return names.indexOf(name);
  };
  const live = element("span", { class: "live", role: "status" });
  const nav = element("nav", { "aria-label": say("views") });
  const other = spoken() === "en" ? "fr" : "en";
  const header = element("header", { class: "top" }, element("h1", {}, "RL Lab"), nav, element("span", { class: "controls" }, live,
    button(other.toUpperCase(), say("language"), () => { change({ lang: other }); location.reload(); }),
    button(icon("theme"), say("theme"), () => {
      const dark = now("theme") ? now("theme") === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      change({ theme: dark ? "light" : "dark" });
    })));
  const aside = element("aside", { class: "runs", "aria-label": say("runs") });
  const sections = Object.fromEntries(VIEWS.map((view) => [view, element("section", { class: `view ${view}`, "aria-label": say(`view_${view}`) })]));
  document.getElementById("page").replaceChildren(header, element("div", { class: "layout" }, aside, element("main", {}, ...Object.values(sections))));
  document.title = "RL Lab";
  const runList = new RunList(aside, { agents, onWatch: (id) => change({ view: "watch", racers: [id], at: "", episode: "" }, { push: true }) });
  const runs = () => runList.runs;
  const curves = new Curves(sections.curves, {
    agents,
    known: (id) => runList.runs.has(id),
    onMoment: (hit) => {
      const episode = now("axis") === "episodes" && now("kind") === "training" ? hit.x : "";
      change({ racers: [hit.run], at: episode === "" ? Math.round(hit.steps) : "", episode, view: now("view") }, { push: true });
      sections.watch.scrollIntoView({ block: "start", behavior: "instant" });
    },
  });
  const watch = new Watch(sections.watch, { runs, agents });
  const compare = new Compare(sections.compare);
  const start = new Start(sections.start);
  parts = { runList, curves, watch, compare, start, nav, live, sections, agents };
  window.viewer = parts;
}

function showView() {
  const view = VIEWS.includes(now("view")) ? now("view") : "curves";
  parts.nav.replaceChildren(...VIEWS.map((one) => {
    const link = element("a", { href: "#", "aria-current": one === view ? "page" : null }, say(`view_${one}`));
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const racers = one === "watch" && !list("racers").length ? list("runs").slice(0, 1) : list("racers");
      change({ view: one, racers }, { push: true });
    });
    return link;
  }));
  for (const [name, section] of Object.entries(parts.sections)) {
    section.hidden = !(name === view || (name === "watch" && view === "curves" && list("racers").length > 0));
  }
  return view;
}

function changed(keys) {
  if (keys.has("theme")) applyTheme();
  if (keys.has("view") || keys.has("racers")) {
    const view = showView();
    if (keys.has("view") && view === "compare") parts.compare.open();
    if (keys.has("view") && view === "start") parts.start.open();
    if (keys.has("view") && view === "curves" && parts.curves.values) parts.curves.draw();
  }
  if (keys.has("runs")) {
    parts.runList.draw();
    if (now("view") === "compare") parts.compare.open();
  }
  parts.curves.changed(keys);
  parts.watch.changed(keys);
}

function chooseAtFirst(runs) {
  const known = new Set(runs.map((run) => run.id));
  if (list("runs").some((id) => known.has(id)) || !runs.length) return;
  const newest = runs.find((run) => run.state === "running") || runs[0];
  change({ runs: runs.filter((run) => run.experiment === newest.experiment && run.state !== "damaged").slice(0, MOST_AT_FIRST).map((run) => run.id) });
}

async function begin() {
  build();
  applyTheme();
  onChange(changed);
  showView();
  const values = await get("/api/runs");
  for (const name of [...new Set(values.runs.map((run) => run.agent))].sort()) parts.agents(name);
  parts.runList.set(values);
  const before = now("runs");
  chooseAtFirst(values.runs);
  if (now("runs") === before) parts.curves.load();
  if (list("racers").length) parts.watch.open();
  if (now("view") === "compare") parts.compare.open();
  if (now("view") === "start") parts.start.open();
  follow((message) => {
    const wasEmpty = parts.runList.runs.size === 0;
    parts.runList.update(message);
    parts.start.show(message.started);
    if (wasEmpty) chooseAtFirst([...parts.runList.runs.values()]);
    const chosen = new Set(list("runs"));
    if (message.changed.some((run) => chosen.has(run.id))) parts.curves.load();
    parts.watch.follow(message.changed);
  }, (connected) => { parts.live.textContent = connected ? say("live") : say("not_live"); parts.live.classList.toggle("off", !connected); });
}

begin().catch((error) => { document.getElementById("page").append(element("p", { class: "bad", role: "alert" }, error.message)); });
