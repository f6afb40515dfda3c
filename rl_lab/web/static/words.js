// Texts in the reader's language. `WORDS` is { language: { key: text } }; {name} in a text is filled in.

let texts = {};
let language = "en";

export function learnWords(words, wanted) {
  language = words[wanted] ? wanted : "en";
  texts = words[language];
  document.documentElement.lang = language;
}

export function say(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text: ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

// A name of the environment's, in the reader's language where it is a known one.
export function named(name) {
  return texts[`action_${name.replace(/ /g, "_")}`] ?? name;
}

export function spoken() {
  return language;
}

export function preferredLanguage(words) {
  const wanted = [...(navigator.languages || [])].map((one) => one.slice(0, 2));
  return wanted.find((one) => words[one]) || "en";
}

// 12,345.6 with as many digits as tell something.
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const options = Math.abs(value) >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits };
  return new Intl.NumberFormat(language, options).format(value).replace("-", "−");
}

// With so many digits after the point.
export function fixed(value, digits) {
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false }).format(value).replace("-", "−");
}

// "name: text", as the language has it.
export function told(name, text) {
  return `${name}${say("colon")}${text}`;
}

export function whole(value) {
  return value === null || value === undefined ? "–" : new Intl.NumberFormat(language).format(Math.round(value));
}
