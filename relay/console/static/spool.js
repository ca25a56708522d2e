// Messages that wait: which, why, and what people may do about it. Each change is asked about first.

import { get, path, post } from "./api.js";
import { choice, code, duration, facts, foldedFinder, h, input, link, muted, panel, place, size, table, time, value } from "./dom.js";
import { badge } from "./words.js";

const STATES = ["", "due", "sending", "held", "failed", "quarantined"];
const FIELDS = ["delegate", "state", "older_than", "reason"];

const chooser = (asked, go) => foldedFinder("spool", [
  ["Delegate", input("delegate", { value: asked.delegate, maxlength: 64 })],
  ["State", choice("state", STATES, asked.state)],
  ["Older than", input("older_than", { value: asked.older_than, placeholder: "2h", pattern: "[0-9]+(ms|s|m|h|d)" })],
  ["Reason or answer has", input("reason", { value: asked.reason })],
], go);

const counts = (told) => told && h("dl", { class: "tiles" }, Object.entries(told).map(([state, number]) =>
  h("div", { class: "tile" }, h("dt", null, link(place("spool", { state }), badge(state))), h("dd", null, number.toLocaleString()))));

export const title = "Spool";
export async function show({ query, signal, go }) {
  const asked = Object.fromEntries([...FIELDS, "after"].map((name) => [name, query.get(name) ?? ""]));
  const told = await get(path(["api", "spool"], asked), signal);
  const list = table("Messages that wait", [
    ["Message", (row) => link(place(["spool", row.id]), code(row.id))],
    ["State", (row) => [badge(row.state), row.kind === "notification" && muted(" notification")]],
    ["Delegate", (row) => value(row.delegate)],
    ["From", (row) => value(row.mail_from, { empty: "<>" })],
    ["To", (row) => [value(row.first_recipient), row.recipients > 1 && muted(` and ${row.recipients - 1} more`)]],
    ["Age", (row) => duration(row.age)],
    ["Attempts", (row) => String(row.attempts)],
    ["Last answer", (row) => value(row.last ?? row.reason)],
  ], told.entries, { empty: "Nothing waits." });
  return [panel("All that waits", counts(told.counts)), panel("Find", chooser(asked, go)), panel(null, list, told.next && link(place("spool", { ...asked, after: told.next }), "More"))];
}

const ACTIONS = {
  retry: ["Try now", "It is due at once."],
  hold: ["Hold", "It is kept until somebody releases it."],
  release: ["Release", "It goes on."],
  delete: ["Delete", "It is removed, and nobody is told. This cannot be undone."],
  notify: ["Give up and notify", "It fails, and its author is notified. This cannot be undone."],
};

function actions(entry, { session, confirmed, go }) {
  if (!session.asker.may_change) return null;
  const button = ([name, [label, consequence]]) => {
    const [action, body] = name === "notify" ? ["delete", { notify: true }] : [name, {}];
    const one = h("button", { type: "button", class: action === "delete" ? "grave" : null }, label);
    const gone = name === "delete" ? () => go(place("spool")) : null;
    const act = () => post(path(["api", "spool", entry.id, action]), body);
    one.addEventListener("click", () => confirmed({ label, question: `${label}: ${entry.id}?`, consequence, act, done: gone }));
    return one;
  };
  return h("div", { class: "actions" }, Object.entries(ACTIONS).map(button));
}

export const titleOfOne = "Message that waits";
export async function showOne(page) {
  const entry = await get(path(["api", "spool", page.parts[1]]), page.signal);
  const fates = table("Recipients", [
    ["Recipient", (row) => value(row.recipient)],
    ["Fate", (row) => badge(row.fate)],
    ["SES's id", (row) => code(row.ses_id)],
    ["Why", (row) => value(row.why)],
  ], entry.fates);
  return [
    panel(null, facts([
      ["Message", code(entry.id)],
      ["State", [badge(entry.state), entry.hold_asked && muted(" held when the attempt is over")]],
      ["Delegate", link(place("delegates", { name: entry.delegate }), value(entry.delegate))],
      ["MAIL FROM", value(entry.mail_from, { empty: "<>" })],
      ["Size", size(entry.size)],
      ["Accepted", time(entry.accepted_at)],
      ["Attempts", [String(entry.attempts), entry.maybe_sent > 0 && h("span", { class: "note doubt" }, ` after ${entry.maybe_sent} of them SES may have it`)]],
      ["Next attempt", entry.next_attempt_at && time(entry.next_attempt_at)],
      ["Kept until", entry.kept_until && time(entry.kept_until)],
      ["Reason", value(entry.reason)],
      ["Last answer", value(entry.last)],
      ["Notification", entry.notice && code(entry.notice)],
      ["Came from", [code(entry.session.client), " at ", code(entry.session.listener), " as ", value(entry.session.helo), " by ", entry.session.protocol]],
    ]), actions(entry, page)),
    panel(null, fates),
  ];
}
