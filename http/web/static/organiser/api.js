// The server, as the organiser's page asks it. The token is kept for as long as the tab lives and goes out in a header.

const tokenKey = 'boxoffice.organiser.token';
const timeMaxMillis = 10_000;
// A hall's map may have 20 MB.
const longTimeMaxMillis = 60_000;

/** An answer that is not the one asked for: a problem of the HTTP contract, or status 0 where there was no answer. */
export class Problem extends Error {
  /** @param {number} status @param {Record<string, any>} body */
  constructor(status, body) {
    super(body.detail || body.title || `status ${status}`);
    this.status = status;
    this.code = /** @type {string} */ (body.code ?? '');
    this.body = body;
  }

  /** Nothing came, or it may come if asked again. */
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** Where storage is forbidden, the token lasts as long as the page. */
let kept = '';
try {
  kept = sessionStorage.getItem(tokenKey) ?? '';
} catch { /* forbidden */ }

export const token = {
  get: () => kept,
  set: (/** @type {string} */ value) => {
    kept = value;
    try {
      if (value) sessionStorage.setItem(tokenKey, value);
      else sessionStorage.removeItem(tokenKey);
    } catch { /* forbidden */ }
  },
};

/** Headers that show who asks. */
export const headers = () => ({ Authorization: `Bearer ${token.get()}` });

/** Hears once the server does not know the token any more. @type {() => void} */
let refused = () => {};
export const onRefused = (/** @type {() => void} */ hear) => { refused = hear; };

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {{signal?: AbortSignal, long?: boolean, as?: string}} [options] as: a token to try, rather than the one that is kept
 * @returns {Promise<any>}
 */
async function ask(method, path, body, { signal, long, as } = {}) {
  const limits = [AbortSignal.timeout(long ? longTimeMaxMillis : timeMaxMillis)];
  if (signal) limits.push(signal);
  /** @type {Record<string, string>} */
  const sent = as === undefined ? headers() : { Authorization: `Bearer ${as}` };
  if (body) sent['Content-Type'] = 'application/json';
  let response, answer;
  try {
    response = await fetch(path, { method, headers: sent, body: body && JSON.stringify(body), signal: AbortSignal.any(limits) });
    answer = await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { title: String(error) });
  }
  if (response.ok) return answer;
  if (response.status === 401 && as === undefined) refused();
  throw new Problem(response.status, answer);
}

const event = (/** @type {string} */ id) => `/api/events/${encodeURIComponent(id)}`;
const admin = (/** @type {string} */ id) => `/api/admin/events/${encodeURIComponent(id)}`;

export const api = {
  /** Fails unless the server knows the token. @param {string} value */
  try: (value) => ask('GET', '/api/events?limit=1', undefined, { as: value }),
  /** @param {{q?: string, status?: string, cursor?: string}} query @param {AbortSignal} [signal] */
  events: (query, signal) => {
    const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
    return ask('GET', `/api/events?${parameters}`, undefined, { signal });
  },
  event: (/** @type {string} */ id, /** @type {AbortSignal} */ signal) => ask('GET', event(id), undefined, { signal }),
  seatmap: (/** @type {string} */ id) => ask('GET', `${event(id)}/seatmap`, undefined, { long: true }),
  report: (/** @type {string} */ id, /** @type {AbortSignal} */ signal) => ask('GET', `${admin(id)}/report`, undefined, { signal }),
  curve: (/** @type {string} */ id, /** @type {number} */ minutes, /** @type {AbortSignal} */ signal) =>
    ask('GET', `${admin(id)}/curve?minutes=${minutes}`, undefined, { signal }),
  change: (/** @type {string} */ id, /** @type {object} */ patch) => ask('PATCH', admin(id), patch),
  block: (/** @type {string} */ id, /** @type {string[]} */ seats) => ask('POST', `${admin(id)}:block`, { seats }, { long: true }),
  unblock: (/** @type {string} */ id, /** @type {string[]} */ seats) => ask('POST', `${admin(id)}:unblock`, { seats }, { long: true }),
};
