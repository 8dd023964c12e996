// Keeps a hall's seats true. The stream brings a snapshot and deltas, and the browser resumes it by Last-Event-ID; what that
// does not mend is mended here:
//
//   - A gap (a delta was lost, or is no delta): GET availability; where that is not new enough either, a new stream.
//   - A stream that the server refused, which a browser gives up: again, later and later, at times that differ between tabs.
//   - A stream that is dead without saying so: GET availability now and then, which costs a 304, tells that it lags.
//   - A tab that slept: it starts anew, for its stream may be a corpse.
//
// 'state' events say whether what is shown is 'live', or 'stale' while something of this goes on.

/** @typedef {import('./seats.js').Seats} Seats */

/** How often a poller asks. */
const pollMillis = 1_000;
/** How often a silent stream is checked; the answer is a 304 where nothing moved. */
const checkMillis = 30_000;
/** The clock of checks; one that stood still for longer than sleptMillis tells of sleep. */
const tickMillis = 5_000, sleptMillis = 20_000;
/** Waits between attempts, doubled each time and scattered. */
const retryMillisMin = 1_000, retryMillisMax = 30_000;
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
    this.ticked = 0;
    this.hidden = 0;
    this.mending = false;
    this.mended = 0;
    /** The newest version heard of in what could not be applied. */
    this.wanted = 0;
  }

  start() {
    if (this.running) return;
    this.running = new AbortController();
    const { signal } = this.running;
    document.addEventListener('visibilitychange', () => this.turned(), { signal });
    addEventListener('pageshow', (e) => e.persisted && this.wake(), { signal });
    addEventListener('online', () => this.wake(), { signal });
    this.ticked = Date.now();
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
    stream.addEventListener('snapshot', take((data) => this.seats.load(data)));
    stream.addEventListener('delta', take((data) => this.seats.apply(data)));
    stream.addEventListener('error', () => {
      if (this.stream !== stream) return;
      this.say('stale');
      // Still connecting: the browser goes on by itself, from the last event that it had.
      if (stream.readyState === EventSource.CLOSED) this.again();
    });
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
    if (outcome === 'gap') {
      void this.mend();
    } else if (!this.mending) {
      this.failures = 0;
      this.say('live');
    }
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
      this.seats.load(body);
    } catch (e) {
      if (this.running !== run) return false;
      console.warn('availability:', e);
      this.say('stale');
      return false;
    } finally {
      clearTimeout(late);
      run.signal.removeEventListener('abort', giveUp);
    }
    if (this.poll) {
      this.failures = 0;
      this.say('live');
    }
    return true;
  }

  tick() {
    const now = Date.now(), slept = now - this.ticked > sleptMillis;
    this.ticked = now;
    if (document.hidden) return;
    if (this.poll) {
      void this.load();
    } else if (slept) {
      this.wake();
    } else if (this.stream?.readyState === EventSource.OPEN && now - this.heard > checkMillis) {
      void this.check();
    }
  }

  /** Looks whether a silent stream is behind. */
  async check() {
    const run = this.running, { stream } = this, { version } = this.seats;
    this.heard = Date.now();
    const loaded = await this.load();
    // What moved the seats was this answer and not the stream: it may be dead, or was about to say so.
    if (loaded && this.running === run && this.stream === stream && this.seats.version > version) this.open();
  }

  turned() {
    if (document.hidden) {
      this.hidden = Date.now();
    } else if (Date.now() - this.hidden > sleptMillis || this.stream?.readyState !== EventSource.OPEN) {
      this.wake();
    } else {
      void this.check();
    }
  }

  /** Begins anew: a new stream starts with a snapshot. */
  wake() {
    this.ticked = Date.now();
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
