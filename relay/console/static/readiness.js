// The banner: whether mail can be sent now, and every trouble, on every page.

import { every, readiness } from "./api.js";
import { h } from "./dom.js";
import { badge } from "./words.js";

export function watchReadiness(place, signal) {
  let before = "";
  const look = async () => {
    const told = await readiness(signal).catch(() => undefined);
    if (told === undefined) return;
    const now = JSON.stringify(told);
    if (now !== before) place.replaceChildren(banner(told)); // what did not change is not read out again
    before = now;
  };
  look();
  every(10, look, signal);
}

function banner(told) {
  if (told === null) return h("div", { class: "banner bad" }, badge("failed", "No answer"), " The relay does not answer.");
  const troubles = told.checks.filter((check) => !check.ok || check.why);
  const list = troubles.length > 0 && h("ul", null, troubles.map((check) => h("li", null, h("strong", null, check.name), check.why && `: ${check.why}`)));
  if (!told.ready) return h("div", { class: "banner bad" }, badge("failed", "Not ready"), " Mail cannot be sent now.", list);
  if (troubles.length === 1) return h("div", { class: "banner doubt" }, badge("warned", "Ready"), ` ${troubles[0].name}: ${troubles[0].why}`);
  if (troubles.length) return h("details", { class: "banner doubt" }, h("summary", null, badge("warned", "Ready"), ` with ${troubles.length} things to look at`), list);
  return h("div", { class: "banner good" }, badge("good", "Ready"));
}
