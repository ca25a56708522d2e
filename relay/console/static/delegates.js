// Delegates: who each is to AWS, what holds for it, what became of its mail, how it stands.

import { get, path, post } from "./api.js";
import { code, facts, finder, h, input, link, muted, panel, place, table, time, value, values } from "./dom.js";
import { badge } from "./words.js";

const OUTCOMES = ["accepted", "queued", "deferred", "rejected", "aborted"];
const WINDOWS = { "1h": "1 hour", "24h": "24 hours", "7d": "7 days" };
const rate = (share) => (share === null || share === undefined ? "\u2013" : `${(share * 100).toFixed(2)} %`);

function standing(each, session, confirmed) {
  const { feedback } = each;
  if (!feedback) return null;
  const windows = Object.entries(feedback.windows ?? {});
  const button = session.asker.may_change && feedback.standing !== "good" && h("button", { type: "button" }, "Let it send as ever");
  const consequence = "What its mail did before is forgiven. It is judged by what it sends from now on.";
  const act = () => post(path(["api", "delegates", each.name, "resume"]));
  if (button) button.addEventListener("click", () => confirmed({ label: "Let it send", question: `Let ${each.name} send as ever?`, consequence, act }));
  return [
    h("h3", null, "Feedback of SES"),
    facts([["Standing", badge(feedback.standing)], ["Since", feedback.since && time(feedback.since)], ["Until", feedback.until && time(feedback.until)], ["Because", feedback.why]]),
    windows.length > 0 && table(`Feedback on ${each.name}`, [
      ["In", ([name]) => WINDOWS[name] ?? name],
      ["Sent", ([, told]) => String(told.sent)],
      ["Delivered", ([, told]) => String(told.delivered)],
      ["Bounced", ([, told]) => `${told.bounced} (${rate(told.bounce_rate)})`],
      ["Complained", ([, told]) => `${told.complained} (${rate(told.complaint_rate)})`],
      ["Rejected", ([, told]) => String(told.rejected)],
    ], windows),
    button && h("div", { class: "actions" }, button),
  ];
}

function quota(each) {
  if (each.daily_recipients === null) return "no limit";
  const used = each.recipients_today ?? 0;
  return [`${used} of ${each.daily_recipients} `, h("meter", { min: 0, max: Math.max(1, each.daily_recipients), value: used, "aria-label": `Recipients of ${each.name} today` })];
}

function card(each, { session, confirmed }) {
  return panel([value(each.name), " ", each.mode === "observe" && badge("observe", "observed")],
    facts([
      ["To AWS", code(each.principal, { empty: "not known until STS tells" })],
      ["By the role", each.role && [code(each.role.arn), each.role.trouble && h("p", { class: "note bad" }, badge("failed", "cannot be assumed"), " ", each.role.trouble)]],
      ["Proves itself by", each.mechanisms.length ? each.mechanisms.join(", ") : muted("no AUTH")],
      ["AUTH from", each.allowed_networks.length ? values(each.allowed_networks) : "everywhere"],
      ["Trusted networks", each.trusted_networks.length > 0 && values(each.trusted_networks)],
      ["Recipients a second", each.rate === null ? "no limit" : String(each.rate)],
      ["Recipients in 24 hours", quota(each)],
      ["Observed", each.mode === "observe" && (each.observed_until ? ["until ", time(each.observed_until)] : "without an end")],
      ["Last seen", time(each.last_seen)],
      ["Messages", h("span", { class: "counts" }, OUTCOMES.map((outcome) => h("span", null, badge(outcome), ` ${(each.messages[outcome] ?? 0).toLocaleString()}`)))],
      ["Recipients taken", each.recipients.toLocaleString()],
    ]),
    standing(each, session, confirmed),
    h("p", { class: "ways" }, link(place("decisions", { delegate: each.name }), "Decisions"), link(place("traffic", { delegate: each.name }), "Traffic"), link(place("what-if", { delegate: each.name }), "What if")));
}

export const title = "Delegates";
export async function show(page) {
  const { query, signal, go } = page;
  const asked = { name: query.get("name") ?? "", after: query.get("after") ?? "", limit: 50 };
  const told = await get(path(["api", "delegates"], asked), signal);
  return [
    panel("Which", finder("delegates", [["Delegate", input("name", { value: asked.name, maxlength: 64 })]], go)),
    h("p", { class: "muted" }, "Messages are counted since ", time(told.counted_since), "."),
    told.delegates.length ? h("div", { class: "cards" }, told.delegates.map((each) => card(each, page))) : panel(null, h("p", { class: "empty" }, "No delegate like that.")),
    told.next && link(place("delegates", { ...asked, after: told.next }), "More"),
  ];
}
