// What is remembered across a reload: places in line, orders, keys of calls under way. Where storage is forbidden or full,
// it lasts as long as the page.

const prefix = 'boxoffice.';
/** Longer than any session or order lives, shorter than answers are kept for: 24 hours. */
const keepMillis = 24 * 3600 * 1000;

/** @type {Map<string, string>} */
const memory = new Map();

/** @param {string} key @returns {any} what was remembered, or null */
export function recall(key) {
  try {
    const kept = JSON.parse(memory.get(key) ?? localStorage.getItem(prefix + key) ?? 'null');
    return kept && kept.at > Date.now() - keepMillis ? kept.value : null;
  } catch {
    return null;
  }
}

/** @param {string} key @param {unknown} value JSON */
export function remember(key, value) {
  const text = JSON.stringify({ at: Date.now(), value });
  try {
    localStorage.setItem(prefix + key, text);
    memory.delete(key);
  } catch {
    memory.set(key, text);
  }
}

/** @param {string} key */
export function forget(key) {
  memory.delete(key);
  try {
    localStorage.removeItem(prefix + key);
  } catch {
    // nothing was kept
  }
}

/** Forgets what is too old to be of use. */
export function sweep() {
  try {
    for (const full of Object.keys(localStorage)) {
      const key = full.slice(prefix.length);
      if (full.startsWith(prefix) && key !== 'language' && recall(key) === null) forget(key);
    }
  } catch {
    // nothing was kept
  }
}
