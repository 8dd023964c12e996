// Speaks to the server: JSON in and out, problems as errors, and the server's clock.

/** What the server, or the way to it, said no with. code is 'offline' where there was no answer. */
export class Problem extends Error {
  /** @param {number} status @param {{code?: string, title?: string, detail?: string}} body @param {number} [retryAfter] seconds */
  constructor(status, body, retryAfter = 0) {
    super(body.detail || body.title || body.code || String(status));
    this.status = status;
    this.code = body.code ?? 'internal';
    this.body = /** @type {any} */ (body);
    this.retryAfter = retryAfter;
  }

  /** Whether the same again may succeed. */
  get passing() {
    return this.status === 0 || this.status >= 500 || this.status === 429 || this.status === 408 || this.code === 'request-in-flight';
  }
}

// A deadline is the server's, and clients' clocks are wrong by minutes. `Date` has whole seconds: each answer says that
// server minus client lies between two bounds, which close in on it.
let least = -Infinity, most = Infinity;

function hear(/** @type {Response} */ response, /** @type {number} */ sent) {
  const date = Date.parse(response.headers.get('Date') ?? '');
  if (Number.isNaN(date)) return;
  const low = date - Date.now(), high = date + 1000 - sent;
  if (low > most || high < least) [least, most] = [low, high]; // a clock was set
  else [least, most] = [Math.max(least, low), Math.min(most, high)];
}

/** The server's time in milliseconds. */
const serverNow = () => Date.now() + (Number.isFinite(least) ? (least + most) / 2 : 0);

/** How long until a time of the server's, in seconds. @param {string} iso */
export const secondsUntil = (iso) => (Date.parse(iso) - serverNow()) / 1000;

/** A request that hangs is as bad as one that fails; confirm and finalize take 8 s at most. A hall's map may have megabytes. */
const requestMillisMax = 20_000, longMillisMax = 90_000;

/**
 * Sends one request.
 * @param {string} method
 * @param {string} path
 * @param {{body?: string, token?: string, key?: string, signal?: AbortSignal, long?: boolean}} [options] body is JSON as it is sent; long: the answer is large
 * @returns {Promise<any>} the answer's JSON; null where there is none
 * @throws {Problem} where there is no good answer
 */
export async function request(method, path, { body, token, key, signal, long } = {}) {
  const headers = new Headers({ Accept: 'application/json' });
  if (body !== undefined) headers.set('Content-Type', 'application/json');
  if (token) headers.set('Authorization', `Bearer ${token}`);
  if (key) headers.set('Idempotency-Key', key);
  // Not AbortSignal.timeout, which keeps all that hears it until then.
  const over = new AbortController(), late = setTimeout(() => over.abort(), long ? longMillisMax : requestMillisMax), sent = Date.now();
  let response, text;
  try {
    response = await fetch(path, { method, headers, body, signal: signal ? AbortSignal.any([signal, over.signal]) : over.signal, redirect: 'error' });
    hear(response, sent);
    text = await response.text();
  } catch (error) {
    signal?.throwIfAborted();
    throw new Problem(0, { code: 'offline', detail: String(error) });
  } finally {
    clearTimeout(late);
  }
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    throw new Problem(response.ok ? 502 : response.status, { code: 'unavailable' }); // something between us and the server spoke
  }
  if (!response.ok) throw new Problem(response.status, json ?? {}, Number(response.headers.get('Retry-After')) || 0);
  return json;
}

/** A key that nobody guesses. crypto.randomUUID is not there on a page without TLS. */
export const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

const waitMillisFirst = 400;
const waitMillisMax = 8000;

/**
 * Waits before the next attempt: longer each time, by chance so that a thousand pages do not come back at once, and no
 * shorter than the server asked for. Being online again ends it.
 * @param {number} attempt from 0
 * @param {number} retryAfter seconds
 * @param {AbortSignal} [signal]
 */
export async function pause(attempt, retryAfter, signal) {
  const grown = Math.min(waitMillisMax, waitMillisFirst * 2 ** attempt);
  const millis = retryAfter * 1000 + grown * (0.5 + Math.random());
  const over = new AbortController();
  await new Promise((resolve) => {
    setTimeout(resolve, millis);
    signal?.addEventListener('abort', resolve, { signal: over.signal });
    window.addEventListener('online', resolve, { signal: over.signal });
  });
  over.abort();
  signal?.throwIfAborted();
}

/**
 * Reads, again where that may help.
 * @param {string} path
 * @param {{token?: string, signal?: AbortSignal, attempts?: number, long?: boolean}} [options] attempts: default 4
 */
export async function read(path, { token, signal, attempts = 4, long } = {}) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await request('GET', path, { token, signal, long });
    } catch (error) {
      if (!(error instanceof Problem) || !error.passing || attempt + 1 >= attempts) throw error;
      await pause(attempt, error.retryAfter, signal);
    }
  }
}
