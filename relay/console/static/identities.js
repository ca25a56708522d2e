// Identities with their age, and the policies of one: as sentences, beside their text.

import { get, path, post } from "./api.js";
import { code, duration, facts, finder, h, input, link, muted, panel, place, shown, table, value } from "./dom.js";
import { badge, sentence } from "./words.js";

const verified = (row) => (row.problem ? badge("undecided", "not known") : row.verified ? badge("good", "verified") : badge("aborted", "not verified"));
const age = (row) => (row.age === null ? muted("never read") : `${duration(row.age)} ago`);

const troubles = (row) => [row.problem, ...row.troubles].filter(Boolean);

function policiesIn(row) {
  const broken = row.policies.filter((policy) => policy.problem).length;
  return [String(row.policies.length), broken > 0 && [" ", badge("undecided", `${broken} unreadable`)]];
}

function again(arn, session, said) {
  if (!session.asker.may_change || session.asker.delegates) return null;
  const button = h("button", { type: "button" }, arn ? "Read it again" : "Read all again");
  button.addEventListener("click", async () => said(post("/api/identities/refresh", arn ? { identity: arn } : {}), "It is read again as soon as may be."));
  return h("div", { class: "actions" }, button);
}

export const title = "Identities";
export async function show({ query, signal, go, session, said }) {
  const asked = { name: query.get("name") ?? "", after: query.get("after") ?? "" };
  const told = await get(path(["api", "identities"], asked), signal);
  const list = table("Identities", [
    ["Identity", (row) => link(place(["identities", row.arn]), value(row.arn.split("/").slice(1).join("/")))],
    ["Account", (row) => code(row.arn.split(":")[4])],
    ["Region", (row) => code(row.arn.split(":")[3])],
    ["Status", (row) => [verified(row), row.problem && muted(" ", row.problem)]],
    ["Read", age],
    ["Policies", policiesIn],
    ["In use", (row) => (row.in_use === null ? muted("not counted") : row.in_use ? "yes" : "no")],
  ], told.identities, { empty: "No identity like that." });
  const places = table("Where they are read from", [
    ["Account", (row) => code(row.account)],
    ["Region", (row) => code(row.region)],
    ["From", (row) => (row.source === "ses" ? "Amazon SES" : "a folder")],
    ["Identities", (row) => String(row.identities)],
    ["Listed", (row) => (row.listed_age === null ? muted("never") : `${duration(row.listed_age)} ago`)],
    ["Revoked within", (row) => (row.revocation === null ? muted("unknown") : duration(row.revocation))],
    ["Troubles", (row) => (troubles(row).length ? troubles(row).map((why) => h("p", null, badge("undecided", "trouble"), " ", why)) : muted("none"))],
  ], told.places);
  return [panel("Which", finder("identities", [["Domain or address", input("name", { value: asked.name })]], go)), panel(null, list, told.next && link(place("identities", { ...asked, after: told.next }), "More"), again(null, session, said)), panel(null, places)];
}

function policy(each) {
  const text = each.text === null ? h("p", { class: "muted" }, "Its text is not at hand.") : h("pre", { tabindex: "0", role: "region", "aria-label": `Text of ${shown(each.name)}` }, document.createTextNode(shown(pretty(each.text), { lines: true })));
  return panel(["Policy ", value(each.name)],
    each.problems.map((problem) => h("p", { class: "note bad" }, badge("undecided", "cannot be judged by"), " at ", code(problem.path), ": ", problem.why)),
    h("div", { class: "beside" },
      h("ul", { class: "statements" }, each.statements.map((statement) => h("li", { class: "statement" },
        h("p", { class: "head" }, h("strong", null, code(statement.sid ?? `statement ${statement.index}`))), sentence(statement)))),
      h("details", null, h("summary", null, "As JSON"), text, h("p", { class: "muted" }, "SHA-256 ", code(each.digest)))));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export const titleOfOne = "Identity";
export async function showOne({ parts, signal, session, said }) {
  const arn = parts[1];
  const [told, listed] = await Promise.all([
    get(path(["api", "identities", "policies"], { identity: arn }), signal),
    get(path(["api", "identities"], { name: arn.split("/").slice(1).join("/"), limit: 500 }), signal),
  ]);
  const row = listed.identities.find((each) => each.arn === arn);
  return [
    panel(null, facts([["ARN", code(arn)], ["Status", row && verified(row)], ["Read", row && age(row)], ["Trouble", row?.problem]]), again(arn, session, said)),
    told.policies.length ? told.policies.map(policy) : panel(null, h("p", { class: "empty" }, "It has no policy: nobody but its owner may send as it.")),
  ];
}
