// The samples that this browser has seen, kept for a reload. A browser that keeps nothing is no trouble.

import { readSamples } from "./speed.js";

const KEY = "dockercoins.samples";

export function recall() {
  try {
    return readSamples(JSON.parse(localStorage.getItem(KEY)));
  } catch {
    return [];
  }
}

export function remember(samples) {
  try {
    localStorage.setItem(KEY, JSON.stringify(samples));
  } catch {
    // The page works without.
  }
}
