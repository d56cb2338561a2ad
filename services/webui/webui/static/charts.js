// Two graphs over the last minutes, drawn by uPlot: the speed, and how long rng and hasher take to answer. Colours come
// from the style sheet.

import { WINDOW_SECONDS, scale } from "./speed.js";
import { formatLabel } from "./words.js";

const MINUTE = 60;
const NARROW = 480;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const fontSize = () => parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.8;

class Chart {
  #box;
  #series;
  #sync;
  #onCursor;
  #plot = null;
  #data = null;
  #font = 0;

  constructor(box, series, sync, onCursor) {
    this.#box = box;
    this.#series = series;
    this.#sync = sync;
    this.#onCursor = onCursor;
    new ResizeObserver(() => this.#fit()).observe(box);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => this.#plot?.redraw());
    }
  }

  show(data) {
    this.#data = data;
    if (this.#plot) this.#plot.setData(data);
    else this.#fit();
  }

  #fit() {
    const size = { width: this.#box.clientWidth, height: this.#box.clientHeight };
    if (!this.#data || !size.width || !size.height) return;
    if (this.#plot && this.#font === fontSize()) return void this.#plot.setSize(size);
    this.#plot?.destroy();
    this.#font = fontSize();
    this.#plot = new window.uPlot(this.#options(size), this.#data, this.#box);
  }

  #options(size) {
    const font = `${this.#font}px system-ui, sans-serif`;
    const axis = {
      font,
      stroke: () => colour("--soft"),
      grid: { stroke: () => colour("--grid"), width: 1 },
      ticks: { show: false },
    };
    const top = (plot) => scale(Math.max(0, ...plot.data.slice(1).flatMap((column) => column.map((value) => value ?? 0))));
    const minutes = (plot) => (plot.width < NARROW ? [4, 2, 0] : [5, 4, 3, 2, 1, 0]);
    return {
      ...size,
      padding: [this.#font / 2, this.#font * 1.6, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: this.#sync, setSeries: false }, points: { size: 9 } },
      scales: { x: { time: false, range: [-WINDOW_SECONDS, 0] }, y: { range: (plot) => [0, top(plot).top] } },
      axes: [
        {
          ...axis,
          grid: { show: false },
          gap: 8,
          size: this.#font * 2.4,
          splits: (plot) => minutes(plot).map((minute) => -minute * MINUTE),
          values: (_, splits) => splits.map((split) => (split === 0 ? "now" : `${-split / MINUTE} min`)),
        },
        {
          ...axis,
          gap: 6,
          size: (_, values) => Math.max(1, ...(values ?? []).map((value) => value.length)) * this.#font * 0.6 + 14,
          splits: (plot) => {
            const { step, top: highest } = top(plot);
            return Array.from({ length: Math.round(highest / step) + 1 }, (_, index) => index * step);
          },
          values: (_, splits) => splits.map(formatLabel),
        },
      ],
      series: [
        {},
        ...this.#series.map(({ line, area, dash }) => ({
          stroke: () => colour(line),
          fill: area && (() => colour(area)),
          width: 2.5,
          dash,
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [(plot) => this.#onCursor(plot.cursor.idx ?? null)] },
    };
  }
}

export class Charts {
  #speed;
  #answers;

  // Where the pointer is over a moment, onMoment is told its index in the columns, and null where it is over none.
  constructor(speedBox, answersBox, onMoment) {
    this.#speed = new Chart(speedBox, [{ line: "--line", area: "--area" }], "dockercoins", onMoment);
    const series = [{ line: "--rng" }, { line: "--hasher", dash: [6, 4] }];
    this.#answers = new Chart(answersBox, series, "dockercoins", onMoment);
  }

  show([times, speed, , rng, hasher]) {
    this.#speed.show([times, speed]);
    this.#answers.show([times, rng, hasher]);
  }
}
