// Plays a recording: in the page that is sent to a friend, in the report, and in the viewer.

import { Maze, cellAt } from "./maze.js";
import { button, choice, colourOf, cssColour, element, icon, lookOf, reducedMotion } from "./dom.js";
import { drawDetails, drawLegend } from "./details.js";
import { drawView, viewsOf } from "./views.js";
import { number, say, told, whole } from "./words.js";
import { unpackEpisode, values } from "./unpack.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
const ARROWS = { ArrowUp: 0, ArrowRight: 1, ArrowDown: 2, ArrowLeft: 3 };
let nextId = 0;

export class Player {
  // `onMoment(place)`: called when the training slider has moved, where moments come from elsewhere (see `setMoments`).
  constructor(root, { onMoment = null, onSeed = null, autoplay = false, agentIndex = null } = {}) {
    this.agentIndex = agentIndex;
    this.root = root;
    this.onMoment = onMoment;
    this.onSeed = onSeed;
    this.autoplay = autoplay && !reducedMotion();
    this.id = `player-${nextId++}`;
    this.speed = 1;
    this.clock = 0;
    this.playing = false;
    this.episode = 0;
    this.moment = null; // env step; null: the last
    this.beside = null;
    this.chosen = 0;
    this.tool = "look";
    this.layers = { values: true, arrows: true, numbers: true, visits: false, way: false };
    this.mine = new Map(); // episodes of one's own, by track: dropped, or played by hand
    this.images = new Map();
    this.frame = (now) => this.tick(now);
    this.build();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.stage);
    this.themed = () => this.draw();
    this.pressed = (event) => this.key(event);
    document.addEventListener("keydown", this.pressed);
    document.addEventListener("themechange", this.themed);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.themed);
  }

  close() {
    this.playing = false;
    this.observer.disconnect();
    document.removeEventListener("keydown", this.pressed);
    document.removeEventListener("themechange", this.themed);
    matchMedia("(prefers-color-scheme: dark)").removeEventListener("change", this.themed);
    this.root.replaceChildren();
  }

  // -- what is shown ------------------------------------------------------------------------------------------

  show(recording, { keep = false } = {}) {
    this.recording = recording;
    this.scenes = recording.scenes.map((scene) => ({ scene, maze: scene.kind === "maze" ? new Maze(scene) : null }));
    this.tracks = recording.tracks.map((track, index) => ({
      ...track, index, name: track.kind === "optimum" ? say("optimum") : track.label.replace(/, seed (\d+)$/, (_, seed) => `, ${say("seed")} ${seed}`),
      moments: track.moments.map((moment) => ({
        ...moment,
        tables: Object.fromEntries(Object.entries(moment.beliefs || {}).map(([scene, belief]) =>
          [scene, { q: values(belief), greedy: belief.greedy, low: belief.low, high: belief.high }])),
        played: moment.episodes.map((episode) => unpackEpisode(episode, recording.scenes[episode.scene], recording.actions.length)),
      })),
    }));
    const steps = new Set(this.tracks.flatMap((track) => track.moments.map((moment) => moment.env_step)).filter((step) => step !== null));
    this.steps = [...steps].sort((one, other) => one - other);
    this.mine.clear();
    this.note = "";
    this.startState = undefined;
    if (!keep) { this.clock = 0; this.episode = 0; this.moment = null; this.tool = "look"; }
    this.episode = Math.min(this.episode, this.numEpisodes - 1);
    if (this.beside === null) this.beside = this.tracks.length > 1 && this.tracks.some((track) => this.sceneIndex(track) !== this.sceneIndex(this.tracks[0]));
    this.chosen = Math.min(this.chosen, this.tracks.length - 1);
    this.buildControls();
    this.clock = Math.min(this.clock, this.length);
    this.update();
    if (this.autoplay || (keep && this.wasPlaying)) this.play();
  }

  // How a track is drawn: an agent as its curve is, where that tells the tracks apart; the optimum in ink.
  look(track) {
    if (track.kind === "optimum") return { colour: cssColour("--best"), shape: "star", dash: [3, 3] };
    const agents = this.tracks.filter((one) => one.kind === "agent").map((one) => one.label.replace(/, seed \d+$/, ""));
    const index = this.agentIndex && new Set(agents).size === agents.length && track.kind === "agent" ? this.agentIndex(agents[track.index]) : track.index;
    return { ...lookOf(index), colour: colourOf(index) };
  }

  get numEpisodes() {
    return Math.min(...this.tracks.map((track) => track.moments[0].played.length));
  }

  momentOf(track) {
    if (this.moment === null) return track.moments[track.moments.length - 1];
    return [...track.moments].reverse().find((moment) => moment.env_step === null || moment.env_step <= this.moment) || track.moments[0];
  }

  shown(track) {
    return this.mine.get(track.index) || this.momentOf(track).played[this.episode];
  }

  sceneIndex(track) {
    return this.momentOf(track).played[this.episode].scene;
  }

  mazeOf(track) {
    return this.scenes[this.sceneIndex(track)].maze;
  }

  tableOf(track) {
    if (track.kind === "optimum") { const maze = this.mazeOf(track); return maze && maze.optimum; }
    return this.momentOf(track).tables[this.sceneIndex(track)] || null;
  }

  get length() {
    return Math.max(1, ...this.tracks.map((track) => this.shown(track).length));
  }

  get step() {
    return Math.floor(this.clock + 1e-9);
  }

  // -- its parts ----------------------------------------------------------------------------------------------

  build() {
    this.stage = element("div", { class: "stage" });
    this.legend = element("div", { class: "legend" });
    this.bar = element("div", { class: "controls", role: "group", "aria-label": say("controls") });
    this.toolbar = element("div", { class: "controls tools", role: "group", "aria-label": say("layers") });
    this.details = element("div", { class: "details" });
    this.said = element("p", { class: "said", role: "status", "aria-live": "polite" });
    this.body = element("section", { class: "player", "aria-label": say("player") },
      this.stage, this.bar, this.said, this.toolbar, element("div", { class: "below" }, this.legend, this.details));
    this.root.replaceChildren(this.body);
  }

  buildControls() {
    this.playButton = button(icon("play"), say("play"), () => this.toggle(), { class: "main" });
    this.scrub = element("input", { type: "range", class: "scrub", min: "0", max: String(this.length), step: "1", value: "0", "aria-label": say("scrub") });
    this.scrub.addEventListener("input", () => { this.pause(); this.clock = Number(this.scrub.value); this.update(); });
    this.counter = element("output", { class: "counter" });
    this.bar.replaceChildren(
      button(icon("start"), say("to_start"), () => this.go(0)), button(icon("back"), say("back"), () => this.go(this.step - 1)), this.playButton,
      button(icon("forward"), say("forward"), () => this.go(this.step + 1)), button(icon("end"), say("to_end"), () => this.go(this.length)),
      choice(say("speed"), SPEEDS.map((speed) => [speed, `${number(speed)}×`]), this.speed, (value) => { this.speed = Number(value); }),
      this.scrub, this.counter);
    const seeds = this.tracks[0].moments[0].played;
    if (this.onSeed) {
      this.bar.append(button(say("next_seed"), say("next_seed"), () => this.onSeed()));
    } else if (this.numEpisodes > 1) {
      this.bar.append(choice(say("episode"), [...Array(this.numEpisodes).keys()].map((index) => [index, `${say("seed")} ${seeds[index].seed}`]),
        this.episode, (value) => { this.episode = Number(value); this.mine.clear(); this.go(0); }));
    }
    this.training = null;
    if (this.steps.length > 1 && !this.onMoment) this.addTraining(this.steps.length, this.steps.length - 1, (index) => {
      this.moment = this.steps[index];
      this.mine.clear();
      this.clock = Math.min(this.clock, this.length);
      this.update();
      return say("after_steps", { steps: whole(this.moment) });
    }, say("after_steps", { steps: whole(this.steps[this.steps.length - 1]) }));
    this.buildTools();
  }

  addTraining(count, at, moved, text) {
    const label = element("output", { class: "counter wide" }, text);
    const slider = element("input", { type: "range", class: "scrub", min: "0", max: String(count - 1), value: String(at), "aria-label": say("training") });
    slider.addEventListener("input", () => { label.textContent = moved(Number(slider.value)); });
    this.training = { slider, moved, label };
    this.bar.append(element("div", { class: "training" }, element("span", {}, say("training")), slider, label));
  }

  buildTools() {
    const mazes = this.scenes.every((one) => one.maze);
    const tools = [];
    const flip = (key, text) => {
      const made = button(text, text, () => {
        this.layers[key] = !this.layers[key];
        made.setAttribute("aria-pressed", String(this.layers[key]));
        this.update();
      }, { "aria-pressed": String(this.layers[key]) });
      tools.push(made);
    };
    if (mazes) {
      for (const key of ["values", "arrows", "numbers", "visits", "way"]) flip(key, say(`layer_${key}`));
    }
    if (this.tracks.length > 1) {
      tools.push(choice(say("arrange"), [["ghosts", say("ghosts")], ["beside", say("beside")]], this.beside ? "beside" : "ghosts",
        (value) => { this.beside = value === "beside"; this.update(); }));
      tools.push(choice(say("whose"), this.tracks.map((track) => [track.index, track.name]), this.chosen,
        (value) => { this.chosen = Number(value); this.update(); }));
    }
    if (mazes && this.scenes.every((one) => one.maze.successors)) {
      const modes = [["look", say("tool_look")], ["drop", say("tool_drop")], ["me", say("tool_me")]];
      const windless = this.scenes.every((one) => one.maze.canChange);
      modes.splice(2, 0, ["wall", windless ? say("tool_wall") : say("tool_no_wall")]);
      this.toolChoice = choice(say("tools"), modes, this.tool, (value) => this.setTool(value));
      tools.push(this.toolChoice, button(icon("undo"), say("undo"), () => this.reset()));
    }
    tools.push(button("?", say("keys"), () => this.say(say("key_help"))));
    this.toolbar.replaceChildren(...tools);
  }

  setTool(tool) {
    if (tool === "wall" && !this.scenes.every((one) => one.maze.canChange)) tool = "look";
    this.tool = tool;
    if (this.toolChoice) this.toolChoice.value = tool;
    if (this.toolChoice) this.toolChoice.value = tool;
    this.pause();
    if (tool === "me") this.playMyself();
    else if (this.myTrack) this.reset();
    this.say(tool === "look" ? "" : say(`help_${tool}`));
    if (document.activeElement === this.toolChoice) this.toolChoice.blur();
    this.update();
  }

  reset() {
    this.mine.clear();
    for (const { maze } of this.scenes) if (maze) maze.walls.clear();
    if (this.myTrack) { this.tracks = this.tracks.filter((track) => track !== this.myTrack); this.myTrack = null; }
    this.tool = "look";
    this.note = "";
    this.startState = undefined;
    if (this.toolChoice) this.toolChoice.value = "look";
    this.say("");
    this.go(0);
  }

  // -- time ---------------------------------------------------------------------------------------------------

  toggle() {
    if (this.tool === "me") return; // the others move in step with you
    this.playing ? this.pause() : this.play();
  }

  play() {
    if (this.clock >= this.length) this.clock = 0;
    this.playing = this.wasPlaying = true;
    this.last = null;
    this.update();
    requestAnimationFrame(this.frame);
  }

  pause() {
    if (this.playing) this.wasPlaying = false;
    this.playing = false;
    this.update();
  }

  go(step) {
    this.pause();
    this.clock = Math.min(Math.max(step, 0), this.length);
    this.update();
    this.tell();
  }

  tick(now) {
    if (!this.playing || !this.recording || !this.root.isConnected) return;
    if (this.last !== null) this.clock += (Math.min(now - this.last, 250) / 1000) * this.recording.fps * this.speed;
    this.last = now;
    if (this.clock >= this.length) {
      this.clock = this.length;
      this.playing = this.wasPlaying = false;
      this.tell();
    }
    this.update();
    if (this.playing) requestAnimationFrame(this.frame);
  }

  tell() {
    this.say(this.note || this.tracks.map((track) => told(track.name, this.sentence(track))).join(". "));
  }

  say(text) {
    this.said.textContent = text;
  }

  sentence(track) {
    const episode = this.shown(track), step = Math.min(this.step, episode.length);
    const ended = step === episode.length ? say(this.ending(episode, track)) : "";
    return say("standing", { step: whole(step), total: number(episode.returns[step]) }) + (ended && `, ${ended}`);
  }

  ending(episode, track) {
    const lands = this.scenes[this.sceneIndex(track)].scene.kind === "lander";
    if (lands && episode.success !== null && episode.end === "terminated") return episode.success ? "end_landed" : "end_crashed";
    if (["circles", "bumps", "clueless", "cut", "mine"].includes(episode.end)) return `end_${episode.end}`;
    if (episode.success === true) return "end_success";
    if (episode.success === false && episode.end === "terminated") return "end_failure";
    return episode.end === "terminated" ? "end_terminated" : "end_truncated";
  }

  // -- keys and pointers --------------------------------------------------------------------------------------

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.recording) return;
    if (["SELECT", "INPUT", "TEXTAREA"].includes(event.target.tagName)) return;
    if (event.target.tagName === "BUTTON" && [" ", "Enter"].includes(event.key)) return;
    const action = ARROWS[event.key];
    if (this.tool === "me" && action !== undefined) { this.myMove(action); event.preventDefault(); return; }
    const keys = {
      " ": () => this.toggle(), ArrowRight: () => this.go(this.step + 1), ArrowLeft: () => this.go(this.step - 1),
      Home: () => this.go(0), End: () => this.go(this.length),
      "+": () => this.faster(1), "-": () => this.faster(-1),
      v: () => this.flip("values"), a: () => this.flip("arrows"), n: () => this.next(), g: () => this.arrange(),
      "[": () => this.train(-1), "]": () => this.train(1), p: () => this.toolChoice && this.setTool("me"),
      d: () => this.toolChoice && this.setTool("drop"), Escape: () => this.reset(), "?": () => this.say(say("key_help")),
    };
    if (keys[event.key]) { keys[event.key](); event.preventDefault(); }
  }

  faster(by) {
    const index = Math.min(Math.max(SPEEDS.indexOf(this.speed) + by, 0), SPEEDS.length - 1);
    this.speed = SPEEDS[index];
    this.bar.querySelector("select").value = String(this.speed);
  }

  flip(key) {
    this.layers[key] = !this.layers[key];
    this.buildTools();
    this.update();
  }

  arrange() {
    if (this.tracks.length > 1) { this.beside = !this.beside; this.buildTools(); this.update(); }
  }

  next() {
    if (this.onSeed) { this.onSeed(); return; }
    this.episode = (this.episode + 1) % this.numEpisodes;
    this.mine.clear();
    this.go(0);
  }

  train(by) {
    if (!this.training) return;
    const { slider, moved, label } = this.training;
    slider.value = String(Number(slider.value) + by);
    label.textContent = moved(Number(slider.value));
  }

  pointed(event, view) {
    const bounds = view.canvas.getBoundingClientRect();
    const maze = this.scenes[view.scene].maze;
    if (!maze || !["drop", "wall"].includes(this.tool)) return;
    const found = cellAt(maze, view.place, event.clientX - bounds.left, event.clientY - bounds.top);
    if (!found) return;
    const held = Math.floor(view.held || 0);
    if (this.tool === "drop") {
      if (maze.passages[found.cell] === 0) return;
      this.dropAt(maze, held * maze.cells + found.cell);
    } else if (maze.toggleWall(found.cell, found.direction)) this.afterWall(maze);
  }

  dropAt(maze, state) {
    for (const track of this.tracks) {
      const table = this.tableOf(track);
      if (this.mazeOf(track) !== maze || !table) continue;
      const greedy = track.kind === "optimum" && maze.walls.size ? maze.wayOut() : table.greedy; // it knows of the walls
      this.mine.set(track.index, maze.play(greedy, state, Math.random));
    }
    this.clock = 0;
    this.startState = state;
    this.sayWay(maze, state);
    reducedMotion() ? this.go(this.length) : this.play();
  }

  afterWall(maze) {
    const first = this.tracks.find((track) => this.mazeOf(track) === maze);
    const start = this.startState ?? this.momentOf(first).played[this.episode].state(0);
    this.dropAt(maze, start);
  }

  sayWay(maze, state) {
    const far = maze.distances()[state];
    const parts = [far < 0 ? say("no_way") : say("way_is", { moves: whole(far) })];
    for (const track of this.tracks) {
      const episode = this.mine.get(track.index);
      if (episode) parts.push(told(track.name, episode.success ? say("needs", { moves: whole(episode.length) }) : say(this.ending(episode, track))));
    }
    this.note = parts.join(". ");
    this.say(this.note);
  }

  playMyself() {
    if (this.myTrack) this.reset();
    const first = this.tracks[0], maze = this.mazeOf(first);
    const start = this.momentOf(first).played[this.episode].state(0);
    const states = [start];
    const mine = {
      states, length: 0, actions: [], rewards: [], returns: [0], end: "mine", success: null, seed: null,
      state: (step) => states[step], valuesAt: () => null, observationAt: () => null,
    };
    const index = this.tracks.length;
    this.myTrack = {
      label: say("you"), name: say("you"), kind: "you", index, maze, mine,
      moments: [{ env_step: null, tables: {}, played: Array(this.numEpisodes).fill({ ...mine, scene: this.sceneIndex(first) }) }],
    };
    this.tracks = [...this.tracks, this.myTrack];
    this.mine.set(index, mine);
    this.chosen = index;
    this.clock = 0;
  }

  myMove(action) {
    const { mine, maze } = this.myTrack;
    const state = mine.states[mine.length];
    if (maze.ends[state]) return;
    const moved = maze.move(state, action, Math.random);
    mine.states.push(moved.state);
    mine.actions.push(action);
    mine.rewards.push(moved.reward);
    mine.returns.push(mine.returns[mine.length] + moved.reward);
    mine.length += 1;
    if (moved.end) { mine.end = "terminated"; mine.success = moved.end === 1; }
    this.clock = mine.length; // the others move in step
    this.update();
    if (moved.end) this.tell();
  }

  // -- drawing ------------------------------------------------------------------------------------------------

  update() {
    if (!this.recording) return;
    this.playButton.replaceChildren(icon(this.playing ? "pause" : "play"));
    this.playButton.title = this.playing ? say("pause") : say("play");
    this.playButton.setAttribute("aria-label", this.playButton.title);
    this.scrub.max = String(this.length);
    this.scrub.value = String(this.step);
    this.counter.textContent = `${whole(this.step)} / ${whole(this.length)}`;
    drawLegend(this);
    drawDetails(this);
    this.draw();
  }

  draw() {
    if (!this.recording) return;
    const views = viewsOf(this);
    while (this.stage.children.length > views.length) this.stage.lastChild.remove();
    while (this.stage.children.length < views.length) {
      this.stage.append(element("figure", {}, element("canvas", { role: "img" }), element("figcaption")));
    }
    views.forEach((view, index) => {
      const figure = this.stage.children[index];
      view.canvas = figure.firstChild;
      figure.lastChild.textContent = views.length > 1 ? view.tracks.map((track) => track.name).join(", ") : "";
      view.canvas.onpointerdown = (event) => this.pointed(event, view);
      view.canvas.style.cursor = ["drop", "wall"].includes(this.tool) ? "crosshair" : "default";
      drawView(this, view, views.length);
    });
  }

}
