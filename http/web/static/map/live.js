// Keeps a hall's seats true. The stream brings a snapshot and deltas, and the browser resumes it by Last-Event-ID; what that
// does not mend is mended here:
//
//   - A gap (a delta was lost, or is no delta): GET availability; where that is not new enough either, a new stream.
//   - A stream that the server refused, which a browser gives up: again, later and later, at times that differ between tabs.
//   - A stream that is dead without saying so: GET availability now and then, which costs a 304, tells that it lags.
//   - A server that only has older states: a node that lags does so for a moment. Where it lasts, the server was restored
//     from a backup, and its states are what is true now.
//   - A tab that slept: it starts anew, for its stream may be a corpse. One that is hidden for long lets its stream go.
//
// 'state' events say whether what is shown is 'live', or 'stale' while something of this goes on.

import { onRest, onWake } from '../js/wake.js';

/** @typedef {import('./seats.js').Seats} Seats */

/** How often a poller asks. */
const pollMillis = 1_000;
/** How often a silent stream is checked, and looked whether it is silent; the answer is a 304 where nothing moved. */
const checkMillis = 30_000, tickMillis = 5_000;
/** Waits between attempts, doubled each time and scattered. */
const retryMillisMin = 1_000, retryMillisMax = 30_000;
/** For so long an older state is taken for that of a node that lags. */
const lagMillisMax = 10_000;
/** A fetch is given up after this. */
const fetchMillisMax = 10_000;

export class LiveSeats extends EventTarget {
  /**
   * @param {Seats} seats
   * @param {{eventId?: string, poll?: boolean, headers?: Record<string, string>}} [options] poll: asks every second instead of
   *   streaming; headers: sent with each GET (a stream cannot send any)
   */
  constructor(seats, { eventId = seats.hall.eventId, poll = false, headers = {} } = {}) {
    super();
    this.seats = seats;
    this.poll = poll;
    this.headers = headers;
    const id = encodeURIComponent(eventId);
    this.address = `/api/events/${id}/availability`;
    this.streamAddress = `/api/sse/events/${id}/availability`;
    /** @type {'live' | 'stale'} */
    this.state = 'stale';
    /** @type {EventSource | null} */
    this.stream = null;
    /** @type {AbortController | null} of what goes on while started */
    this.running = null;
    /** @type {Promise<boolean> | null} */
    this.flight = null;
    this.failures = 0;
    this.retry = 0;
    this.heard = 0;
    this.mending = false;
    this.mended = 0;
    /** The newest version heard of in what could not be applied. */
    this.wanted = 0;
    /** Since when all states that came were older than what is shown; 0: they are not. */
    this.olderSince = 0;
  }

  start() {
    if (this.running) return;
    this.running = new AbortController();
    const { signal } = this.running;
    addEventListener('offline', () => this.say('stale'), { signal });
    onWake(() => this.wake(), signal);
    onRest(() => this.rest(), signal);
    const ticker = setInterval(() => this.tick(), this.poll ? pollMillis : tickMillis);
    signal.addEventListener('abort', () => clearInterval(ticker));
    this.open();
  }

  stop() {
    this.running?.abort();
    this.running = null;
    this.flight = null;
    this.mending = false;
    clearTimeout(this.retry);
    this.retry = 0;
    this.close();
  }

  close() {
    this.stream?.close();
    this.stream = null;
  }

  /** Lets the stream go until the page wakes. */
  rest() {
    this.close();
    clearTimeout(this.retry);
    this.retry = 0;
    this.say('stale');
  }

  /** Starts the stream, or polls once. */
  open() {
    this.close();
    clearTimeout(this.retry);
    this.retry = 0;
    if (!this.running) return;
    if (this.poll) {
      void this.load();
      return;
    }
    const stream = new EventSource(this.streamAddress);
    this.stream = stream;
    const take = (/** @type {(data: any) => string} */ how) => (/** @type {MessageEvent} */ e) => {
      if (this.stream === stream) this.take(e.data, how);
    };
    // A new stream begins with a snapshot; one that goes on where it was may have nothing to say until a seat moves.
    let again = false;
    stream.addEventListener('open', () => {
      if (again && this.stream === stream) this.settle();
      again = true;
    });
    stream.addEventListener('snapshot', take((data) => this.loaded(data)));
    stream.addEventListener('delta', take((data) => this.seats.apply(data)));
    stream.addEventListener('error', () => {
      if (this.stream !== stream) return;
      this.say('stale');
      // Still connecting: the browser goes on by itself, from the last event that it had.
      if (stream.readyState === EventSource.CLOSED) this.again();
    });
  }

