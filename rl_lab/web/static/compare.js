// The view of a comparison: the report's tables, verdicts and figures for the runs that are chosen.

import { button, element } from "./dom.js";
import { list } from "./address.js";
import { get, post } from "./server.js";
import { number, say } from "./words.js";

export class Compare {
  constructor(root) {
    this.root = root;
    this.asked = 0;
  }

  async open() {
    const ids = list("runs");
    const asked = ++this.asked;
    if (!ids.length) { this.root.replaceChildren(element("p", {}, say("choose_runs"))); return; }
    this.root.replaceChildren(element("p", { role: "status" }, say("comparing")));
    try {
      const values = await get("/api/compare", { ids: ids.join(",") });
      if (asked === this.asked) this.draw(values);
    } catch (error) {
      if (asked === this.asked) this.root.replaceChildren(element("p", { class: "bad", role: "status" }, error.message));
    }
  }

  draw({ envs, verdicts, figures, notes, until_decided: further }) {
    this.root.replaceChildren(
      element("h2", {}, say("verdicts")),
      element("ul", { class: "verdicts", lang: "en" }, ...verdicts.map((line) => element("li", {}, line))),
      ...(further ? [this.further(further)] : []),
      ...envs.map((one) => this.table(one)),
      ...figures.map((figure) => element("figure", { class: "report-figure" }, element("img", { src: figure.picture, alt: say(`figure_${figure.name}`) }), element("figcaption", {}, say(`figure_${figure.name}`)))),
      ...notes.map((note) => element("p", { class: "soft", lang: "en" }, note)),
      element("p", { class: "soft" }, say("no_adding_by_eye")));
  }

  // Seeds are added by the server until all is decided; its test minds that it was looked at before.
  further({ experiment, seeds, pairs, batch, max_seeds }) {
    const said = element("span", { role: "status" });
    const go = button(say("until_decided", { seeds, pairs }), say("until_decided_help", { batch, most: max_seeds }), async () => {
      go.disabled = true;
      try { await post("/api/start", { experiment, batch, max_seeds }); said.textContent = ` ${say("has_started", { name: experiment })}`; }
      catch (error) { said.textContent = ` ${error.message}`; go.disabled = false; }
    });
    return element("p", {}, go, said);
  }

  table({ env, scale, agents }) {
    const head = [say("agent"), say("runs"), say("iqm_interval"), ...(scale ? [say("of_scale")] : []), say("episodes_ended")];
    return element("section", { class: "env-table" }, element("h3", {}, env),
      element("table", {}, element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
        element("tbody", {}, ...agents.map((one) => element("tr", {}, element("th", { scope: "row" }, one.agent), element("td", {}, one.runs), element("td", {}, one.interval),
          ...(scale ? [element("td", {}, number(one.normalised, 3))] : []), element("td", { lang: "en" }, one.ended))))),
      scale ? element("p", { class: "soft" }, say("scale_is", { floor: number(scale.floor), ceiling: number(scale.ceiling), kind: scale.kind })) : null);
  }
}
