// How things are said. Pure: no page, no clock.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const formatWhole = (value) => (value === null ? "–" : whole.format(value));
export const formatSpeed = (speed) => (speed === null ? "–" : speed < 99.95 ? tenths.format(speed) : whole.format(speed));
export const formatMs = (ms) => (ms === null ? "–" : `${ms < 99.95 ? tenths.format(ms) : whole.format(ms)} ms`);
export const formatLabel = (value) => (Number.isInteger(value) ? whole.format(value) : tenths.format(value));
export const formatWorkers = (workers) => (workers === 1 ? "1 worker" : `${whole.format(workers)} workers`);
export const formatAgo = (seconds) => {
  if (seconds < 1) return "now";
  const minutes = Math.floor(seconds / 60);
  const rest = Math.round(seconds - 60 * minutes);
  return [minutes ? `${minutes} min` : "", rest ? `${rest} s` : ""].filter(Boolean).join(" ") + " ago";
};

const SERVICE_STATES = {
  up: ["good", "up"],
  partly: ["warning", "some workers cannot reach it"],
  down: ["bad", "does not answer"],
  refused: ["bad", "refuses the password"],
  unknown: ["unknown", "unknown"],
  mining: ["good", "mining"],
  waiting: ["warning", "waiting"],
  none: ["unknown", "none yet"],
};

// The kind and the words for one service.
export function serviceState(name, { state }, bottleneck) {
  const [kind, words] = SERVICE_STATES[state] ?? SERVICE_STATES.unknown;
  if (bottleneck === name && kind === "good") return ["warning", `${words}, holds the others back`];
  return [kind, words];
}

// The kind and the words for all together, and what more there is to say.
export function summary({ worker, rng, hasher, redis }) {
  if (redis.state === "refused") return ["bad", "redis refuses the password", `${capital(redis.reason)}.`];
  if (redis.state === "down") {
    return ["bad", "redis is away", "The page goes on by itself when redis is back."];
  }
  const away = [["rng", rng], ["hasher", hasher]].filter(([, { state }]) => state === "down").map(([name]) => name);
  if (away.length > 0) {
    return ["bad", `${away.join(" and ")} ${away.length > 1 ? "do" : "does"} not answer`, "The workers wait for it."];
  }
  if (worker.state === "mining") return ["good", "Mining", ""];
  if (worker.state === "waiting") return ["warning", "The workers make no progress", ""];
  return ["unknown", "No worker yet", "Nothing is mined until a worker runs."];
}

// Who holds the others back, as one sentence that stays the same while that does.
export function bottleneckWords(bottleneck, unit) {
  if (unit === null) return "Not measured: the workers tell it while they mine.";
  if (bottleneck === null) return "No service holds the others back.";
  if (bottleneck === "worker") return "The worker holds the others back: its own pause takes most of the time.";
  return `${bottleneck} holds the others back: the workers wait for it most of the time.`;
}

// The parts of a unit's time: name, words, milliseconds, share of all.
export function unitParts({ ms, rng_ms, hasher_ms, pause_ms }) {
  const rest = Math.max(0, ms - rng_ms - hasher_ms - pause_ms);
  const parts = [
    ["worker", "pause of the worker", pause_ms],
    ["rng", "waiting for rng", rng_ms],
    ["hasher", "waiting for hasher", hasher_ms],
    ["rest", "the rest", rest],
  ];
  return parts.map(([name, words, part]) => ({ name, words, ms: part, share: ms > 0 ? Math.min(1, part / ms) : 0 }));
}

function capital(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}
