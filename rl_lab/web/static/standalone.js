// The page that is one file: a recording, and all that plays it.

import { Player } from "./player.js";
import { button, element, icon } from "./dom.js";
import { learnWords, preferredLanguage, say, spoken } from "./words.js";

const read = (id) => JSON.parse(document.getElementById(id).textContent);

function themeButton() {
  return button(icon("theme"), say("theme"), () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.dispatchEvent(new Event("themechange"));
  });
}

function start(language) {
  const words = read("words"), recording = read("recording");
  learnWords(words, language);
  const stage = element("div");
  const other = Object.keys(words).find((one) => one !== spoken());
  document.getElementById("page").replaceChildren(
    element("header", {}, element("h1", {}, recording.title), element("span", { class: "controls" },
      button(other.toUpperCase(), say("language"), () => { player.close(); start(other); }), themeButton())),
    stage, element("footer", {}, say("made_by")));
  document.title = recording.title;
  const player = new Player(stage, { autoplay: true });
  player.show(recording);
  window.player = player;
}

start(preferredLanguage(read("words")));
