// Event streams that come back. A browser reopens a stream that broke, but gives up on one that was refused, as by a
// server that is just starting: then we do, later each time and by chance.

import { Problem, pause } from './api.js';
import { onRest, onWake } from './wake.js';

/** A break shorter than this is nobody's business. */
const tellAfterMillis = 1500;

/**
 * Listens until the signal ends it.
 * @param {string} path
 * @param {Record<string, (data: any) => void>} handlers by event
 * @param {{signal: AbortSignal, rests?: boolean, onState?: (connected: boolean) => void, onRefused?: () => Promise<void>}} options
 *   rests: lets the stream go while nobody looks. onRefused looks for the reason before the next attempt, and throws a Problem
 *   that does not pass where there is no use in one
 */
export function listen(path, handlers, { signal, rests = false, onState, onRefused }) {
  /** @type {EventSource} */ let source;
  let attempt = 0, told = true;
  /** @type {number | undefined} */ let timer;
  const tell = (/** @type {boolean} */ connected) => {
    clearTimeout(timer);
    timer = undefined;
    if (told !== connected) onState?.(told = connected);
  };
  const open = () => {
    source?.close();
    const stream = source = new EventSource(path);
    stream.onopen = () => { attempt = 0; tell(true); };
    stream.onerror = () => {
      timer ??= setTimeout(() => tell(false), tellAfterMillis);
      if (stream.readyState === EventSource.CLOSED) void again(stream);
    };
    for (const [event, handle] of Object.entries(handlers)) {
      stream.addEventListener(event, (message) => stream === source && handle(JSON.parse(message.data)));
    }
  };
  const again = async (/** @type {EventSource} */ refused) => {
    try {
      await pause(attempt++, 0, signal);
      await onRefused?.();
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && !error.passing)) return;
    }
    if (!signal.aborted && source === refused) open(); // unless the page woke meanwhile
  };
  onWake(open, signal);
  if (rests) onRest(() => source.close(), signal);
  signal.addEventListener('abort', () => { clearTimeout(timer); source.close(); }, { once: true });
  open();
}
