// The page: asks webui once a second, and shows what it says.

import { Graph } from "./graph.js";
import { WINDOW_SECONDS, addSample, averageSpeed, speeds } from "./speed.js";

const PERIOD_MS = 1000;
const PATIENCE_MS = 4000;
const CAPTION_EVERY = 5;

const SERVICES = ["worker", "rng", "hasher", "redis"];
const SERVICE_STATES = {
  up: ["good", "up"],
  partly: ["warning", "some workers cannot reach it"],
  down: ["bad", "does not answer"],
  unknown: ["unknown", "unknown"],
  mining: ["good", "mining"],
  waiting: ["warning", "waiting"],
  none: ["unknown", "none yet"],
};

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const formatSpeed = (speed) => (speed === null ? "–" : speed < 99.95 ? tenths.format(speed) : whole.format(speed));
const formatLabel = (speed) => (Number.isInteger(speed) ? whole.format(speed) : tenths.format(speed));

const graph = new Graph(byId("graph"), formatLabel, formatSpeed);
let samples = [];
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

function showState(kind, words) {
  mark(byId("state"), kind);
  write(byId("state-words"), words);
}

function showCounts({ coins, hashes, now }) {
  samples = addSample(samples, [now, Number(hashes ?? 0)]);
  const line = speeds(samples);
  write(byId("speed"), formatSpeed(line.at(-1)[1]));
  write(byId("average"), formatSpeed(averageSpeed(samples)));
  write(byId("coins"), whole.format(coins));
  write(byId("hashes"), whole.format(Number(hashes ?? 0)));
  graph.show(line);
  const seen = line.filter(([time, speed]) => speed !== null && time >= now - WINDOW_SECONDS).map(([, speed]) => speed);
  if (seen.length > 0 && rounds % CAPTION_EVERY === 0) {
    const range = `lowest ${formatSpeed(Math.min(...seen))}, highest ${formatSpeed(Math.max(...seen))}`;
    write(byId("graph-words"), `Hashes per second over the last 5 minutes: ${range}.`);
  }
  rounds += 1;
}

function showService(name, { state, ms = null, workers = null }) {
  const [kind, words] = SERVICE_STATES[state] ?? SERVICE_STATES.unknown;
  const card = byId(`service-${name}`);
  mark(card, kind);
  write(card.querySelector(".words"), words);
  const detail = [];
  if (workers) detail.push(workers === 1 ? "1 worker" : `${whole.format(workers)} workers`);
  else if (state === "mining") detail.push("a worker that sends no heartbeat");
  if (ms !== null) detail.push(`${ms < 100 ? tenths.format(ms) : whole.format(ms)} ms`);
  write(card.querySelector(".detail"), detail.join(", "));
}

function showServices(status) {
  for (const name of SERVICES) showService(name, status[name]);
}

function summary({ worker, rng, hasher }) {
  const away = [["rng", rng], ["hasher", hasher]].filter(([, { state }]) => state === "down").map(([name]) => name);
  if (away.length > 0) return ["bad", `${away.join(" and ")} ${away.length > 1 ? "do" : "does"} not answer`];
  if (worker.state === "mining") return ["good", "Mining"];
  if (worker.state === "waiting") return ["warning", "The workers make no progress"];
  return ["unknown", "No worker yet"];
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
  if (!counts.ok) return showState("bad", "redis is away");
  showCounts(counts.answer);
  return showState(...summary(status.answer));
}

async function loadHistory() {
  const { answer } = await ask("history");
  samples = answer.samples.reduce(addSample, []);
  graph.show(speeds(samples));
}

// Nobody looks at a hidden page: it asks for nothing, and catches up when it is shown again.
const shown = () =>
  new Promise((resolve) => {
    if (!document.hidden) return resolve(false);
    return document.addEventListener("visibilitychange", () => resolve(true), { once: true });
  });

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
    for (const name of SERVICES) showService(name, { state: "unknown" });
    showState("unknown", "Connecting…");
  }
  await next;
}
