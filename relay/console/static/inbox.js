// What the demo's embedded SES took. Text is shown as text, and HTML as its source: nothing of a message is rendered.

import { get, path } from "./api.js";
import { code, facts, h, link, muted, panel, place, shown, size, table, time, value, values } from "./dom.js";

export const title = "Inbox";
export async function show({ query, signal }) {
  const told = await get(path(["api", "inbox"], { after: query.get("after") ?? "", limit: 50 }), signal);
  const list = table("Messages that the embedded SES took, the newest first", [
    ["Subject", (mail) => link(place(["inbox", mail.id]), value(mail.subject, { empty: "no subject" }))],
    ["From", (mail) => value(mail.from)],
    ["To", (mail) => [value(mail.recipients[0]), mail.recipients.length > 1 && muted(` and ${mail.recipients.length - 1} more`)]],
    ["Taken", (mail) => time(mail.received_at)],
    ["Size", (mail) => size(mail.size)],
  ], told.messages, { empty: "No message yet. The words with which the demo started show how to send one." });
  return [h("p", { class: "muted" }, "Nothing of this was delivered to anybody."), panel(null, list, told.next && link(place("inbox", { after: told.next }), "Older"))];
}

const source = (name, text) => text && h("details", { open: name === "Text" }, h("summary", null, name),
  h("pre", { tabindex: "0", role: "region", "aria-label": name }, document.createTextNode(shown(text, { lines: true }))));

export const titleOfOne = "Message taken";
export async function showOne({ parts, signal }) {
  const mail = await get(path(["api", "inbox", parts[1]]), signal);
  return [
    panel(null, facts([
      ["Subject", value(mail.subject, { empty: "no subject" })],
      ["From", value(mail.from)],
      ["Recipients", values(mail.recipients)],
      ["Taken", time(mail.received_at)],
      ["SES's message id", code(mail.id)],
      ["Source", code(mail.source)],
      ["SourceArn", code(mail.arns.source_arn)],
      ["FromArn", code(mail.arns.from_arn)],
      ["ReturnPathArn", code(mail.arns.return_path_arn)],
      ["Sent by", code(mail.principal)],
    ])),
    panel("What it says", source("Text", mail.text), source("Source of its HTML", mail.html),
      mail.others.length > 0 && h("p", null, "It holds also: ", values(mail.others.map((other) => [other.type, other.name].filter(Boolean).join(" "))))),
    panel(null, table("Header fields", [["Field", ([name]) => code(name)], ["Value", ([, field]) => value(field)]], mail.headers)),
  ];
}
