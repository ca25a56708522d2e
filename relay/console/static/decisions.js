// Recent decisions: found by fields that stand in the address, or by the id that a refused client was told.

import { get, path } from "./api.js";
import { choice, field, h, input, link, muted, panel, place, table, time, value } from "./dom.js";
import { badge } from "./words.js";

const VERDICTS = ["", "denied", "not-allowed", "undecided", "sealed", "allowed"];
const OUTCOMES = ["", "accepted", "queued", "rejected", "deferred", "aborted"];
const REASONS = ["", "none", "policy-denied", "policy-not-allowed", "policy-undecided", "identity-unknown", "message-form", "address-form", "size",
  "recipients", "quota", "rate", "ses-refused", "ses-throttled", "ses-unavailable", "ses-credentials", "spool-full", "shutting-down", "client-gone", "internal"];
const FIELDS = ["delegate", "verdict", "outcome", "reason", "since", "until"];

function chooser(query, go) {
  const now = (name) => query.get(name) ?? "";
  const controls = {
    delegate: input("delegate", { value: now("delegate"), maxlength: 64 }),
    verdict: choice("verdict", VERDICTS, now("verdict")),
    outcome: choice("outcome", OUTCOMES, now("outcome")),
    reason: choice("reason", REASONS, now("reason")),
    since: input("since", { value: now("since"), placeholder: "2026-11-21T12:00Z" }),
    until: input("until", { value: now("until"), placeholder: "2026-11-21T13:00Z" }),
  };
  const labels = { delegate: "Delegate", verdict: "Verdict", outcome: "Outcome", reason: "Reason", since: "Since", until: "Until" };
  const form = h("form", { class: "fields" }, FIELDS.map((name) => field(labels[name], controls[name])),
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Find"), link(place("decisions"), "All")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(place("decisions", Object.fromEntries(FIELDS.map((name) => [name, controls[name].value.trim()]))));
  });
  return form;
}

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
  const narrowed = FIELDS.some((name) => asked[name]) || window.matchMedia("(min-width: 44rem)").matches;
  return [panel("Find", byId(go), h("details", { open: narrowed }, h("summary", null, "By its fields"), chooser(query, go))), panel(null, list, pages)];
}
