// Small charts, drawn as SVG; each says in words what it shows, and has a table beside it.

import { svg } from "./dom.js";

export const OUTCOMES = ["accepted", "queued", "deferred", "rejected", "aborted"];
const HATCHED = new Set(["deferred", "rejected"]);
const [WIDTH, HEIGHT] = [600, 120];

const hatch = () => svg("defs", null, svg("pattern", { id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
  svg("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 5 })));

const sum = (counts) => counts.reduce((total, each) => total + each, 0);

// Messages a minute, one column each, by how they ended; what did not go is hatched as well as coloured. With the highest.
export function columns(series, step) {
  const spans = Math.max(1, ...series.map((row) => row.counts.length));
  const byOutcome = OUTCOMES.map((outcome) => series.filter((row) => row.outcome === outcome).map((row) => row.counts))
    .map((rows) => Array.from({ length: spans }, (_, index) => sum(rows.map((counts) => counts[index] ?? 0))));
  const most = Math.max(1, ...Array.from({ length: spans }, (_, index) => sum(byOutcome.map((counts) => counts[index]))));
  const pitch = WIDTH / spans;
  const bars = Array.from({ length: spans }, (_, index) => {
    let top = HEIGHT;
    return OUTCOMES.map((outcome, place) => {
      const height = (byOutcome[place][index] / most) * (HEIGHT - 4);
      top -= height;
      const area = { x: index * pitch + 0.75, y: top, width: Math.max(1, pitch - 1.5), height };
      return height > 0 && [svg("rect", { class: `bar ${outcome}`, ...area }), HATCHED.has(outcome) && svg("rect", { fill: "url(#hatch)", ...area })];
    });
  });
  const told = OUTCOMES.map((outcome, place) => `${sum(byOutcome[place])} ${outcome}`).join(", ");
  const picture = svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", preserveAspectRatio: "none", "aria-label": `Messages of the last ${Math.round((spans * step) / 60)} minutes: ${told}; at most ${most} a minute` },
    hatch(), svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }), bars);
  return [picture, most];
}

// One row's hour, as small as a word.
export function sparkline(counts, name) {
  const most = Math.max(1, ...counts);
  const points = counts.map((each, index) => `${((index / Math.max(1, counts.length - 1)) * 98 + 1).toFixed(1)},${(19 - (each / most) * 17).toFixed(1)}`);
  return svg("svg", { class: "sparkline", viewBox: "0 0 100 20", role: "img", preserveAspectRatio: "none", "aria-label": `${name}: ${sum(counts)} in the hour, at most ${most} a minute` },
    svg("polyline", { points: points.join(" ") }));
}
