// The console: which page the address names, who asks, and what is said about what was done.

import { get } from "./api.js";
import * as decision from "./decision.js";
import * as decisions from "./decisions.js";
import * as delegates from "./delegates.js";
import { h, link, panel } from "./dom.js";
import * as identities from "./identities.js";
import * as inbox from "./inbox.js";
import { watchReadiness } from "./readiness.js";
import { account, signIn } from "./sign_in.js";
import * as spool from "./spool.js";
import * as traffic from "./traffic.js";
import * as whatIf from "./what_if.js";

const one = (page) => ({ title: page.titleOfOne, show: page.showOne });
// By the first part of the address: the name in the menu, the page, and the page of one thing. Whom it is for, if not for all.
const PAGES = {
  traffic: ["Traffic", traffic],
  decisions: ["Decisions", decisions, decision],
  "what-if": ["What if", whatIf],
  identities: ["Identities", identities, one(identities), (session) => !session.asker.delegates],
  delegates: ["Delegates", delegates],
  spool: ["Spool", spool, one(spool)],
  inbox: ["Inbox", inbox, one(inbox), (session) => session.features.includes("inbox") && !session.asker.delegates],
};
const at = (id) => document.getElementById(id);
const main = at("main");
let session = null;
let leaving = new AbortController();
let moved = false;

const open = (name) => PAGES[name] && (PAGES[name][3] ?? (() => true))(session);

function where() {
  const [address, query = ""] = window.location.hash.replace(/^#\/?/, "").split("?");
  const decoded = (part) => { try { return decodeURIComponent(part); } catch { return part; } };
  const parts = address.split("/").filter(Boolean).map(decoded);
  return { parts: parts.length ? parts : ["traffic"], query: new URLSearchParams(query) };
}

function menu(current) {
  const names = Object.keys(PAGES).filter(open);
  at("pages").replaceChildren(...names.map((name) => {
    const item = link(`#/${name}`, PAGES[name][0]);
    if (name === current) item.setAttribute("aria-current", "page");
    return h("li", null, item);
  }));
}

function say(words) {
  const place = at("said");
  place.replaceChildren(h("p", null, words));
  setTimeout(() => place.replaceChildren(), 8000);
}

const focus = (element) => {
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "start" });
};

// Tell how something ended that was asked for.
const said = (doing, words) => doing.then(() => say(words), (problem) => say(`That was refused: ${problem.message}`));

// Ask first, do it then, and show the page anew. The button that does it is called what it does.
function confirmed({ label, question, consequence, act, done }) {
  const yes = h("button", { type: "submit", value: "yes", class: "grave" }, label);
  const box = h("dialog", { "aria-labelledby": "question" }, h("form", { method: "dialog" }, h("h2", { id: "question" }, question), h("p", null, consequence),
    h("div", { class: "actions" }, h("button", { type: "submit", value: "no", autofocus: true }, "Leave it"), yes)));
  box.addEventListener("close", async () => {
    box.remove();
    if (box.returnValue !== "yes") return;
    await said(act().then(() => (done ?? render)()), "Done.");
  });
  document.body.append(box);
  box.showModal();
}

async function render() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { parts, query } = where();
  const name = open(parts[0]) ? parts[0] : null;
  menu(name);
  const page = name && (parts.length > 1 ? PAGES[name][2] : PAGES[name][1]);
  const heading = h("h1", { tabindex: "-1" }, page?.title ?? "There is no such page");
  document.title = `${page?.title ?? "Unknown"} - ses-relay`;
  main.setAttribute("aria-busy", "true");
  let found;
  try {
    found = page ? await page.show({ parts, query, signal, session, said, confirmed, focus, go: (hash) => { window.location.hash = hash; } }) : [];
  } catch (problem) {
    if (problem.name === "AbortError") return;
    if (problem.status === 401) return begin();
    found = [panel(null, h("p", { class: "note bad", role: "alert" }, problem.message))];
  }
  if (signal.aborted) return;
  main.replaceChildren(heading, ...[found].flat(Infinity).filter(Boolean));
  main.removeAttribute("aria-busy");
  arrive(heading);
}

// A new page is read from its beginning, and seen from its top; the first one is where the browser has it.
function arrive(heading) {
  if (moved) {
    heading.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  moved = true;
}

async function begin() {
  leaving.abort();
  try {
    session = await get("/session");
  } catch (problem) {
    main.replaceChildren(h("h1", null, "ses-relay"), panel(null, h("p", { class: "note bad", role: "alert" }, problem.message)));
    return;
  }
  if (session.asker) return enter(session);
  at("pages").replaceChildren();
  at("account").replaceChildren();
  const heading = h("h1", { tabindex: "-1" }, "Sign in");
  document.title = "Sign in - ses-relay";
  main.replaceChildren(heading, signIn(enter));
  arrive(heading);
}

async function enter(known) {
  session = known;
  at("account").replaceChildren(...account(session, begin).filter(Boolean));
  await render();
}

window.addEventListener("hashchange", () => (session?.asker ? render() : begin()));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  focus(main);
});
watchReadiness(at("readiness"), new AbortController().signal);
begin();
