// Event streams that come back. A browser reopens a stream that broke, but gives up on one that was refused, as by a
// server that is just starting: then we do, later each time and by chance.

import { Problem, pause } from './api.js';

/** A break shorter than this is nobody's business. */
const tellAfterMillis = 1500;

/**
 * Listens until the signal ends it.
 * @param {string} path
 * @param {Record<string, (data: any) => void>} handlers by event
 * @param {{signal: AbortSignal, onState?: (connected: boolean) => void, onRefused?: () => Promise<void>}} options
 *   onRefused looks for the reason before the next attempt, and throws a Problem that does not pass where there is no use in one
 */
export function listen(path, handlers, { signal, onState, onRefused }) {
  /** @type {EventSource | undefined} */ let source;
  let attempt = 0, told = true;
  /** @type {number | undefined} */ let timer;
  const tell = (/** @type {boolean} */ connected) => {
    clearTimeout(timer);
    timer = undefined;
    if (told !== connected) onState?.(told = connected);
  };
  const broken = () => {
    timer ??= setTimeout(() => tell(false), tellAfterMillis);
  };
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => { attempt = 0; tell(true); };
    source.onerror = () => {
      broken();
      if (source?.readyState === EventSource.CLOSED) again();
    };
    for (const [event, handle] of Object.entries(handlers)) {
      source.addEventListener(event, (message) => handle(JSON.parse(message.data)));
    }
  };
  const again = async () => {
    source?.close();
    try {
      await pause(attempt++, 0, signal);
      await onRefused?.();
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && !error.passing)) return;
    }
    if (!signal.aborted) open();
  };
  // A tab that slept may hold a connection that is long dead.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && source?.readyState !== EventSource.OPEN) {
      source?.close();
      open();
    }
  }, { signal });
  signal.addEventListener('abort', () => { clearTimeout(timer); source?.close(); }, { once: true });
  open();
}
