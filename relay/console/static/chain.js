// An explanation drawn as a chain: who asks, what about, which identity governs, what each statement said, what comes of it.

import { code, facts, h, muted, value, values } from "./dom.js";
import { badge, isSame, mismatch, nameOf, ROLES, tone, VERDICTS } from "./words.js";

const link = (kind, title, ...children) =>
  h("li", { class: `link ${kind}` }, h("div", { class: "knot", "aria-hidden": "true" }), h("div", { class: "body" }, h("h3", null, title), children));

// What decided, before anything else: the answer, and the statement or condition it hangs on.
function answer(told) {
  const decisive = (told.questions ?? []).filter((each) => each.verdict === told.verdict).map(decider).find(Boolean);
  const advice = (told.questions ?? []).find((each) => each.verdict === told.verdict && each.advice.length)?.advice[0];
  const why = (told.questions ?? []).find((each) => each.verdict === told.verdict && each.why)?.why;
  return h("div", { class: `answer ${tone(told.verdict)}` },
    h("p", { class: "verdict" }, badge(told.verdict), " ", VERDICTS[told.verdict] ?? ""),
    why && h("p", null, why),
    decisive,
    advice && h("p", null, h("strong", null, "To pass: "), advice));
}

function decider(question) {
  for (const asked of question.asked) {
    const statement = asked.statements.find((each) => asked.because.some((ref) => isSame(ref, each)));
    if (statement) return h("p", null, "Decided by ", code(nameOf(statement)), ` (${statement.effect}).`);
    const close = asked.statements.find((each) => isSame(asked.nearest, each));
    if (close?.mismatch) return [h("p", null, "Closest to allowing it: ", code(nameOf(close)), "."), mismatch(close.mismatch)];
  }
  return null;
}

function asker(delegate) {
  return link("plain", "Who asks", facts([
    ["Delegate", code(delegate.name)],
    ["To AWS", code(delegate.principal, { empty: "not known yet" })],
    ["By the role", delegate.role && code(delegate.role)],
  ]));
}

function message(told) {
  const { message: about, envelope } = told;
  if (!about && !envelope) return null;
  return link("plain", "What it asks", facts([
    ["From", about && [about.display_name ? [value(about.display_name), " "] : null, code(about.from)]],
    ["Return-Path", about?.return_path && code(about.return_path)],
    ["MAIL FROM", envelope && code(envelope.mail_from)],
    ["Recipients", envelope && values(envelope.recipients)],
    ["X-SES-SOURCE-ARN", about?.source_arn && code(about.source_arn)],
    ["X-SES-FROM-ARN", about?.from_arn && code(about.from_arn)],
    ["X-SES-RETURN-PATH-ARN", about?.return_path_arn && code(about.return_path_arn)],
    ["Repaired", told.repairs?.length > 0 && told.repairs.join(", ")],
  ]));
}

const FATES = { applies: ["applies", "\u2713"], "does not apply": ["does not apply", "\u2013"], "may apply": ["hangs on what is not known", "?"] };

function statement(each, asked) {
  const decides = asked.because.some((ref) => isSame(ref, each));
  const close = !decides && isSame(asked.nearest, each);
  const [words, sign] = FATES[each.fate] ?? [each.fate, "\u00b7"];
  const kind = each.fate === "applies" ? (each.effect === "Deny" ? "bad" : "good") : each.fate === "may apply" ? "doubt" : "plain";
  const mark = decides ? "decided" : close ? "closest" : null;
  const doubted = each.mismatch?.found && each.unknown.includes(each.mismatch.key?.toLowerCase());
  return h("li", { class: `statement ${kind}${mark ? ` ${mark}` : ""}` },
    h("p", { class: "head" },
      h("span", { class: `sign ${kind}`, "aria-hidden": "true" }, each.fate === "applies" && each.effect === "Deny" ? "\u2715" : sign), " ",
      h("strong", null, code(nameOf(each))), ` ${each.effect} `, muted(words, each.grant === "account" ? ", through the whole account" : ""),
      mark && h("span", { class: "mark" }, mark === "decided" ? "this decided" : "closest to allowing it")),
    each.mismatch && mismatch(each.mismatch),
    each.unknown.length > 0 && h("p", null, "Hangs on ", values(each.unknown), doubted ? "of which AWS does not say whether it matches." : "which the relay does not know."));
}

function inquiry(asked, question) {
  const order = (each) => asked.because.some((ref) => isSame(ref, each)) ? 0 : isSame(asked.nearest, each) ? 1 : 2;
  const sorted = [...asked.statements].sort((one, other) => order(one) - order(other));
  const [first, rest] = [sorted.filter((each) => order(each) < 2), sorted.filter((each) => order(each) === 2)];
  const list = (statements) => h("ul", { class: "statements" }, statements.map((each) => statement(each, asked)));
  return h("div", { class: "inquiry" },
    asked.identity !== question.identity && h("p", null, "Asked as well: ", code(asked.identity)),
    asked.reading && h("p", null, "Read as: ", asked.reading),
    first.length > 0 && list(first),
    rest.length > 0 && (first.length
      ? h("details", null, h("summary", null, `${rest.length} other ${rest.length === 1 ? "statement" : "statements"}, which did not matter`), list(rest))
      : list(rest)),
    asked.problems.map((problem) => h("p", { class: "statement doubt" }, badge("undecided", "unreadable"), " policy ", code(problem.policy), " at ", code(problem.path), ": ", problem.why)),
    !asked.statements.length && !asked.problems.length && h("p", { class: "muted" }, "It has no policy that could permit anybody."));
}

function question(each, before) {
  const alike = before && each.asked.length && JSON.stringify(each.asked) === JSON.stringify(before.asked);
  return link(tone(each.verdict), [ROLES[each.role] ?? each.role, " ", badge(each.verdict)],
    facts([
      ["Address", code(each.address)],
      ["Identity that governs", code(each.identity)],
      ["Because", each.chosen],
      ["Result", each.why],
    ]),
    alike ? h("p", { class: "muted" }, "By the same statements as above.") : each.asked.map((asked) => inquiry(asked, each)),
    each.advice.length > 0 && h("div", { class: "advice" }, h("h4", null, "What would make it pass"), h("ul", null, each.advice.map((advice) => h("li", null, advice)))));
}

function ending(told) {
  const { permit } = told;
  return link(tone(told.verdict), ["What comes of it ", badge(told.verdict)],
    told.unenforced && h("p", null, "The delegate is observed: the message goes all the same. Enforced, the client would hear ", code(told.unenforced)),
    told.rule && h("p", null, "It breaks rule ", code(told.rule), " of the strict profile.", told.repair && [" The repair ", code(told.repair), " would let it pass."]),
    told.reply && facts([["The client hears", code(told.reply)]]),
    permit && facts([
      ["SES is told", code(permit.api)],
      ["In", code(permit.region)],
      ["Source", code(permit.source)],
      ["SourceArn", permit.source_arn && code(permit.source_arn)],
      ["FromArn", permit.from_arn && code(permit.from_arn)],
      ["ReturnPathArn", permit.return_path_arn && code(permit.return_path_arn)],
      ["Configuration set", permit.configuration_set && code(permit.configuration_set)],
    ]));
}

// The whole of what POST /api/explain and the explanation of a decision answer.
export function chain(told) {
  const questions = (told.questions ?? []).map((each, index, all) => question(each, all[index - 1]));
  return [answer(told), h("ol", { class: "chain" }, asker(told.delegate), message(told), questions, ending(told))];
}
