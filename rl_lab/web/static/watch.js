// The view that plays: any moment of any run, on any seed; several runs in step.

import { Player } from "./player.js";
import { button, element } from "./dom.js";
import { change, list, now } from "./address.js";
import { get } from "./server.js";
import { say, whole } from "./words.js";

const MOST = 6; // runs in a race
const FOLLOW = 2500; // milliseconds between two looks for a newer snapshot

export class Watch {
  constructor(root, { runs, agents }) {
    this.root = root;
    this.runs = runs;
    this.asked = 0;
    this.moments = null;
    this.lastFollowed = 0;
    this.head = element("div", { class: "controls" });
    this.said = element("p", { class: "said", role: "status" });
    this.stage = element("div");
    this.root.replaceChildren(this.head, this.said, this.stage);
    this.player = new Player(this.stage, { onMoment: true, onSeed: () => change({ number: Number(now("number")) + 1, seed: "" }), autoplay: true, agentIndex: agents });
  }

  changed(keys) {
    if (keys.has("racers")) { this.moments = null; this.open(); }
    else if (["at", "episode", "number", "seed"].some((key) => keys.has(key))) this.play();
  }

  async open() {
    const ids = list("racers").filter((id) => this.runs().has(id)).slice(0, MOST);
    this.ids = ids;
    this.player.pause();
    this.player.recording = null;
    this.player.stage.replaceChildren();
    if (!ids.length) {
      this.head.replaceChildren();
      this.said.textContent = say("choose_to_watch");
      this.stage.hidden = true;
      return;
    }
    this.stage.hidden = false;
    this.said.textContent = say("loading");
    try {
      await this.loadMoments();
      await this.play();
    } catch (error) { this.fail(error); }
  }

  async loadMoments() {
    const ids = this.ids;
    const each = await Promise.all(ids.map((id) => get("/api/moments", { ids: id })));
    if (ids !== this.ids) return;
    this.exact = ids.length === 1 && each[0].episodes > 0;
    this.episodes = each[0].episodes;
    this.allExact = each.every((one) => one.episodes > 0);
    this.steps = [...new Set(each.flatMap((one) => one.steps))].sort((a, b) => a - b);
    this.moments = each;
  }

  fail(error) {
    this.said.textContent = error.message;
    this.stage.hidden = true;
  }

  async play({ keep = false } = {}) {
    if (!this.moments || !this.ids.length) return;
    const asked = ++this.asked;
    const ask = { ids: this.ids.join(","), number: now("number"), seed: now("seed") };
    if (now("episode") !== "" && this.exact) ask.episode = now("episode");
    else if (now("at") !== "") { ask.at = now("at"); ask.exact = this.allExact ? 1 : null; }
    try {
      const recording = await get("/api/recording", ask);
      if (asked !== this.asked) return;
      this.said.textContent = "";
      this.stage.hidden = false;
      this.player.show(recording, { keep: keep || this.shownFor === this.ids.join() });
      this.shownFor = this.ids.join();
      this.addSlider(recording);
      this.drawHead(recording);
    } catch (error) { if (asked === this.asked) this.fail(error); }
  }

  // The slider through the training: every episode where the run can be trained again, else its snapshots.
  addSlider(recording) {
    const player = this.player;
    if (this.exact) {
      const env_step = recording.tracks[0].moments[0].env_step;
      const at = now("episode") !== "" ? Number(now("episode")) : recording.episodes?.[0] ?? this.episodes;
      player.addTraining(this.episodes + 1, at, (index) => {
        this.later(() => change({ episode: index, at: "" }));
        return say("after_episodes", { episodes: whole(index), of: whole(this.episodes) });
      }, `${say("after_episodes", { episodes: whole(at), of: whole(this.episodes) })}, ${say("after_steps", { steps: whole(env_step) })}`);
      return;
    }
    if (this.steps.length < 2) return;
    const places = [...this.steps, null];
    const wanted = now("at") === "" ? places.length - 1 : Math.max(0, this.steps.findLastIndex((step) => step <= Number(now("at"))));
    const text = (index) => places[index] === null ? say("newest") : say("after_steps", { steps: whole(places[index]) });
    player.addTraining(places.length, wanted, (index) => {
      this.later(() => change({ at: places[index] ?? "", episode: "" }));
      return text(index);
    }, text(wanted));
  }

  // A slider moves faster than episodes can be played: the last place counts.
  later(action) {
    clearTimeout(this.timer);
    this.timer = setTimeout(action, 120);
  }

  drawHead(recording) {
    const seed = element("input", { type: "number", min: "0", value: now("seed"), placeholder: String(recording.tracks[0].moments[0].episodes[0].seed), "aria-label": say("seed") });
    seed.addEventListener("change", () => change({ seed: seed.value }));
    const env = this.runs().get(this.ids[0])?.env;
    const others = list("runs").filter((id) => this.runs().get(id)?.env === env && !this.ids.includes(id));
    const parts = [element("label", {}, `${say("seed")} `, seed)];
    if (others.length && this.ids.length < MOST) {
      parts.push(button(say("race_chosen"), say("race_chosen"), () => change({ racers: [...this.ids, ...spread(others, MOST - this.ids.length, this.runs())], at: this.moment(recording), episode: "" }, { push: true })));
    }
    if (this.ids.length > 1) parts.push(button(say("only_first"), say("only_first"), () => change({ racers: [this.ids[0]] }, { push: true })));
    parts.push(button(say("close"), say("close"), () => change({ racers: [], view: now("view") === "watch" ? "curves" : now("view") }, { push: true })));
    this.head.replaceChildren(...parts);
  }

  // The env step that is watched, where it is not the newest: a race begins at the same moment.
  moment(recording) {
    return now("at") === "" && now("episode") === "" ? "" : recording.tracks[0].moments[0].env_step ?? "";
  }

  // A live run is watched from its newest snapshot.
  async follow(changed) {
    const live = this.ids && changed.some((run) => this.ids.includes(run.id));
    if (!live || now("at") !== "" || now("episode") !== "" || performance.now() - this.lastFollowed < FOLLOW) return;
    this.lastFollowed = performance.now();
    try {
      const before = this.steps?.length;
      await this.loadMoments();
      if (this.steps.length !== before || this.stage.hidden) await this.play({ keep: true });
    } catch { /* it has nothing to play yet */ }
  }
}

// Runs of different agents first: a race is between agents.
function spread(ids, count, runs) {
  const seen = new Set(), first = [], rest = [];
  for (const id of ids) {
    const { agent, env } = runs.get(id);
    (seen.has(`${env}/${agent}`) ? rest : first).push(id);
    seen.add(`${env}/${agent}`);
  }
  return [...first, ...rest].slice(0, count);
}
