// Elements made of values that strangers wrote: text stays text, and what would steer a reader is shown as what it is.

import { path } from "./api.js";

const SVG = "http://www.w3.org/2000/svg";
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

// Write controls, marks of direction and what has no width by their numbers; line ends become blanks unless kept.
export function shown(value, { lines = false } = {}) {
  const text = String(value ?? "");
  const marked = text.replace(lines ? /\r\n?/g : /[\r\n\t]+/g, lines ? "\n" : " ");
  return marked.replace(STEERING, (each) => `\u2039U+${each.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u203a`);
}

function put(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "href" && !/^(#|\/(?![/\\]))/.test(value)) throw new Error("links stay here");
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(shown(child)));
  }
  return element;
}

export const h = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => put(document.createElementNS(SVG, tag), attributes, children);

// A value of the outside, in the direction it is written in, breaking anywhere.
export const value = (text, { empty = "none" } = {}) =>
  text === null || text === undefined || text === "" ? h("span", { class: "muted" }, empty) : h("bdi", { class: "value" }, text);
export const code = (text, options) => {
  const element = value(text, options);
  if (element.tagName === "BDI") element.classList.add("code");
  return element;
};
export const values = (texts, most = 8) => {
  const first = texts.slice(0, most).map((text) => h("li", null, code(text)));
  const rest = texts.length - first.length;
  if (!first.length) return value("");
  return h("ul", { class: "values" }, first, rest > 0 && h("li", { class: "muted" }, `and ${rest} more`));
};
export const muted = (...children) => h("span", { class: "muted" }, children);
export const link = (href, ...children) => h("a", { href }, children);

// Where a page of this console is.
export const place = (parts, query) => `#${path([parts].flat(), query)}`;

const MOMENT = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZoneName: "short",
});
export function time(text) {
  const moment = new Date(text ?? NaN);
  if (Number.isNaN(moment.getTime())) return value(text, { empty: "never" });
  return h("time", { datetime: moment.toISOString(), title: moment.toISOString() }, MOMENT.format(moment));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
}

export function size(octets) {
  if (octets === null || octets === undefined) return "unknown";
  for (const [unit, name] of [[2 ** 20, "MiB"], [1024, "KiB"]]) if (octets >= unit) return `${(octets / unit).toFixed(1)} ${name}`;
  return `${octets} octets`;
}

// A table that a narrow window shows as cards. Columns: a name and what is in a cell; roles keep it a table then, too.
export function table(caption, columns, rows, { empty = "Nothing here." } = {}) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  const head = columns.map(([name]) => h("th", { scope: "col", role: "columnheader" }, name));
  const cells = (row) => columns.map(([name, cell], index) => index
    ? h("td", { role: "cell", "data-label": shown(name) }, h("div", null, cell(row)))
    : h("th", { role: "rowheader", scope: "row", "data-label": shown(name) }, h("div", null, cell(row))));
  const body = rows.map((row) => h("tr", { role: "row" }, cells(row)));
  return h("table", { role: "table" }, h("caption", null, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)), h("tbody", { role: "rowgroup" }, body));
}

// Names and what they are; rows without a value are left out.
export function facts(rows) {
  const there = rows.filter((row) => row && row[1] !== null && row[1] !== undefined && row[1] !== false);
  return h("dl", { class: "facts" }, there.map(([name, what]) => h("div", null, h("dt", null, name), h("dd", null, what))));
}

export const panel = (title, ...children) => h("section", { class: "panel" }, title && h("h2", null, title), children);

let numbers = 0;
export function field(label, control, hint) {
  const id = `field-${++numbers}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return h("div", { class: "field" }, h("label", { for: id }, label), control, hint && h("p", { class: "hint", id: `${id}-hint` }, hint));
}
export function choice(name, options, chosen) {
  const one = (option) => h("option", { value: option, selected: option === chosen }, option || "any");
  return h("select", { name }, options.map(one));
}
export const input = (name, attributes) => h("input", { name, autocomplete: "off", spellcheck: "false", ...attributes });

// What a page shows is found by fields, a label and a control each, that stand in its address by their names.
export function finder(page, fields, go) {
  const find = (event) => {
    event.preventDefault();
    go(place(page, Object.fromEntries(fields.map(([, control]) => [control.name, control.value.trim()]))));
  };
  return h("form", { class: "fields", onsubmit: find }, fields.map(([label, control]) => field(label, control)),
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Find"), link(place(page), "All")));
}
// Many fields, folded away where the window is narrow and nothing is asked for by them.
export function foldedFinder(page, fields, go) {
  const isOpen = fields.some(([, control]) => control.value) || window.matchMedia("(min-width: 44rem)").matches;
  return h("details", { open: isOpen }, h("summary", null, "By its fields"), finder(page, fields, go));
}
