// The list of events: search as you type, filters, and more on request. What is looked for stands in the address, so that it
// can be kept, sent and gone back to.

import { read } from './api.js';
import { h, icon, name, replace } from './dom.js';
import { blank, failed, saleBadge, stub, whereabouts } from './parts.js';
import { dateTime, money, t } from '../i18n.js';
import { readdress } from './router.js';
import { say } from './announce.js';

const typingMillis = 250;
const statuses = ['ON_SALE', 'SCHEDULED', 'PAUSED', 'CLOSED', 'CANCELLED'];
const filters = ['q', 'status', 'from', 'to'];

/** What was shown last, so that going back shows it at once and where it was. */
let shown = { search: '', events: /** @type {any[]} */ ([]), next: /** @type {string | null} */ (null), at: 0 };

/** Older than this it is looked up again. */
const freshMillis = 60_000;

/** @type {import('./router.js').View} */
export async function listPage({ root, query, signal, title, ready }) {
  title('');
  const results = h('div', { class: 'stack', id: 'results' });
  const count = h('p', { class: 'muted small', 'data-testid': 'count' });
  const form = searchForm(query, search);
  const wide = window.matchMedia('(min-width: 720px)');
  // There the filters have no line that opens them.
  wide.addEventListener('change', () => { if (wide.matches) form.querySelector('details').open = true; }, { signal });
  root.append(h('div', { class: 'page stack-l list-page' },
    h('div', { class: 'stack' }, h('h1', {}, t('list.title')), form), h('section', { class: 'stack', 'aria-label': t('list.title') }, count, results)));

  let newest = 0;
  /** @type {AbortController | undefined} */ let asking;
  const values = () => Object.fromEntries(filters.map((key) => [key, form.elements.namedItem(key)?.value.trim() ?? '']));

  async function search() {
    const turn = ++newest;
    asking?.abort();
    asking = new AbortController();
    const wanted = values(), search = String(addressQuery(wanted));
    readdress(search ? `/?${search}` : '/');
    form.querySelector('.clear').hidden = !search;
    results.setAttribute('aria-busy', 'true');
    if (!results.hasChildNodes()) replace(results, skeletons());
    try {
      const page = await read(`/api/events?${serverQuery(wanted)}`, { signal: AbortSignal.any([signal, asking.signal]) });
      shown = { search, events: page.events, next: page.nextCursor, at: Date.now() };
      show();
    } catch (error) {
      if (turn !== newest || signal.aborted) return;
      count.textContent = '';
      replace(results, failed(t('list.failed'), error, anew));
    } finally {
      if (turn === newest) results.removeAttribute('aria-busy');
    }
    ready();
  }
  const anew = () => { results.replaceChildren(); search(); };

  function show() {
    const { events, next, search } = shown;
    count.textContent = events.length ? t(next ? 'list.foundMore' : 'list.found', { n: events.length }) : '';
    if (!events.length) {
      replace(results, search ? blank({ title: t('list.none'), text: t('list.noneText'), shape: 'search' })
        : blank({ title: t('list.empty'), text: t('list.emptyText') }));
    } else {
      replace(results, h('ul', { class: 'events' }, events.map(item)), next && moreButton());
    }
    say(count.textContent || t(search ? 'list.none' : 'list.empty'));
  }

  function moreButton() {
    const button = h('button', { type: 'button', class: 'button more', 'data-testid': 'more', onclick: async () => {
      const { next, events } = shown, wanted = values();
      button.disabled = true;
      try {
        const page = await read(`/api/events?${serverQuery({ ...wanted, cursor: next ?? '' })}`, { signal });
        if (shown.next !== next) return; // looked for something else meanwhile
        shown = { ...shown, events: [...events, ...page.events], next: page.nextCursor };
        show();
        // Reading goes on with the first of those that came.
        /** @type {HTMLElement | null} */ (results.querySelectorAll('.event-link')[events.length])?.focus();
      } catch (error) {
        if (!signal.aborted) button.after(failed(t('list.failed'), error, anew));
      } finally {
        button.disabled = false;
      }
    } }, t('list.more'));
    return button;
  }

  if (shown.at > Date.now() - freshMillis && shown.search === String(addressQuery(values()))) {
    form.querySelector('.clear').hidden = !shown.search;
    show();
    ready();
  } else await search();
}

