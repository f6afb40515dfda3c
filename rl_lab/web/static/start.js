// The view that starts an experiment, shows it running, and stops it.

import { button, element } from "./dom.js";
import { get, post } from "./server.js";
import { say, whole } from "./words.js";

export class Start {
  constructor(root) {
    this.root = root;
    this.said = element("p", { class: "said", role: "status" });
    this.started = element("div");
    this.offers = element("div");
    this.seeds = element("input", { type: "number", min: "1", "aria-label": say("how_many_seeds"), placeholder: say("as_in_spec") });
    this.steps = element("input", { type: "number", min: "1", "aria-label": say("how_many_steps"), placeholder: say("as_in_spec") });
    this.root.replaceChildren(
      element("p", {}, say("start_help")),
      element("div", { class: "controls" }, element("label", {}, `${say("how_many_seeds")} `, this.seeds), element("label", {}, `${say("how_many_steps")} `, this.steps)),
      this.said, this.started, this.offers);
  }

  async open() {
    this.said.textContent = say("loading");
    try {
      const { suites, specs, started } = await get("/api/start");
      this.said.textContent = "";
      this.show(started);
      this.offers.replaceChildren(...[["suites", suites], ["specs", specs]].filter(([, offers]) => offers.length).map(([kind, offers]) =>
        element("section", {}, element("h2", {}, say(kind)), element("ul", { class: "offers" }, ...offers.map((offer) => this.offer(offer))))));
    } catch (error) { this.said.textContent = error.message; }
  }

  offer(offer) {
    return element("li", {}, element("div", {}, element("b", {}, offer.name), element("br"),
      element("span", { class: "soft" }, `${few(offer.envs)} × ${few(offer.agents)}${offer.runs === null ? "" : `${say("colon")}${say("runs_of", { count: whole(offer.runs) })}`}`)),
      button(say("start"), say("start_what", { name: offer.name }), () => this.start(offer.name)));
  }

  async start(source) {
    const whole = (input) => (input.value ? Number(input.value) : null);
    try {
      const made = await post("/api/start", { source, seeds: whole(this.seeds), steps: whole(this.steps) });
      this.said.textContent = say("has_started", { name: made.source });
    } catch (error) { this.said.textContent = error.message; }
  }

  show(started) {
    if (!started.some((one) => one.state === "running") && this.stopping) { this.said.textContent = ""; this.stopping = false; }
    this.started.replaceChildren(...started.map((one) => element("div", { class: "started" }, element("b", {}, one.source), ` ${say(`process_${one.state}`)} `,
      one.state === "running" ? button(say("stop"), say("stop_what", { name: one.source }), async () => {
        try { await post("/api/stop", { id: one.id }); this.said.textContent = say("is_stopping"); this.stopping = true; } catch (error) { this.said.textContent = error.message; }
      }) : button(say("go_on"), say("go_on_what", { name: one.source }), () => this.start(one.source)),
      one.said ? element("p", { class: one.state === "failed" ? "bad" : "soft", lang: "en" }, one.said) : null)));
  }
}

function few(names, most = 5) {
  const different = [...new Set(names)];
  const more = different.length - most;
  return different.slice(0, most).join(", ") + (more > 0 ? ` ${say("and_more", { count: whole(more) })}` : "");
}
