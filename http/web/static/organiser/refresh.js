// Asking again and again, for as long as somebody looks: not in a hidden tab, more and more seldom while nobody answers.

const backoffMillis = [1000, 2000, 4000, 8000, 15_000];

/** One thing that is kept fresh. It tells 'fresh' after each answer and 'lost' ({detail: {error, retryAt}}) after each that failed. */
export class Refresh extends EventTarget {
  /**
   * @param {(signal: AbortSignal) => Promise<void>} read
   * @param {number} everyMillis from the end of one to the beginning of the next
   */
  constructor(read, everyMillis) {
    super();
    this.read = read;
    this.everyMillis = everyMillis;
    this.failures = 0;
    this.running = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {AbortController | undefined} */
    this.flight = undefined;
    this.seen = () => { if (!document.hidden) this.now(); else this.rest(); };
  }

  start() {
    this.running = true;
    document.addEventListener('visibilitychange', this.seen);
    addEventListener('online', this.seen);
    this.now();
  }

  stop() {
    this.running = false;
    document.removeEventListener('visibilitychange', this.seen);
    removeEventListener('online', this.seen);
    this.rest();
  }

  rest() {
    clearTimeout(this.timer);
    this.flight?.abort();
    this.flight = undefined;
  }

  /** Asks at once: what is under way would bring what was before. */
  async now() {
    this.rest();
    if (!this.running || document.hidden) return;
    const flight = this.flight = new AbortController();
    let wait = this.everyMillis;
    try {
      await this.read(flight.signal);
      if (flight !== this.flight) return;
      this.failures = 0;
      this.dispatchEvent(new CustomEvent('fresh'));
    } catch (error) {
      if (flight !== this.flight || flight.signal.aborted) return;
      const step = backoffMillis[Math.min(this.failures++, backoffMillis.length - 1)];
      wait = step * (0.75 + Math.random() / 2); // all pages lose a server at once: they must not all come back at once
      this.dispatchEvent(new CustomEvent('lost', { detail: { error, retryAt: Date.now() + wait } }));
    }
    this.flight = undefined;
    if (this.running && !document.hidden) this.timer = setTimeout(() => this.now(), wait);
  }
}
