// The hall of an event, live: the map, or the equal list. It outlives the steps of a purchase: what can be chosen changes, the
// picture stays.

import { read } from './api.js';
import { h, replace } from './dom.js';
import { number, t } from '../i18n.js';
import { problemText } from './parts.js';
import { recall, remember } from './store.js';

/**
 * @typedef {object} HallView
 * @property {HTMLElement} element
 * @property {import('../map/hall.js').Hall} hall
 * @property {import('../map/seats.js').Seats} seats
 * @property {Set<number>} selected seat indexes
 * @property {() => void} redraw after selected has changed
 * @property {(marked: Iterable<number>) => void} setMarked shows what others were faster to get
 * @property {(element: HTMLElement, signal: AbortSignal) => void} offer shows another way to seats beside map and list, for a while
 * @property {() => void} refresh looks how the hall is, not waiting for the stream to tell
 * @property {(signal: AbortSignal) => void} rest listens to nothing for a while
 * @property {{toggle: (index: number) => void, selectable: (index: number) => boolean}} choice what may be done with seats; steps change it
 */

/**
 * Loads and shows a hall.
 * @param {any} event
 * @param {AbortSignal} signal
 * @returns {Promise<HallView>}
 * @throws {import('./api.js').Problem}
 */
export async function openHall(event, signal) {
  // The map is most of the code: it comes while the event's page is read.
  const [{ parseHall }, { Seats }, { LiveSeats }, { SeatMap }, { SeatList }, plan] = await Promise.all([
    import('../map/hall.js'), import('../map/seats.js'), import('../map/live.js'), import('../map/seatmap.js'), import('../map/seatlist.js'),
    read(`/api/events/${encodeURIComponent(event.eventId)}/seatmap`, { signal, long: true }),
  ]);
  signal.throwIfAborted();
  const hall = parseHall(plan, event), seats = new Seats(hall), live = new LiveSeats(seats);
  const selected = new Set();
  const choice = { toggle: (_index) => {}, selectable: (_index) => false };
  const options = {
    hall, seats, selected, onToggle: (index) => choice.toggle(index), selectable: (index) => choice.selectable(index),
  };
  const place = h('div', { class: 'hall-place' });
  const counts = h('p', { class: 'muted small tabular', 'data-testid': 'counts' });
  const stale = h('p', { class: 'badge warn', hidden: true, 'data-testid': 'stale' }, t('event.stale'));
  /** @type {any} */ let picture;
  /** @type {HTMLElement | null} */ let offered = null;
  const show = (/** @type {string} */ kind) => {
    picture?.destroy();
    picture = null;
    replace(place);
    place.className = `hall-place ${kind}`;
    if (kind === 'best' && offered) place.append(offered);
    else picture = kind === 'list' ? new SeatList(place, options) : new SeatMap(place, options);
    for (const button of views.querySelectorAll('button')) button.setAttribute('aria-pressed', String(button.value === kind));
    if (kind !== 'best') remember('view', kind);
  };
  const usual = () => (recall('view') === 'list' ? 'list' : 'map');
  const view = (/** @type {string} */ kind, /** @type {string} */ text, testid = `view-${kind}`) =>
    h('button', { type: 'button', value: kind, 'data-testid': testid, 'aria-pressed': 'false', onclick: () => show(kind) }, text);
  const views = h('div', { class: 'switch', role: 'group', 'aria-label': t('event.view') }, view('map', t('event.map')), view('list', t('event.list')));
  const offer = (/** @type {HTMLElement} */ form, /** @type {AbortSignal} */ during) => {
    const button = view('best', t('choose.best'), 'best');
    offered = form;
    views.append(button);
    during.addEventListener('abort', () => {
      button.remove();
      offered = null;
      if (!signal.aborted && !picture) show(usual());
    }, { once: true });
  };
  const element = h('section', { class: 'hall', 'aria-labelledby': 'hall-title' },
    h('div', { class: 'row-between hall-head' },
      h('div', {}, h('h2', { id: 'hall-title' }, t('event.hall')), counts, stale), views),
    place);
  show(usual());

  const count = () => {
    if (!seats.version) return;
    counts.textContent = t('event.available', { n: seats.counts().available, total: number(hall.size) });
  };
  seats.addEventListener('change', count, { signal });
  // A moment of reconnecting is nobody's business.
  let timer = 0;
  const told = () => {
    clearTimeout(timer);
    if (live.state === 'live') stale.hidden = true;
    else timer = setTimeout(() => { stale.hidden = false; }, 2000);
  };
  live.addEventListener('state', told, { signal });
  const start = () => {
    live.start();
    void live.load(); // something to see, also where streams are full
    told();
  };
  const rest = (/** @type {AbortSignal} */ during) => {
    if (during.aborted) return;
    live.stop();
    during.addEventListener('abort', () => signal.aborted || start(), { once: true });
  };
  start();
  signal.addEventListener('abort', () => { clearTimeout(timer); live.stop(); picture?.destroy(); }, { once: true });
  return {
    element, hall, seats, selected, choice, offer, rest,
    refresh: () => { void live.load(); },
    redraw: () => picture?.setSelected(selected), setMarked: (marked) => picture?.setMarked(marked),
  };
}

/** Where the hall would be, and why it is not. @param {unknown} error @param {() => void} again */
export const hallFailed = (error, again) => h('section', { class: 'hall' },
  h('div', { class: 'note danger' }, h('div', { class: 'stack-s' }, h('h2', {}, t('event.hallFailed')), h('p', {}, problemText(error)),
    h('div', {}, h('button', { type: 'button', class: 'button', onclick: again }, t('app.retry'))))));
