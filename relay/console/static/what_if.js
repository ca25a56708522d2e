// What would become of a message that was never sent: the same judge, the same explanation. Nothing is sent or kept.

import { get, post } from "./api.js";
import { chain } from "./chain.js";
import { choice, field, h, input, panel } from "./dom.js";

// What of a file is looked at: policies ask for its header alone, and the relay takes no more.
const LARGEST_FILE = 700000;
const EXAMPLE = `{"Version": "2012-10-17", "Statement": [ ... ]}`;

async function base64(file) {
  const octets = new Uint8Array(await file.slice(0, LARGEST_FILE).arrayBuffer());
  let text = "";
  for (let start = 0; start < octets.length; start += 32768) text += String.fromCharCode(...octets.subarray(start, start + 32768));
  return btoa(text);
}

// RFC 2047: a display name as an encoded word, in pieces of at most 45 octets.
function encoded(name) {
  const pieces = [];
  let piece = "";
  for (const each of name) {
    if (new TextEncoder().encode(piece + each).length > 45) {
      pieces.push(piece);
      piece = "";
    }
    piece += each;
  }
  const word = (text) => `=?utf-8?B?${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}?=`;
  return [...pieces, piece].map(word).join(" ");
}

const oneLine = (text) => text.replace(/[\r\n]+/g, " ").trim();

async function question(form) {
  const text = (name) => oneLine(form.elements[name].value);
  const asked = { delegate: text("delegate"), recipients: text("recipients").split(/[\s,;]+/).filter(Boolean) };
  const [file] = form.elements.file.files;
  if (file) asked.message_base64 = await base64(file);
  else if (text("display_name") || text("return_path")) {
    const name = text("display_name") ? `${encoded(text("display_name"))} ` : "";
    const path = text("return_path");
    asked.message = `${path ? `Return-Path: <${path.replace(/[<>]/g, "")}>\r\n` : ""}From: ${name}<${text("from").replace(/[<>]/g, "")}>\r\n\r\n`;
  } else asked.from = text("from");
  if (text("mail_from")) asked.mail_from = text("mail_from");
  if (text("at")) asked.at = text("at");
  if (text("identity")) asked.policies = { [text("identity")]: form.elements.policy.value.trim() ? { pasted: form.elements.policy.value } : {} };
  return asked;
}

export const title = "What if";
export async function show({ query, signal, session, focus }) {
  const known = await get("/api/delegates?limit=500", signal);
  const identities = session.asker.delegates ? { identities: [] } : await get("/api/identities?limit=500", signal);
  const control = {
    delegate: choice("delegate", known.delegates.map((each) => each.name), query.get("delegate") ?? ""),
    from: input("from", { type: "text", inputmode: "email", value: query.get("from") ?? "" }),
    recipients: input("recipients", { value: query.get("recipients") ?? "" }),
    display_name: input("display_name"),
    mail_from: input("mail_from"),
    return_path: input("return_path"),
    at: input("at", { placeholder: "2026-11-21T12:00:00Z" }),
    file: h("input", { type: "file", name: "file", accept: ".eml,message/rfc822" }),
    identity: input("identity", { list: "identities" }),
    policy: h("textarea", { name: "policy", rows: 8, spellcheck: "false", placeholder: EXAMPLE }),
  };
  const answer = h("div", { "aria-live": "polite" });
  const form = h("form", null,
    h("div", { class: "fields" },
      field("Delegate", control.delegate),
      field("From", control.from, "The author's address."),
      field("Recipients", control.recipients, "Several by commas."),
      field("Or a message", control.file, "An .eml file, in the place of From.")),
    h("details", null, h("summary", null, "More of the message"), h("div", { class: "fields" },
      field("Display name", control.display_name),
      field("MAIL FROM", control.mail_from, "Without it, the author. <> is the null one."),
      field("Return-Path", control.return_path),
      field("At the time", control.at, "Without it, now."))),
    h("details", null, h("summary", null, "By another policy"),
      h("datalist", { id: "identities" }, identities.identities.map((each) => h("option", { value: each.arn }))),
      field("Identity", control.identity, "Its ARN. It is judged as if it were verified and had this policy and no other."),
      field("Policy", control.policy)),
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Judge")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const heading = h("h2", { tabindex: "-1" }, "The answer");
    try {
      answer.replaceChildren(h("section", { class: "panel" }, heading, chain(await post("/api/explain", await question(form), signal))));
    } catch (problem) {
      if (problem.name === "AbortError") return;
      answer.replaceChildren(h("section", { class: "panel" }, heading, h("p", { class: "note bad" }, "It cannot be judged so: ", problem.message)));
    }
    focus(heading);
  });
  return [panel("The message", h("p", { class: "muted" }, "Nothing is sent, counted or kept."), form), answer];
}
