// Sends one message as an application in Node does: settings as JSON on standard input, what happened on standard output.
const nodemailer = require("nodemailer");
const fs = require("node:fs");

const given = JSON.parse(fs.readFileSync(0, "utf8"));
const letter = {
  ...given.letter,
  date: new Date("2026-01-02T03:04:05Z"),
  messageId: "<one@client.test>",
  baseBoundary: "boundary",
  attachments: [{ filename: "Gr\u00fc\u00dfe.bin", content: Buffer.from(given.attachment, "base64") }],
};

async function main() {
  const building = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "windows" });
  const built = (await building.sendMail(letter)).message.toString("base64");
  const relay = nodemailer.createTransport({
    host: given.host,
    port: given.port,
    secure: given.implicit,
    requireTLS: !given.implicit,
    tls: { ca: fs.readFileSync(given.authority) },
    auth: { user: given.delegate, pass: given.secret },
  });
  const told = { built };
  try {
    told.response = (await relay.sendMail(letter)).response;
  } catch (refusal) {
    told.refusal = refusal.message;
  }
  console.log(JSON.stringify(told));
}

main();
