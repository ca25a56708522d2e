// Recent decisions: found by fields that stand in the address, or by the id that a refused client was told.

import { get, path } from "./api.js";
import { choice, field, foldedFinder, h, input, link, muted, panel, place, table, time, value } from "./dom.js";
import { badge } from "./words.js";

const VERDICTS = ["", "denied", "not-allowed", "undecided", "sealed", "allowed"];
const OUTCOMES = ["", "accepted", "queued", "rejected", "deferred", "aborted"];
const REASONS = ["", "none", "policy-denied", "policy-not-allowed", "policy-undecided", "identity-unknown", "message-form", "address-form", "size",
  "recipients", "quota", "rate", "ses-refused", "ses-throttled", "ses-unavailable", "ses-credentials", "spool-full", "shutting-down", "client-gone", "internal"];
const FIELDS = ["delegate", "verdict", "outcome", "reason", "since", "until"];

const chooser = (asked, go) => foldedFinder("decisions", [
  ["Delegate", input("delegate", { value: asked.delegate, maxlength: 64 })],
  ["Verdict", choice("verdict", VERDICTS, asked.verdict)],
  ["Outcome", choice("outcome", OUTCOMES, asked.outcome)],
  ["Reason", choice("reason", REASONS, asked.reason)],
  ["Since", input("since", { value: asked.since, placeholder: "2026-11-21T12:00Z" })],
  ["Until", input("until", { value: asked.until, placeholder: "2026-11-21T13:00Z" })],
], go);

function byId(go) {
  const control = input("id", { required: true, maxlength: 128, pattern: "[0-9A-Za-z._\\-]+" });
  const form = h("form", { class: "fields" }, field("Decision id", control, "It stands in the reply that the client got, as \u201cdecision 7f3a\u2026\u201d."),
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Show")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(place(["decisions", control.value.trim()]));
  });
  return form;
}

const author = (record) => record.roles.find((role) => role.role === "from")?.address ?? record.reverse_path;
const others = (record) => record.recipients.length > 1 && muted(` and ${record.recipients.length - 1} more`);

export const title = "Decisions";
export async function show({ query, signal, go }) {
  const asked = Object.fromEntries([...FIELDS, "after"].map((name) => [name, query.get(name) ?? ""]));
  const told = await get(path(["api", "decisions"], { ...asked, limit: 50 }), signal);
  const list = table("Decisions, the newest first", [
    ["When", (record) => link(place(["decisions", record.id]), time(record.time))],
    ["Outcome", (record) => badge(record.outcome)],
    ["Reason", (record) => record.reason === "none" ? muted("none") : value(record.reason)],
    ["Delegate", (record) => record.delegate === "-" ? muted("before AUTH") : value(record.delegate)],
    ["From", (record) => value(author(record), { empty: "unknown" })],
    ["To", (record) => [value(record.recipients[0]), others(record)]],
  ], told.decisions, { empty: asked.after ? "No older ones." : "No decision like that is kept." });
  const pages = h("nav", { class: "paging", "aria-label": "Pages of decisions" },
    asked.after && link(place("decisions", { ...asked, after: "" }), "Newest"),
    told.next && link(place("decisions", { ...asked, after: told.next }), "Older"));
  return [panel("Find", byId(go), chooser(asked, go)), panel(null, list, pages)];
}
