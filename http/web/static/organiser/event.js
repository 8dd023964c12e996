// One event: its name, its status with what can be done about it, and below that its sale or its seats.

import { dateTime, t } from '../i18n.js';
import { h, icon, name, replace, setText } from '../js/dom.js';
import { toast } from '../js/announce.js';
import { api } from './api.js';
import { statusBadge } from './list.js';
import { confirmed, lostBanner, reason } from './notes.js';
import { overview } from './overview.js';
import { Refresh } from './refresh.js';
import { seatsView } from './seats.js';

const everyMillis = 1500;

/** What an organiser can make of each status. */
const actions = {
  SCHEDULED: ['PAUSED', 'CLOSED', 'CANCELLED'],
  ON_SALE: ['PAUSED', 'CLOSED', 'CANCELLED'],
  PAUSED: ['ON_SALE', 'CLOSED', 'CANCELLED'],
  CLOSED: ['ON_SALE', 'CANCELLED'],
  CANCELLED: [],
};

/** @type {Record<string, string>} */
const words = { PAUSED: 'pause', ON_SALE: 'resume', CLOSED: 'close', CANCELLED: 'cancel' };

/** @param {string} eventID @param {'overview' | 'seats'} part @returns {import('./organiser.js').View} */
export function eventView(eventID, part) {
  const refresh = new Refresh(read, everyMillis);
  const heading = h('h1', { tabindex: '-1', dir: 'auto', 'data-testid': 'event-name' }, eventID);
  const badge = h('span', {});
  const about = h('p', { class: 'muted' });
  const buttons = h('div', { class: 'row event-actions' });
  const error = h('p', { class: 'note danger', role: 'alert', hidden: true, 'data-testid': 'action-error' });
  const body = part === 'seats' ? seatsView(eventID) : overview(eventID, () => void refresh.now());
  /** @type {any} */
  let event;
  let drawn = '';

  async function read(/** @type {AbortSignal} */ signal) {
    const [latest] = await Promise.all([api.event(eventID, signal), body.read(signal)]);
    event = latest;
    if (seen() !== drawn) draw(); // nobody's button is taken away for nothing
    body.show(event);
  }

  const seen = () => JSON.stringify([event.name, event.status, event.venue, event.city, event.startsAt, event.onSaleAt]);

  function draw() {
    drawn = seen();
    setText(heading, event.name);
    document.title = `${event.name} · boxoffice`;
    badge.replaceChildren(statusBadge(event.status));
    replace(about, dateTime(event.startsAt), ' · ', name([event.venue, event.city].filter(Boolean).join(', ')),
      event.status === 'SCHEDULED' && ` · ${t('organiser.onSaleAt', { time: dateTime(event.onSaleAt) })}`);
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.testid;
    replace(buttons, .../** @type {string[]} */ (actions[/** @type {keyof typeof actions} */ (event.status)] ?? []).map(action));
    // The button that was pressed has gone; its opposite stands where it stood.
    if (focused?.startsWith('status-')) (buttons.querySelector(`[data-testid="${focused}"]`) ?? buttons.querySelector('button') ?? heading).focus();
  }

  function action(/** @type {string} */ to) {
    const key = to === 'ON_SALE' && event.status === 'CLOSED' ? 'reopen' : words[to];
    const kind = to === 'CANCELLED' ? 'danger' : to === 'ON_SALE' ? 'primary' : '';
    return h('button', { class: `button small ${kind}`, type: 'button', 'data-testid': `status-${to}`, onclick: () => void change(to) }, t(`organiser.${key}`));
  }

  async function change(/** @type {string} */ to) {
    const key = words[to];
    if (to === 'CLOSED' || to === 'CANCELLED') {
      const title = h('h2', { dir: 'auto' }, t(`organiser.${key}.title`, { name: event.name }));
      if (!await confirmed({ title, text: t(`organiser.${key}.text`), yes: t(`organiser.${key}.yes`) })) return;
    }
    for (const button of buttons.querySelectorAll('button')) button.ariaDisabled = 'true';
    error.hidden = true;
    try {
      event = await api.change(eventID, { status: to });
      toast(t(`organiser.done.${event.status}`) === `organiser.done.${event.status}` ? t(`organiser.status.${event.status}`) : t(`organiser.done.${event.status}`));
    } catch (problem) {
      setText(error, t('organiser.failed', { detail: reason(problem) }));
      error.hidden = false;
    }
    draw();
    void refresh.now();
  }

  const here = (/** @type {string} */ which) => part === which && 'page';
  const address = `#/events/${encodeURIComponent(eventID)}`;
  const element = h('div', { class: 'stack-l' },
    h('div', { class: 'stack' },
      h('a', { class: 'back', href: '#/', 'data-testid': 'back' }, icon('back', 18), t('organiser.back')),
      h('div', { class: 'event-head' },
        h('div', { class: 'stack-s' }, h('div', { class: 'row' }, heading, badge), about), buttons),
      error, lostBanner(refresh)),
    h('nav', { class: 'views', 'aria-label': t('organiser.view') },
      h('a', { href: address, 'aria-current': here('overview'), 'data-testid': 'view-overview' }, t('organiser.view.overview')),
      h('a', { href: `${address}/seats`, 'aria-current': here('seats'), 'data-testid': 'view-seats' }, t('organiser.view.seats'))),
    body.element);
  return { element, title: eventID, start: () => refresh.start(), end: () => { refresh.stop(); body.end(); } };
}
