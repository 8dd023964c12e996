// Calls that change something, each exactly once. A call has an idempotency key of its own, which is kept until the call is
// known to have ended: after a reload, a lost answer or a double click it goes on under the same key.

import { Problem, pause, randomKey, request } from './api.js';
import { forget, recall, remember } from './store.js';

/** @typedef {{key: string, body: string, path: string}} Pending */

/** Calls under way in this page, so that a second click joins the first. @type {Map<string, Promise<any>>} */
const underWay = new Map();

const storeKey = (/** @type {string} */ scope) => `calls.${scope}`;

/**
 * The calls of an order or a session that have not ended as far as we know.
 * @param {string} scope an order's or a session's id
 * @returns {Record<string, Pending>}
 */
export const pending = (scope) => recall(storeKey(scope)) ?? {};

function keep(scope, name, /** @type {Pending | null} */ call) {
  const all = pending(scope);
  if (call) all[name] = call;
  else delete all[name];
  if (Object.keys(all).length > 0) remember(storeKey(scope), all);
  else forget(storeKey(scope));
}

/**
 * Makes a call and repeats it until it has ended one way or the other.
 * @param {string} scope an order's or a session's id
 * @param {string} name what it does: one call of a name at a time
 * @param {string} path
 * @param {object} content the body
 * @param {{token: string, signal?: AbortSignal, onWait?: (problem: Problem, attempt: number) => void}} options onWait hears why it takes longer
 * @returns {Promise<any>} the answer
 * @throws {Problem} which is none that passes
 */
export function call(scope, name, path, content, options) {
  const body = JSON.stringify(content), id = `${scope} ${name} ${body}`;
  const running = underWay.get(id);
  if (running && !running.abandoned) return running;
  const before = pending(scope)[name];
  const key = before?.body === body && before.path === path ? before.key : randomKey();
  keep(scope, name, { key, body, path });
  const run = Object.assign(repeat(scope, name, path, body, key, options).finally(() => {
    if (underWay.get(id) === run) underWay.delete(id);
  }), { abandoned: false });
  options.signal?.addEventListener('abort', () => { run.abandoned = true; }, { once: true });
  underWay.set(id, run);
  return run;
}

async function repeat(scope, name, path, body, key, { token, signal, onWait }) {
  for (let attempt = 0; ; attempt++) {
    try {
      const answer = await request('POST', path, { body, token, key, signal });
      keep(scope, name, null);
      return answer;
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // the view is gone; the key is kept
      if (!error.passing) {
        keep(scope, name, null);
        throw error;
      }
      onWait?.(error, attempt);
      await pause(attempt, error.retryAfter, signal);
    }
  }
}
