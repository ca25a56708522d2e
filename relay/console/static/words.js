// What the relay's words mean, for people who know mail but not IAM; each with a sign, for who sees no colours.

import { code, h, muted, values } from "./dom.js";

// Tone and sign: of verdicts, of how messages end, of states.
const TONES = {
  __proto__: null, // or a word such as "constructor" would be found
  allowed: ["good", "\u2713"], accepted: ["good", "\u2713"], sent: ["good", "\u2713"], good: ["good", "\u2713"], enforce: ["good", "\u2713"],
  queued: ["calm", "\u2026"], due: ["calm", "\u2026"], sending: ["calm", "\u2192"], open: ["calm", "\u2026"],
  denied: ["bad", "\u2715"], "not-allowed": ["bad", "\u2715"], refused: ["bad", "\u2715"], rejected: ["bad", "\u2715"], malformed: ["bad", "\u2715"],
  failed: ["bad", "\u2715"], suspended: ["bad", "\u2715"], quarantined: ["bad", "!"],
  undecided: ["doubt", "?"], deferred: ["doubt", "\u21bb"], held: ["doubt", "\u2016"], warned: ["doubt", "!"], slowed: ["doubt", "!"],
  sealed: ["doubt", "~"], observe: ["doubt", "\u25cb"], aborted: ["plain", "\u2013"],
};
const WORDS = { __proto__: null, "not-allowed": "not allowed" };
export const tone = (word) => TONES[word]?.[0] ?? "plain";
export function badge(word, text) {
  const [kind, sign] = TONES[word] ?? ["plain", "\u00b7"];
  return h("span", { class: `badge ${kind}` }, h("span", { "aria-hidden": "true" }, sign), " ", text ?? WORDS[word] ?? word);
}

export const VERDICTS = {
  __proto__: null,
  allowed: "The message may go.",
  denied: "A policy of the identity's owner forbids it.",
  "not-allowed": "No policy of the identity's owner permits it.",
  sealed: "The relay cannot see the owner's policies; the message may go, and SES judges.",
  undecided: "It is not known now what the owner's policies say; nothing is sent meanwhile.",
  refused: "Not for a policy, but for what the message asks of SES.",
  malformed: "It is not even judged: the form of the message is refused.",
};
export const ROLES = {
  __proto__: null,
  from: "Author (From)",
  feedback: "Feedback address (Return-Path, else MAIL FROM)",
  envelope: "MAIL FROM, which differs from the feedback address",
};

const COMPARED = {
  __proto__: null,
  StringEquals: "is", StringNotEquals: "is none of", StringEqualsIgnoreCase: "is, in any case,", StringNotEqualsIgnoreCase: "is, in any case, none of",
  StringLike: "is like", StringNotLike: "is not like", ArnEquals: "is like", ArnLike: "is like", ArnNotEquals: "is not like", ArnNotLike: "is not like",
  NumericEquals: "is", NumericNotEquals: "is none of", NumericLessThan: "is below", NumericLessThanEquals: "is at most",
  NumericGreaterThan: "is above", NumericGreaterThanEquals: "is at least", DateEquals: "is at", DateNotEquals: "is not at",
  DateLessThan: "is before", DateLessThanEquals: "is not after", DateGreaterThan: "is after", DateGreaterThanEquals: "is not before",
  Bool: "is", BinaryEquals: "is", IpAddress: "is within", NotIpAddress: "is outside", Null: "is absent:",
};
const WHOSE = { __proto__: null, ForAllValues: "every one of ", ForAnyValue: "one of " };
const KEYS = {
  __proto__: null,
  "ses:fromaddress": "the From address", "ses:fromdisplayname": "the display name in From", "ses:feedbackaddress": "the feedback address",
  "ses:recipients": "the recipients", "aws:currenttime": "the time", "aws:epochtime": "the time", "aws:sourceip": "the address the relay sends from",
  "aws:principalarn": "the delegate's ARN", "aws:securetransport": "TLS", "aws:principalaccount": "the delegate's account",
};

// A condition up to its values: ["every one of the recipients", "is like"]. An operator we have no words for stays as it is.
export function condition(operator, key) {
  const [quantifier, spelled] = (operator ?? "").includes(":") ? operator.split(":") : ["", operator ?? ""];
  const optional = spelled.endsWith("IfExists");
  const bare = optional ? spelled.slice(0, -"IfExists".length) : spelled;
  const subject = `${WHOSE[quantifier] ?? ""}${KEYS[(key ?? "").toLowerCase()] ?? key}${optional ? ", if any," : ""}`;
  return [subject, COMPARED[bare] ?? bare];
}

export const nameOf = (statement) => `${statement.policy}/${statement.sid || statement.index}`;
export const isSame = (one, other) => one && other && one.policy === other.policy && one.index === other.index;

const SENDING = new Set(["ses:sendrawemail", "ses:sendemail", "ses:sendtemplatedemail", "ses:sendbulktemplatedemail", "ses:send*"]);
const EVERYBODY = "everybody";

const anyOf = (texts) => texts.map((text, index) => [index ? (index === texts.length - 1 ? " or " : ", ") : "", code(text)]);
const deeds = (actions) => actions.every((each) => SENDING.has(each.toLowerCase())) ? ["send mail ", muted("(", anyOf(actions), ")")] : ["do ", anyOf(actions)];

// One statement as a sentence, of what the relay reads in it.
export function sentence(statement) {
  const { principals, actions, resources, conditions } = statement;
  const who = principals.values.length === 1 && principals.values[0] === "*" ? EVERYBODY : anyOf(principals.values);
  const head = h("p", { class: "sentence" },
    badge(statement.effect === "Allow" ? "allowed" : "denied", statement.effect === "Allow" ? "Allows" : "Forbids"), " ",
    principals.negated ? ["everybody but ", who] : who, " to ",
    actions.negated ? ["do all but ", anyOf(actions.values)] : deeds(actions.values), " as ",
    resources.negated ? ["every identity but ", anyOf(resources.values)] : anyOf(resources.values),
    conditions.length ? ", if" : ".");
  const wishes = conditions.map(({ operator, key, values: wanted }) => {
    const [subject, compared] = condition(operator, key);
    return h("li", null, `${subject} ${compared} `, anyOf(wanted), " ", muted("(", code(`${operator} ${key}`), ")"));
  });
  return [head, wishes.length > 0 && h("ul", { class: "wishes" }, wishes)];
}

const ELEMENTS = {
  __proto__: null,
  Principal: "It is for somebody else", NotPrincipal: "It is for everybody but these", Action: "It is for other actions", NotAction: "It is for all actions but these",
  Resource: "It is for another identity", NotResource: "It is for all identities but these",
};

// Why a statement does not apply: what it wants beside what was found.
export function mismatch(found) {
  const [subject, compared] = found.element === "Condition" ? condition(found.operator, found.key) : [ELEMENTS[found.element] ?? found.element, ""];
  const about = found.element === "Condition" ? [`${subject} ${compared} \u2026`, " ", muted("(", code(`${found.operator} ${found.key}`), ")")] : `${subject}.`;
  return h("div", { class: "mismatch" }, h("p", null, about),
    h("dl", { class: "against" },
      h("div", null, h("dt", null, "wanted"), h("dd", null, values(found.wanted))),
      h("div", null, h("dt", null, "found"), h("dd", null, found.found === null ? muted("it is absent") : values(found.found)))));
}
