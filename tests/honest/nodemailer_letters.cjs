// Sends one letter with everything in it, DKIM-signed, as an application in Node does. Settings: JSON on standard input.
const fs = require("node:fs");
const nodemailer = require("nodemailer");

const given = JSON.parse(fs.readFileSync(0, "utf8"));
const letter = {
  from: { name: given.name, address: given.author },
  to: given.recipients.map((address, number) => ({ name: `Leser ${number} \u00d6`, address })),
  subject: given.subject,
  text: given.text,
  html: `<p>${given.subject}</p><img src="cid:logo@example.com">`,
  icalEvent: { method: "REQUEST", content: given.invitation },
  attachments: [
    { filename: "logo.png", cid: "logo@example.com", content: Buffer.from(given.attachment, "base64") },
    { filename: "\u00dcbersicht November.pdf", content: Buffer.from(given.attachment, "base64") },
  ],
  headers: { "List-Unsubscribe": "<https://example.com/u>", "X-Long": "word ".repeat(300) },
  date: new Date("2026-11-20T09:00:00Z"),
  messageId: "<1@app.example.com>",
  baseBoundary: "boundary",
  textEncoding: given.encoding,
};
const dkim = { domainName: "example.com", keySelector: "app", privateKey: given.key };

async function main() {
  const building = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "windows", dkim });
  const built = (await building.sendMail(letter)).message.toString("base64");
  const relay = nodemailer.createTransport({
    host: given.host,
    port: given.port,
    requireTLS: true,
    tls: { ca: fs.readFileSync(given.authority) },
    auth: { user: given.delegate, pass: given.secret },
    dkim,
  });
  const told = await relay.sendMail(letter);
  console.log(JSON.stringify({ built, response: told.response }));
}

main();