/** What the address says. @param {Record<string, string>} wanted */
function addressQuery(wanted) {
  return new URLSearchParams(filters.filter((key) => wanted[key]).map((key) => [key, wanted[key]]));
}

/** What the server is asked: days become the times at which they begin and end here. @param {Record<string, string>} wanted */
function serverQuery({ q, status, from, to, cursor }) {
  const end = to ? new Date(`${to}T00:00`) : null;
  end?.setDate(end.getDate() + 1);
  const fields = { q, status, from: from && instant(new Date(`${from}T00:00`)), to: end && instant(end), cursor };
  return new URLSearchParams(/** @type {[string, string][]} */ (Object.entries(fields).filter(([, value]) => value)));
}

const instant = (/** @type {Date} */ date) => (Number.isNaN(date.getTime()) ? '' : date.toISOString());

function searchForm(query, search) {
  let typing = 0;
  const value = (/** @type {string} */ key) => query.get(key) ?? '';
  const typed = () => { clearTimeout(typing); typing = setTimeout(search, typingMillis); };
  const field = (key, label, input) => h('div', { class: 'field' }, h('label', { for: key }, label), input);
  const date = (key) => h('input', { type: 'date', id: key, name: key, value: value(key), autocomplete: 'off', onchange: search });
  const status = h('select', { id: 'status-filter', name: 'status', autocomplete: 'off', onchange: search },
    h('option', { value: '' }, t('list.anyStatus')),
    statuses.map((s) => h('option', { value: s, selected: s === value('status') }, t(`status.${s}`))));
  const form = h('form', { class: 'search', role: 'search', action: '/', autocomplete: 'off', onsubmit: (event) => {
    event.preventDefault();
    clearTimeout(typing);
    search();
  } },
  h('div', { class: 'search-field' }, icon('search'),
    h('label', { class: 'visually-hidden', for: 'q' }, t('list.search')),
    h('input', { type: 'search', id: 'q', name: 'q', value: value('q'), placeholder: t('list.placeholder'), maxlength: 60, dir: 'auto', autocomplete: 'off', enterkeyhint: 'search', 'data-testid': 'search', oninput: typed })),
  h('details', { class: 'filters', open: window.matchMedia('(min-width: 720px)').matches || filters.slice(1).some(value) },
    h('summary', {}, t('list.filters')),
    h('div', { class: 'filter-fields' },
      h('div', { class: 'field' }, h('label', { for: 'status-filter' }, t('list.status')), status),
      field('from', t('list.from'), date('from')), field('to', t('list.to'), date('to')),
      h('button', { type: 'button', class: 'button quiet clear', 'data-testid': 'clear', onclick: () => {
        for (const key of filters) form.elements.namedItem(key).value = '';
        search();
        form.elements.namedItem('q').focus();
      } }, t('list.clear')))));
  return form;
}

function item(event) {
  const price = event.priceFrom ?? cheapest(event);
  const gone = event.soldOut || event.status === 'CANCELLED' || event.status === 'CLOSED';
  return h('li', { class: `event${gone ? ' gone' : ''}`, 'data-testid': `event-${event.eventId}` },
    stub(event.startsAt),
    h('div', { class: 'event-what' },
      h('h2', { class: 'event-name' }, h('a', { class: 'event-link', href: `/events/${encodeURIComponent(event.eventId)}` }, name(event.name))),
      h('p', { class: 'muted' }, whereabouts(event)),
      h('p', { class: 'muted small tabular' }, `${dateTime(event.startsAt, 'date')} · ${dateTime(event.startsAt, 'time')}`),
      saleBadge(event) && h('p', {}, saleBadge(event))),
    h('div', { class: 'event-price' }, !gone && price ? h('span', {}, t('list.priceFrom', { price: money(price) })) : null,
      icon('arrow')));
}

/** Servers before priceFrom told all prices only. */
function cheapest(event) {
  const prices = event.categories.map((c) => c.price).filter(Boolean);
  return prices.sort((a, b) => a.amount - b.amount)[0] ?? null;
}

const skeletons = () => h('ul', { class: 'events', 'aria-hidden': 'true' }, [1, 2, 3].map(() => h('li', { class: 'event skeleton' })));
