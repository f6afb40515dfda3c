// Plays a recording: in the page that is sent to a friend, in the report, and in the viewer.

import { Maze, cellAt, drawMaze, layout, shortNumber, valueColour } from "./maze.js";
import { drawLander, drawMoon, endMoon, landerLayout } from "./lander.js";
import { button, choice, colourOf, cssColour, drawShape, element, icon, lookOf, reducedMotion } from "./dom.js";
import { named, number, say, told, whole } from "./words.js";
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
    this.drawLegend();
    this.drawDetails();
    this.draw();
  }

  views() {
    const groups = new Map();
    for (const track of this.tracks) {
      const key = this.beside ? `t${track.index}` : `s${this.sceneIndex(track)}`;
      if (!groups.has(key)) groups.set(key, { scene: this.sceneIndex(track), tracks: [] });
      groups.get(key).tracks.push(track);
    }
    return [...groups.values()];
  }

  draw() {
    if (!this.recording) return;
    const views = this.views();
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
      this.drawView(view, views.length);
    });
  }

  drawView(view, count) {
    const { scene, maze } = this.scenes[view.scene];
    const room = this.stage.clientWidth || 600;
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
    canvas.setAttribute("aria-label", `${this.recording.title}: ${view.tracks.map((track) => `${track.name}, ${this.sentence(track)}`).join("; ")}`);
    if (maze) this.drawMazeView(context, view, maze, width, height);
    else if (scene.kind === "lander") this.drawLanderView(context, view, scene, width, height);
    else if (scene.kind === "pictures") this.drawPicture(context, view, scene, width, height);
    else {
      context.fillStyle = cssColour("--ink");
      context.font = "15px system-ui";
      context.fillText(say("no_pictures"), 8, 24);
    }
  }

  drawMazeView(context, view, maze, width, height) {
    view.place = layout(maze, width, height);
    const track = view.tracks.find((one) => one.index === this.chosen) || view.tracks[0];
    const table = this.tableOf(track);
    const now = this.shown(track).state(Math.min(this.step, this.shown(track).length));
    const held = (view.held = Math.floor(now / maze.cells));
    let visits = null;
    if (this.layers.visits) {
      visits = new Array(maze.cells).fill(0);
      const episode = this.shown(track);
      for (let step = 0; step <= Math.min(this.step, episode.length); step++) visits[episode.state(step) % maze.cells] += 1;
    }
    const changed = maze.walls.size > 0;
    const layers = {
      table: this.layers.values ? table : null, arrows: this.layers.arrows, numbers: this.layers.numbers, visits,
      way: this.layers.way && maze.successors ? maze.shortestWay(now) : null,
      broken: changed && table ? maze.brokenCells(table.greedy, held) : null,
    };
    const robots = view.tracks.map((one) => {
      const episode = this.shown(one);
      const step = Math.min(this.step, episode.length);
      const cell = episode.state(step) % maze.cells;
      let x = cell % maze.cols, y = Math.floor(cell / maze.cols);
      const part = this.clock - this.step;
      if (this.playing && part > 0 && step < episode.length && !reducedMotion()) {
        const next = episode.state(step + 1) % maze.cells;
        const dx = (next % maze.cols) - x, dy = Math.floor(next / maze.cols) - y;
        if (Math.abs(dx) + Math.abs(dy) === 1) { x += dx * part; y += dy * part; }
      }
      const trail = [];
      for (let at = Math.max(0, step - 40); at <= step; at++) trail.push(episode.state(at));
      const spread = view.tracks.length > 1 ? one.index - (view.tracks.length - 1) / 2 : 0;
      const look = this.look(one);
      return { x, y, trail, colour: look.colour, shape: look.shape, dash: look.dash, alpha: view.tracks.length > 1 && one !== track ? 0.82 : 1, shift: spread };
    });
    drawMaze(context, maze, view.place, layers, robots, held);
  }

  drawLanderView(context, view, scene, width, height) {
    const place = landerLayout(scene, width, height);
    drawMoon(context, scene, place);
    for (const track of view.tracks) {
      const episode = this.shown(track), step = Math.min(this.step, episode.length);
      const trail = [];
      for (let at = 0; at <= step; at++) { const [x, y] = episode.state(at); trail.push([x, y]); }
      const look = { ...this.look(track), trail, alpha: view.tracks.length > 1 ? 0.85 : 1 };
      const firing = step < episode.length && this.clock > 0 ? episode.actions[Math.max(step - 1, 0)] : 0;
      drawLander(context, place, episode.state(step), Array.isArray(firing) ? (firing[0] > 0 ? 2 : 0) : firing, look);
    }
    endMoon(context);
  }

  drawPicture(context, view, scene, width, height) {
    const episode = this.shown(view.tracks[0]);
    const source = scene.frames[episode.state(Math.min(this.step, episode.length))];
    if (!this.images.has(source)) {
      const image = new Image();
      image.onload = () => this.draw();
      image.src = source;
      this.images.set(source, image);
    }
    const image = this.images.get(source);
    if (!image.complete || !image.naturalWidth) return;
    const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight);
    const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
    context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
  }

  drawLegend() {
    const rows = this.tracks.map((track) => {
      const swatch = element("canvas", { class: "swatch", width: 44, height: 36, "aria-hidden": "true" });
      const context = swatch.getContext("2d");
      const look = this.look(track);
      context.fillStyle = context.strokeStyle = look.colour;
      context.lineWidth = 4;
      context.setLineDash(look.dash);
      context.beginPath();
      context.moveTo(0, 18);
      context.lineTo(44, 18);
      context.stroke();
      drawShape(context, look.shape, 22, 18, 11);
      context.fill();
      const moment = this.momentOf(track);
      const trained = moment.env_step === null || track.kind !== "agent" ? "" : say("after_steps", { steps: whole(moment.env_step) });
      return element("li", { class: track.index === this.chosen && this.tracks.length > 1 ? "chosen" : "" }, swatch,
        element("span", {}, element("b", {}, track.name), trained && ` ${trained}`, element("br"), this.sentence(track)));
    });
    this.legend.replaceChildren(element("ul", {}, ...rows));
  }

  drawDetails() {
    const track = this.tracks[Math.min(this.chosen, this.tracks.length - 1)];
    const episode = this.shown(track), step = Math.min(this.step, episode.length);
    const maze = this.mazeOf(track), state = episode.state(step);
    const rows = [];
    if (maze) {
      const cell = state % maze.cells, held = Math.floor(state / maze.cells);
      rows.push([say("state"), `${state} (${say("cell_at", { row: Math.floor(cell / maze.cols), col: cell % maze.cols })}${held ? `, ${say("holds")} ${"abcd".split("").filter((_, bit) => (held >> bit) & 1).join(" ")}` : ""})`]);
    } else if (this.scenes[this.sceneIndex(track)].scene.kind === "lander") {
      rows.push([say("place"), `x = ${number(state[0], 3)}, y = ${number(state[1], 3)}, ${say("angle")} ${number((state[2] * 180) / Math.PI, 3)}°`]);
    }
    const observed = episode.observationAt(step);
    if (observed) rows.push([say("observation"), observed.map((one) => number(Math.abs(one) < 1e-3 ? 0 : one, 3)).join("   ")]);
    const action = step > 0 ? episode.actions[step - 1] : null;
    rows.push([say("action"), action === null ? "–" : this.actionName(action)]);
    rows.push([say("reward"), step > 0 ? number(episode.rewards[step - 1]) : "–"]);
    rows.push([say("return"), number(episode.returns[step])]);
    if (episode.seed !== null) rows.push([say("seed"), String(episode.seed)]);
    const list = element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
    this.details.replaceChildren(list, this.bars(track, episode, step, maze, state));
  }

  actionName(action) {
    const name = this.recording.actions[action];
    if (Array.isArray(action)) return action.map((one) => number(one, 3)).join(", ");
    return name === undefined ? String(action) : named(name);
  }

  // The values of each action now, as bars.
  bars(track, episode, step, maze, state) {
    const table = this.tableOf(track);
    let now = episode.valuesAt(step);
    if (table && maze) now = table.q.subarray(state * 4, state * 4 + 4);
    if (!now || ![...now].some(Number.isFinite)) return element("div", { class: "bars" });
    const known = [...now].filter(Number.isFinite);
    const low = Math.min(...known), high = Math.max(...known), width = high - low || 1;
    const rows = [...now].map((value, action) => {
      const best = value === high;
      const share = Number.isFinite(value) ? 8 + (92 * (value - low)) / width : 0;
      const filled = element("span", { class: "fill" });
      filled.style.width = `${share}%`;
      filled.style.background = valueColour((value - low) / width).fill;
      return element("div", { class: best ? "bar best" : "bar" }, element("span", { class: "name" }, this.actionName(action)),
        element("span", { class: "track" }, filled), element("span", { class: "value" }, Number.isFinite(value) ? shortNumber(value) : "–"));
    });
    return element("div", { class: "bars", "aria-label": say("values_now"), role: "group" }, element("h3", {}, say("values_now")), ...rows);
  }
}