  /** @param {any} snapshot */
  loaded(snapshot) {
    const outcome = this.seats.load(snapshot);
    if (outcome !== 'older') this.olderSince = 0;
    else this.olderSince ||= Date.now();
    return outcome;
  }

  /** @param {string} text @param {(data: any) => string} apply */
  take(text, apply) {
    let outcome = 'gap';
    try {
      const data = JSON.parse(text);
      outcome = apply(data);
      if (outcome === 'gap' && data?.version > this.wanted) this.wanted = data.version;
    } catch (e) {
      console.warn('availability:', e); // not what was promised: like a gap
    }
    this.heard = Date.now();
    if (outcome === 'applied') this.olderSince = 0;
    if (outcome === 'gap') void this.mend();
    else this.settle();
  }

  /** What is shown is true, as far as the stream tells; unless there is nothing yet, or something being repaired. */
  settle() {
    if (this.mending || this.olderSince || this.seats.version === 0 || this.stream?.readyState !== EventSource.OPEN) return;
    this.failures = 0;
    this.say('live');
  }

  /** Closes a gap: by a state as of now, and by a new stream where that did not help or gaps come one after the other. */
  async mend() {
    if (this.mending || this.retry || !this.running) return;
    const run = this.running, soon = Date.now() - this.mended < retryMillisMin;
    this.mending = true;
    this.mended = Date.now();
    this.say('stale');
    const loaded = !soon && (await this.load());
    if (this.running !== run) return;
    this.mending = false;
    // What came meanwhile was refused as well; the state must have that, too.
    if (loaded && this.seats.version >= this.wanted) {
      this.say('live');
    } else {
      this.again();
    }
  }

  /** Opens anew, after a while. */
  again() {
    if (this.retry || !this.running) return;
    this.close();
    const wait = Math.min(retryMillisMax, retryMillisMin * 2 ** this.failures++);
    this.retry = setTimeout(() => this.open(), wait * (0.5 + Math.random()));
  }

  /** GETs the availability; one flight at a time. The result says whether there was an answer. */
  load() {
    if (this.flight) return this.flight;
    const flight = this.fetch().finally(() => {
      if (this.flight === flight) this.flight = null;
    });
    this.flight = flight;
    return flight;
  }

  async fetch() {
    const run = this.running;
    if (!run) return false;
    const abort = new AbortController(), giveUp = () => abort.abort();
    const late = setTimeout(giveUp, fetchMillisMax);
    run.signal.addEventListener('abort', giveUp, { once: true });
    try {
      const answer = await fetch(this.address, {
        // The browser sends If-None-Match by itself, and a 304 comes as the body that it had.
        headers: this.headers, cache: 'no-cache', signal: abort.signal,
      });
      if (!answer.ok) throw new Error(`${answer.status} for ${this.address}`);
      const body = await answer.json();
      if (this.running !== run) return false;
      this.loaded(body);
    } catch (e) {
      if (this.running !== run) return false;
      console.warn('availability:', e);
      if (this.poll) this.say('stale');
      return false;
    } finally {
      clearTimeout(late);
      run.signal.removeEventListener('abort', giveUp);
    }
    if (this.poll && !this.olderSince) {
      this.failures = 0;
      this.say('live');
    }
    return true;
  }

  tick() {
    if (document.hidden) return;
    if (this.olderSince && Date.now() - this.olderSince > lagMillisMax) {
      this.olderSince = 0;
      this.wanted = 0;
      this.seats.forget();
      this.open();
    } else if (this.poll) {
      void this.load();
    } else if (this.stream?.readyState === EventSource.OPEN && Date.now() - this.heard > checkMillis) {
      void this.check();
    }
  }

  /** Looks whether a silent stream is behind. */
  async check() {
    const run = this.running, { stream } = this, { version } = this.seats;
    this.heard = Date.now();
    const loaded = await this.load();
    if (this.running !== run || this.stream !== stream) return;
    if (!loaded) this.say('stale');
    // What moved the seats was this answer and not the stream: it may be dead, or was about to say so.
    else if (this.seats.version > version) this.open();
    else this.settle();
  }

  /** Begins anew: a new stream starts with a snapshot. */
  wake() {
    this.failures = 0;
    this.open();
  }

  /** @param {'live' | 'stale'} state */
  say(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', { detail: { state } }));
  }
}
