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
 * @property {(category: string | null) => void} highlight
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
    read(`/api/events/${encodeURIComponent(event.eventId)}/seatmap`, { signal }),
  ]);
  signal.throwIfAborted();
  const hall = parseHall(plan, event), seats = new Seats(hall), live = new LiveSeats(seats);
  const selected = new Set();
  const choice = { toggle: (_index) => {}, selectable: (_index) => false };
  const options = {
    hall, seats, selected, onToggle: (index) => choice.toggle(index), selectable: (index) => choice.selectable(index),
    dark: window.matchMedia('(prefers-color-scheme: dark)').matches,
  };
  const place = h('div', { class: 'hall-place' });
  const counts = h('p', { class: 'muted small tabular', 'data-testid': 'counts' });
  const stale = h('p', { class: 'badge warn', hidden: true, 'data-testid': 'stale' }, t('event.stale'));
  /** @type {any} */ let picture;
  const show = (/** @type {'map' | 'list'} */ kind) => {
    picture?.destroy();
    replace(place);
    place.className = `hall-place ${kind}`;
    picture = kind === 'map' ? new SeatMap(place, options) : new SeatList(place, options);
    for (const button of views.querySelectorAll('button')) button.setAttribute('aria-pressed', String(button.value === kind));
    remember('view', kind);
  };
  const views = h('div', { class: 'switch', role: 'group', 'aria-label': t('event.view') }, ['map', 'list'].map((kind) =>
    h('button', { type: 'button', value: kind, 'data-testid': `view-${kind}`, onclick: () => show(/** @type {any} */ (kind)) }, t(`event.${kind}`))));
  const element = h('section', { class: 'hall', 'aria-labelledby': 'hall-title' },
    h('div', { class: 'row-between hall-head' },
      h('div', {}, h('h2', { id: 'hall-title' }, t('event.hall')), counts, stale), views),
    place);
  show(recall('view') === 'list' ? 'list' : 'map');

  const count = () => {
    if (!seats.version) return;
    counts.textContent = t('event.available', { n: seats.counts().available, total: number(hall.size) });
  };
  seats.addEventListener('change', count, { signal });
  // A moment of reconnecting is nobody's business.
  let timer = 0;
  live.addEventListener('state', () => {
    clearTimeout(timer);
    if (live.state === 'live') stale.hidden = true;
    else timer = setTimeout(() => { stale.hidden = false; }, 2000);
  }, { signal });
  live.start();
  void live.load(); // something to see, also where streams are full
  signal.addEventListener('abort', () => { clearTimeout(timer); live.stop(); picture.destroy(); }, { once: true });
  return {
    element, hall, seats, selected, choice, redraw: () => picture.setSelected(selected),
    highlight: (category) => picture.highlight?.({ category }),
  };
}

/** Where the hall would be, and why it is not. @param {unknown} error @param {() => void} again */
export const hallFailed = (error, again) => h('section', { class: 'hall' },
  h('div', { class: 'note danger' }, h('div', { class: 'stack-s' }, h('h2', {}, t('event.hallFailed')), h('p', {}, problemText(error)),
    h('div', {}, h('button', { type: 'button', class: 'button', onclick: again }, t('app.retry'))))));
