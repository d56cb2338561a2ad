// Draws speeds as a line over the last minutes, as SVG; colours come from the style sheet.

import { WINDOW_SECONDS, scale } from "./speed.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const TOP = 12;
const BOTTOM = 26;
const RIGHT = 10;

export class Graph {
  #svg;
  #formatLabel;
  #formatSpeed;
  #points = [];
  #pointer = null;

  constructor(svg, formatLabel, formatSpeed) {
    this.#svg = svg;
    this.#formatLabel = formatLabel;
    this.#formatSpeed = formatSpeed;
    new ResizeObserver(() => this.#draw()).observe(svg);
    svg.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    svg.addEventListener("pointerdown", (event) => this.#point(event.offsetX));
    svg.addEventListener("pointerleave", () => this.#point(null));
  }

  show(points) {
    this.#points = points;
    this.#draw();
  }

  #point(x) {
    this.#pointer = x;
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#svg;
    if (!width || !height) return;
    const now = this.#points.at(-1)?.[0] ?? 0;
    const seen = this.#points.filter(([time, speed]) => speed !== null && time >= now - WINDOW_SECONDS);
    const { step, top } = scale(Math.max(0, ...seen.map(([, speed]) => speed)));
    const labels = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
    const em = parseFloat(getComputedStyle(this.#svg).fontSize);
    const left = Math.max(...labels.map((label) => this.#formatLabel(label).length)) * em * 0.5 + 12;
    const x = (time) => left + (1 - (now - time) / WINDOW_SECONDS) * (width - left - RIGHT);
    const y = (speed) => TOP + (1 - speed / top) * (height - TOP - BOTTOM);

    const parts = labels.flatMap((label) => [
      make("line", { class: "grid", x1: left, x2: width - RIGHT, y1: y(label), y2: y(label) }),
      make("text", { x: left - 8, y: y(label) + 4, "text-anchor": "end" }, this.#formatLabel(label)),
    ]);
    const minutes = width < 480 ? [4, 2, 0] : [5, 4, 3, 2, 1, 0];
    for (const minute of minutes) {
      const anchor = { 5: "start", 0: "end" }[minute] ?? "middle";
      const words = minute === 0 ? "now" : `${minute} min`;
      parts.push(make("text", { x: x(now - minute * 60), y: height - 6, "text-anchor": anchor }, words));
    }
    for (const run of this.#runs(now)) {
      const path = run.map(([time, speed]) => `${x(time).toFixed(1)} ${y(speed).toFixed(1)}`).join("L");
      const base = y(0).toFixed(1);
      parts.push(make("path", { class: "area", d: `M${x(run[0][0]).toFixed(1)} ${base}L${path}V${base}Z` }));
      parts.push(make("path", { class: "line", d: `M${path}` }));
    }
    const last = this.#points.at(-1);
    if (last && last[1] !== null) parts.push(make("circle", { class: "now", cx: x(last[0]), cy: y(last[1]), r: 5.5 }));
    parts.push(...this.#reading(seen, now, x, y, width, em));
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.replaceChildren(...parts);
  }

  // The stretches without a break, within the window.
  #runs(now) {
    const runs = [[]];
    for (const [time, speed] of this.#points) {
      if (time < now - WINDOW_SECONDS) continue;
      if (speed === null) runs.push([]);
      else runs.at(-1).push([time, speed]);
    }
    return runs.filter((run) => run.length > 0);
  }

  // The value under the pointer.
  #reading(seen, now, x, y, width, em) {
    if (this.#pointer === null || seen.length === 0) return [];
    const distance = ([time]) => Math.abs(x(time) - this.#pointer);
    const nearest = seen.reduce((best, point) => (distance(point) < distance(best) ? point : best));
    if (distance(nearest) > 24) return [];
    const [time, speed] = nearest;
    const words = `${this.#formatSpeed(speed)}/s, ${Math.round(now - time)} s ago`;
    const wide = words.length * em * 0.48 + 16;
    const box = Math.min(Math.max(x(time) - wide / 2, 0), width - wide);
    return [
      make("line", { class: "cursor", x1: x(time), x2: x(time), y1: TOP, y2: y(0) }),
      make("circle", { class: "now", cx: x(time), cy: y(speed), r: 5 }),
      make("rect", { class: "reading-back", x: box, y: 0, width: wide, height: em * 1.6, rx: 6 }),
      make("text", { class: "reading", x: box + wide / 2, y: em * 1.1, "text-anchor": "middle" }, words),
    ];
  }
}

function make(name, attributes, text) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
