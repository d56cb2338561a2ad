// The page: asks webui once a second, and shows what it says.

import { Charts } from "./charts.js";
import { recall, remember } from "./memory.js";
import { addSample, averageSpeed, columns, everySoMany, mergeSamples, speeds } from "./speed.js";
import {
  bottleneckWords,
  formatAgo,
  formatMs,
  formatSpeed,
  formatWhole,
  formatWorkers,
  serviceState,
  summary,
  unitParts,
} from "./words.js";

const PERIOD_MS = 1000;
const PATIENCE_MS = 4000;
const SLOW_EVERY = 5;
const TABLE_SECONDS = 30;
const SERVICES = ["worker", "rng", "hasher", "redis"];
const UNKNOWN = { state: "unknown" };

const byId = (id) => document.getElementById(id);
const charts = new Charts(byId("speed-graph"), byId("answers-graph"), showMoment);
let samples = recall();
let drawn = columns(samples);
let rounds = 0;

// Writes only what has changed: a screen reader tells each change of the state, and nothing else.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function mark(element, kind) {
  if (element.dataset.kind === kind) return;
  element.dataset.kind = kind;
  element.querySelector("use").setAttribute("href", `#shape-${kind}`);
}

function showState(kind, words, more) {
  mark(byId("state"), kind);
  write(byId("state-words"), words);
  write(byId("advice"), more);
  byId("advice").hidden = !more;
}

function draw() {
  drawn = columns(samples);
  charts.show(drawn);
}

function showMoment(index) {
  const moment = index !== null && drawn[0][index] !== undefined ? drawn.map((column) => column[index]) : null;
  if (moment === null) return write(byId("moment"), "Point at a graph to read a moment.");
  const [time, speed, workers, rng, hasher] = moment;
  const parts = [`${formatAgo(-time)}: ${formatSpeed(speed)} hashes per second`];
  if (workers !== null) parts.push(formatWorkers(workers));
  if (rng !== null) parts.push(`rng ${formatMs(rng)}`);
  if (hasher !== null) parts.push(`hasher ${formatMs(hasher)}`);
  return write(byId("moment"), parts.join(", "));
}

function range(values, format) {
  const seen = values.filter((value) => value !== null);
  return seen.length > 0 ? `lowest ${format(Math.min(...seen))}, highest ${format(Math.max(...seen))}` : null;
}

// What changes all the time is told to a screen reader on request only, and need not be rewritten each second.
function showFigures() {
  const [, speed, , rng, hasher] = drawn;
  const speedRange = range(speed, formatSpeed);
  if (speedRange) write(byId("speed-words"), `Hashes per second over the last 5 minutes: ${speedRange}.`);
  const ranges = [["rng", rng], ["hasher", hasher]]
    .map(([name, values]) => [name, range(values, formatMs)])
    .filter(([, words]) => words)
    .map(([name, words]) => `${name} ${words}`);
  if (ranges.length > 0) {
    write(byId("answers-words"), `As the workers measure it: ${ranges.join("; ")}.`);
  }
  const rows = everySoMany(drawn, TABLE_SECONDS).map(([ago, ...values]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = formatAgo(ago);
    const formats = [formatSpeed, formatWhole, formatMs, formatMs];
    row.append(head, ...values.map((value, index) => {
      const cell = document.createElement("td");
      cell.textContent = formats[index](value);
      return cell;
    }));
    return row;
  });
  byId("figures").replaceChildren(...rows);
}

function showCounts({ coins, hashes, now }, status) {
  const count = Number(hashes ?? 0);
  const { worker, rng, hasher } = status;
  samples = addSample(samples, [now, count, worker.workers ?? null, rng.ms ?? null, hasher.ms ?? null]);
  write(byId("speed"), formatSpeed(speeds(samples).at(-1)[1]));
  write(byId("average"), formatSpeed(averageSpeed(samples)));
  write(byId("coins"), formatWhole(coins));
  write(byId("hashes"), formatWhole(count));
  write(byId("workers"), formatWhole(worker.workers ?? null));
  draw();
  if (rounds % SLOW_EVERY === 0) {
    showFigures();
    remember(samples);
  }
  rounds += 1;
}

function showService(name, service, bottleneck) {
  const { ms = null, workers = null } = service;
  const [kind, words] = serviceState(name, service, bottleneck);
  const card = byId(`service-${name}`);
  mark(card, kind);
  write(card.querySelector(".words"), words);
  const detail = [];
  if (workers) detail.push(formatWorkers(workers));
  else if (service.state === "mining") detail.push("a worker that sends no heartbeat");
  if (ms !== null) detail.push(`${name === "redis" ? "read in" : "answers in"} ${formatMs(ms)}`);
  write(card.querySelector(".detail"), detail.join(", "));
}

function showServices(status) {
  for (const name of SERVICES) showService(name, status[name], status.bottleneck);
  const { unit = null, bottleneck = null } = status;
  write(byId("bottleneck"), bottleneckWords(bottleneck, unit));
  byId("bottleneck").dataset.kind = bottleneck ? "warning" : unit ? "good" : "unknown";
  byId("unit").hidden = unit === null;
  if (unit === null) return;
  write(byId("unit-words"), `A unit of work takes ${formatMs(unit.ms)}:`);
  for (const { name, words, ms, share } of unitParts(unit)) {
    const row = byId(`part-${name}`);
    row.classList.toggle("holds", name === bottleneck);
    write(row.querySelector(".part-words"), words);
    write(row.querySelector(".part-ms"), `${formatMs(ms)}, ${formatWhole(share * 100)} %`);
    row.querySelector(".part-bar").style.width = `${(share * 100).toFixed(1)}%`;
  }
}

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok && response.status !== 503) throw new Error(`${path}: status ${response.status}`);
  return { ok: response.ok, answer: await response.json() };
}

async function update() {
  const [counts, status] = await Promise.all([ask("json"), ask("status")]);
  showServices(status.answer);
  document.body.classList.toggle("old", !counts.ok);
  if (counts.ok) showCounts(counts.answer, status.answer);
  showState(...summary(status.answer));
}

async function loadHistory() {
  const { answer } = await ask("history");
  samples = mergeSamples(samples, answer.samples);
  draw();
  showFigures();
}

// Nobody looks at a hidden page: it asks for nothing, and catches up when it is shown again.
const shown = () =>
  new Promise((resolve) => {
    if (!document.hidden) return resolve(false);
    return document.addEventListener("visibilitychange", () => resolve(true), { once: true });
  });

addEventListener("pagehide", () => remember(samples));
showMoment(null);
if (samples.length > 0) draw();
let behind = true;
for (;;) {
  behind = (await shown()) || behind;
  const next = new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
  try {
    if (behind) await loadHistory();
    behind = false;
    await update();
  } catch {
    behind = true;
    document.body.classList.add("old");
    showServices({ worker: UNKNOWN, rng: UNKNOWN, hasher: UNKNOWN, redis: UNKNOWN });
    showState("unknown", "Connecting…", "");
  }
  await next;
}
