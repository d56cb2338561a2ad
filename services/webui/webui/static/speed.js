// Speeds from samples of the count. Pure: no page, no clock.
// A sample is [seconds since the epoch, hashes, workers, ms of rng, ms of hasher]; what is not known is null.
// A speed is [seconds since the epoch, hashes per second or null].

export const WINDOW_SECONDS = 300;

// Each worker writes its count once a second, and not at the moment when we read it: over a short span, a steady speed
// would look like a saw.
const SPAN_SECONDS = 10;
const LEAST_SECONDS = 2.5;
const GAP_SECONDS = 6;
const LEAST_TOP = 4;
const TABLE_SLACK_SECONDS = 3;

// Adds a sample, and forgets those that have left the window. Answers that come out of order are dropped.
export function addSample(samples, sample) {
  const last = samples.at(-1);
  if (last && sample[0] <= last[0]) return samples;
  const kept = samples.filter(([time]) => time >= sample[0] - WINDOW_SECONDS - SPAN_SECONDS);
  kept.push(sample);
  return kept;
}

// What the page has seen itself and what webui remembers, in the order of time: after a reload webui knows more, and
// after webui was replaced the page does.
export function mergeSamples(own, theirs) {
  return [...own, ...theirs].sort(([a], [b]) => a - b).reduce(addSample, []);
}

// The samples among what was stored, which may be anything.
export function readSamples(stored) {
  if (!Array.isArray(stored)) return [];
  const known = (value) => Number.isFinite(value) && value >= 0;
  return stored.filter(
    (sample) =>
      Array.isArray(sample) &&
      sample.length === 5 &&
      sample.slice(0, 2).every(known) &&
      sample.slice(2).every((value) => value === null || known(value)),
  );
}

// The samples after the last gap in time or fall of the count (a redis that started anew).
export function unbroken(samples) {
  let start = samples.length - 1;
  while (start > 0 && !isBreak(samples[start - 1], samples[start])) start -= 1;
  return samples.slice(Math.max(start, 0));
}

// One speed for each sample, over the span before it; null right after a break.
export function speeds(samples) {
  let first = 0;
  return samples.map(([time, hashes], index) => {
    if (index > 0 && isBreak(samples[index - 1], samples[index])) first = index;
    while (time - samples[first][0] > SPAN_SECONDS + 0.5) first += 1;
    const elapsed = time - samples[first][0];
    return [time, elapsed < LEAST_SECONDS ? null : (hashes - samples[first][1]) / elapsed];
  });
}

// The mean over all unbroken samples, or null.
export function averageSpeed(samples) {
  const run = unbroken(samples);
  const elapsed = run.length > 0 ? run.at(-1)[0] - run[0][0] : 0;
  return elapsed < LEAST_SECONDS ? null : (run.at(-1)[1] - run[0][1]) / elapsed;
}

// What the graphs draw: columns of seconds before the last sample, speed, workers, ms of rng and of hasher. Where there
// was a gap, an empty moment breaks the lines.
export function columns(samples) {
  const now = samples.at(-1)?.[0] ?? 0;
  const rows = [];
  speeds(samples).forEach(([time, speed], index) => {
    if (index > 0 && isBreak(samples[index - 1], samples[index])) {
      rows.push([(time + samples[index - 1][0]) / 2 - now, null, null, null, null]);
    }
    rows.push([time - now, speed, ...samples[index].slice(2)]);
  });
  const seen = rows.filter(([time]) => time >= -WINDOW_SECONDS);
  return [0, 1, 2, 3, 4].map((column) => seen.map((row) => row[column] ?? null));
}

// The rows of the columns that are nearest to each so many seconds before the last sample, latest first.
export function everySoMany([times, ...others], seconds) {
  const rows = [];
  for (let ago = 0; ago <= WINDOW_SECONDS; ago += seconds) {
    let nearest = -1;
    times.forEach((time, index) => {
      if (others[0][index] === null && others[1][index] === null) return;
      if (nearest < 0 || Math.abs(time + ago) < Math.abs(times[nearest] + ago)) nearest = index;
    });
    if (nearest >= 0 && Math.abs(times[nearest] + ago) <= TABLE_SLACK_SECONDS) {
      rows.push([ago, ...others.map((column) => column[nearest])]);
    }
  }
  return rows;
}

// The least round number for the top of a scale that holds the value, and the step between its lines.
export function scale(value) {
  const highest = Math.max(value, LEAST_TOP);
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough - 1e-9);
  return { step, top: Math.ceil(highest / step - 1e-9) * step };
}

function isBreak(before, after) {
  return after[1] < before[1] || after[0] - before[0] > GAP_SECONDS;
}
