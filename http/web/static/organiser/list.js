// All events, found by their text or status.

import { dateTime, t } from '../i18n.js';
import { h, name, setText } from '../js/dom.js';
import { api } from './api.js';
import { lostBanner } from './notes.js';
import { Refresh } from './refresh.js';

const typingMillis = 250;
const everyMillis = 5000;
const pageSize = 20, pageMax = 100;

const statuses = ['SCHEDULED', 'ON_SALE', 'PAUSED', 'CLOSED', 'CANCELLED'];
/** @type {Record<string, string>} */
const badges = { SCHEDULED: 'accent', ON_SALE: 'ok', PAUSED: 'warn', CLOSED: '', CANCELLED: 'danger' };

/** @param {string} status */
export const statusBadge = (status) =>
  h('span', { class: `badge ${badges[status] ?? ''}`, 'data-testid': 'status', 'data-status': status }, t(`organiser.status.${status}`));

/** @returns {import('./organiser.js').View} */
export function listView() {
  const search = h('input', { id: 'search', type: 'search', maxlength: 100, placeholder: t('organiser.events.searchHint'), 'data-testid': 'search', oninput: typed });
  const status = h('select', { id: 'status-filter', 'data-testid': 'status-filter', onchange: () => ask() },
    h('option', { value: '' }, t('organiser.events.all')),
    ...statuses.map((s) => h('option', { value: s }, t(`organiser.status.${s}`))));
  const count = h('p', { class: 'muted small', role: 'status', 'data-testid': 'count' }, t('organiser.loading'));
  const list = h('ul', { class: 'event-list', 'data-testid': 'events' });
  const more = h('button', { class: 'button', type: 'button', hidden: true, 'data-testid': 'more', onclick: () => { limit = pageMax; ask(); } }, t('organiser.events.more'));
  let limit = pageSize, last = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const refresh = new Refresh(async (signal) => {
    const answer = await api.events({ q: search.value.trim(), status: status.value, limit: String(limit) }, signal);
    const seen = JSON.stringify(answer);
    if (seen === last) return; // nobody loses the focus for nothing
    last = seen;
    const focused = document.activeElement?.getAttribute('href');
    list.replaceChildren(...answer.events.map(item));
    if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`a[href="${CSS.escape(focused)}"]`))?.focus();
    const n = answer.events.length;
    more.hidden = !answer.nextCursor || limit === pageMax;
    setText(count, !n ? t('organiser.events.none') : t(answer.nextCursor ? 'organiser.events.countMore' : 'organiser.events.count', { n }));
  }, everyMillis);

  function typed() {
    clearTimeout(timer);
    timer = setTimeout(ask, typingMillis);
  }
  const ask = () => void refresh.now();

  const element = h('div', { class: 'stack-l' },
    h('h1', { tabindex: '-1' }, t('organiser.events')),
    lostBanner(refresh),
    h('form', { class: 'filters', role: 'search', onsubmit: (/** @type {Event} */ e) => { e.preventDefault(); ask(); } },
      h('div', { class: 'field grow' }, h('label', { for: 'search' }, t('organiser.events.search')), search),
      h('div', { class: 'field' }, h('label', { for: 'status-filter' }, t('organiser.events.status')), status)),
    h('div', { class: 'stack' }, count, list, more));
  return { element, title: t('organiser.events'), start: () => refresh.start(), end: () => { clearTimeout(timer); refresh.stop(); } };
}

/** @param {any} event */
function item(event) {
  const n = event.seatsAvailable, total = event.seatsTotal;
  const seats = n === undefined ? t('organiser.events.seats', { n: total }) : t('organiser.events.available', { n, total });
  return h('li', {}, h('a', { class: 'event-item', href: `#/events/${encodeURIComponent(event.eventId)}`, 'data-testid': `event-${event.eventId}` },
    h('span', { class: 'event-what' },
      name(event.name, 'strong'),
      h('span', { class: 'muted small' }, dateTime(event.startsAt), ' · ', name([event.venue, event.city].filter(Boolean).join(', ')))),
    h('span', { class: 'event-how' }, h('span', { class: 'muted small tabular' }, seats), statusBadge(event.status))));
}
