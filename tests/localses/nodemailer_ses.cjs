// Sends by nodemailer's own SES transport: where and what as JSON on standard input, what happened on standard output.
const fs = require("node:fs");
const nodemailer = require("nodemailer");
const { SESv2Client, SendEmailCommand } = require("@aws-sdk/client-sesv2");

const given = JSON.parse(fs.readFileSync(0, "utf8"));
const sesClient = new SESv2Client({
  endpoint: given.endpoint,
  region: "us-east-1",
  credentials: given.credentials,
  maxAttempts: 1,
});

async function main() {
  const transport = nodemailer.createTransport({ SES: { sesClient, SendEmailCommand } });
  try {
    const sent = await transport.sendMail(given.letter);
    console.log(JSON.stringify({ messageId: sent.messageId }));
  } catch (refusal) {
    console.log(JSON.stringify({ name: refusal.name, message: refusal.message }));
  }
}

main();
