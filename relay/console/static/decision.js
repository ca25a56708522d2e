// One decision: what became of the message, and the whole explanation as a chain.

import { get, path } from "./api.js";
import { chain } from "./chain.js";
import { code, duration, facts, h, link, muted, panel, place, size, time, value, values } from "./dom.js";
import { badge, ROLES } from "./words.js";

const reply = (told) => told && code([told.code, told.status, told.text].filter(Boolean).join(" "));

function head(record) {
  return facts([
    ["When", time(record.time)],
    ["Ended", [badge(record.outcome), " ", record.reason === "none" ? null : value(record.reason)]],
    ["The client heard", reply(record.reply)],
    ["Spared by observing", reply(record.unenforced)],
    ["Delegate", record.delegate === "-" ? muted("before AUTH") : link(place("delegates", { name: record.delegate }), value(record.delegate))],
    ["Client", [code(record.client), " at ", code(record.listener)]],
    ["MAIL FROM", record.reverse_path && code(record.reverse_path)],
    ["Recipients", values(record.recipients)],
    ["Display name", record.display_name && value(record.display_name)],
    ["Rule broken", record.rule && code(record.rule)],
    ["SES's message id", record.ses_id && code(record.ses_id)],
    ["SES said", record.ses_error && value(record.ses_error)],
    ["In the spool as", record.queue_id && link(place(["spool", record.queue_id]), code(record.queue_id))],
    ["Size", record.bytes !== null && size(record.bytes)],
    ["Took", `${duration(record.timings.total)}${record.timings.ses === null || record.timings.ses === undefined ? "" : `, of which SES ${duration(record.timings.ses)}`}`],
    ["Decision id", code(record.id)],
  ]);
}

// What the record tells by itself, where the judge cannot be asked again.
function recorded(record) {
  if (!record.roles.length) return h("p", null, "It ended before any policy was asked.");
  return h("ul", { class: "statements" }, record.roles.map((role) => h("li", { class: "statement" },
    h("p", { class: "head" }, ROLES[role.role] ?? role.role, " ", code(role.address), " ", badge(role.verdict)),
    facts([["Identity", code(role.identity)], ["Because", role.chosen], ["Result", role.why]]))));
}

export const title = "Decision";
export async function show({ parts, signal }) {
  const record = await get(path(["api", "decisions", parts[1]]), signal);
  const told = await get(path(["api", "decisions", parts[1], "explanation"]), signal).catch((problem) => {
    if (problem.name === "AbortError") throw problem;
    return { not_judged_again: problem.message, policies_gone: [], explanation: null };
  });
  const notes = [
    told.same_answer === false && h("p", { class: "note doubt" }, "The judge answers otherwise now: the settings are not those of then, or texts of policies are gone."),
    told.policies_gone.length > 0 && h("p", { class: "note doubt" }, `${told.policies_gone.length} of the policies of then are not kept; [journal] path keeps them.`),
  ];
  const why = told.explanation
    ? [h("p", { class: "muted" }, "Judged again just now, by the policies of then."), notes, chain(told.explanation)]
    : [h("p", { class: "note" }, "Not judged again: ", told.not_judged_again, "."), recorded(record)];
  return [panel("Why", why), panel("What happened", head(record))];
}
