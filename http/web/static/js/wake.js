// When a page looks again after it did not: what it had open may be a corpse by then, and what it knew is old.

/** The clock of a page that is awake; one that stood still for longer than sleptMillis tells of sleep. */
const tickMillis = 5_000;
const sleptMillis = 20_000;
/** After so long out of sight a page rests; longer than what it wakes from. */
const restMillis = 30_000;

/**
 * Calls after a sleep of the machine, a long time in the background, a way back by the browser's history, and a time
 * without a network.
 * @param {() => void} run @param {AbortSignal} signal ends it
 */
export function onWake(run, signal) {
  let ticked = Date.now(), hidden = Date.now();
  const ticker = setInterval(() => {
    const slept = Date.now() - ticked > sleptMillis;
    ticked = Date.now();
    if (slept && !document.hidden) run();
  }, tickMillis);
  signal.addEventListener('abort', () => clearInterval(ticker), { once: true });
  document.addEventListener('visibilitychange', () => {
    ticked = Date.now();
    if (document.hidden) hidden = ticked;
    else if (ticked - hidden > sleptMillis) run();
  }, { signal });
  addEventListener('pageshow', (e) => e.persisted && run(), { signal });
  addEventListener('online', run, { signal });
}

/**
 * Calls when nobody has looked for a while. A browser opens six connections to a host that speaks HTTP/1.1, and every
 * stream takes one: those of forgotten tabs must not starve the one that is looked at.
 * @param {() => void} run @param {AbortSignal} signal ends it
 */
export function onRest(run, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const turned = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(run, restMillis);
  };
  document.addEventListener('visibilitychange', turned, { signal });
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  turned();
}
