// What goes on: the last hour, by delegate and reason.

import { every, get, path } from "./api.js";
import { columns, OUTCOMES, sparkline } from "./chart.js";
import { choice, field, h, link, muted, panel, place, table, time, value } from "./dom.js";
import { badge } from "./words.js";

const sum = (counts) => counts.reduce((total, each) => total + each, 0);
const named = (delegate) => (delegate === "-" ? "before AUTH" : delegate);

function totals(series) {
  const tile = (outcome) => {
    const total = series.filter((row) => row.outcome === outcome).reduce((all, row) => all + sum(row.counts), 0);
    return h("div", { class: "tile" }, h("dt", null, badge(outcome)), h("dd", null, total.toLocaleString()));
  };
  return h("dl", { class: "tiles" }, OUTCOMES.map(tile));
}

function rows(told) {
  return table("Messages of the last hour, by delegate and reason", [
    ["Delegate", (row) => row.delegate === "-" ? muted("before AUTH") : value(row.delegate)],
    ["Outcome", (row) => badge(row.outcome)],
    ["Reason", (row) => row.reason === "none" ? muted("none") : value(row.reason)],
    ["Messages", (row) => sum(row.counts).toLocaleString()],
    ["The hour", (row) => sparkline(row.counts, `${named(row.delegate)}, ${row.outcome}`)],
    ["Look at", (row) => link(place("decisions", { delegate: row.delegate, outcome: row.outcome, reason: row.reason }), "decisions", h("span", { class: "unseen" }, ` of ${named(row.delegate)}, ${row.outcome}, ${row.reason}`))],
  ], told.series, { empty: "No message in the last hour." });
}

export const title = "Traffic";
export async function show({ query, signal, go }) {
  const only = query.get("delegate") ?? "";
  const known = await get("/api/delegates?limit=500", signal);
  const names = ["", "-", ...known.delegates.map((each) => each.name)];
  const select = choice("delegate", names.includes(only) ? names : [...names, only], only);
  select.addEventListener("change", () => go(place("traffic", { delegate: select.value })));
  const [chart, list, when] = [h("div"), h("div"), h("p", { class: "muted" })];
  const look = async () => {
    const told = await get(path(["api", "traffic"], { delegate: only }), signal);
    const [picture, most] = columns(told.series, told.step);
    chart.replaceChildren(totals(told.series), picture);
    list.replaceChildren(rows(told), told.left_out ? h("p", { class: "muted" }, `and ${told.left_out} messages of others`) : "");
    when.replaceChildren("Minute by minute since ", time(told.since), `; the highest column is ${most.toLocaleString()}. Counted anew every five seconds.`);
  };
  await look();
  const doubt = (problem) => {
    if (problem.status === 401) window.location.reload(); // to where one signs in
    else when.replaceChildren("The relay does not answer: these are the last numbers.");
  };
  every(5, () => look().catch(doubt), signal);
  return [h("div", { class: "narrow" }, field("Delegate", select)), panel("The last hour", chart, when), panel(null, list)];
}
