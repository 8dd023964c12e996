// An order by its link: to be paid, on its way, done or over. The token stands after the # of the address. The order is
// watched, so that every tab and device that shows it shows the same.

import { Problem, read } from './api.js';
import { say } from './announce.js';
import { checkout } from './checkout.js';
import { h, name, replace } from './dom.js';
import { t } from '../i18n.js';
import { blank, failed, loading, note, within } from './parts.js';
import { Purchase } from './purchase.js';
import { focusHeading, show as showAgain } from './router.js';
import { listen } from './stream.js';
import { tickets } from './tickets.js';

/**
 * @typedef {object} OrderView what the parts of this page are given
 * @property {any} order
 * @property {any} event null where it could not be read
 * @property {string} token
 * @property {HTMLElement} root
 * @property {AbortSignal} signal ends when the order's status changes
 * @property {AbortSignal} stay ends when the page is left
 * @property {(text: string) => void} title
 * @property {(order: any) => void} update shows the order as it is now
 * @property {() => Promise<void>} refresh reads it
 */

/** @type {import('./router.js').View} */
export async function orderPage({ params, hash, root, signal, title, ready }) {
  const orderId = params.id, token = hash, path = `/api/orders/${encodeURIComponent(orderId)}`;
  const eventId = orderId.split('.')[0];
  root.append(loading());
  title(t('pay.yourOrder'));
  let order, event;
  try {
    [order, event] = await Promise.all([
      token ? read(path, { token, signal }) : Promise.reject(new Problem(401, { code: 'token-required' })),
      read(`/api/events/${encodeURIComponent(eventId)}`, { signal }).catch(() => null), // an order is worth showing without
    ]);
  } catch (error) {
    if (signal.aborted) return;
    const lost = error instanceof Problem && !error.passing;
    replace(root, lost ? blank({ title: t('order.lost'), text: t('order.lostText'), shape: 'warn', action: h('a', { class: 'button primary', href: '/' }, t('app.all')) })
      : failed(t('order.lost'), error, showAgain));
    ready();
    return;
  }

  let shown = '', inner = within(signal);
  /** @type {{change: (order: any) => void} | void} */ let part;
  const update = (/** @type {any} */ now) => {
    if (signal.aborted) return;
    const key = `${now.status} ${now.seats.map(seatId)}`;
    if (key === shown) return;
    const first = !shown, goesOn = part && paying.has(now.status) && String(now.seats.map(seatId)) === String(order.seats.map(seatId));
    shown = key;
    order = now;
    if (goesOn) {
      part?.change(now); // what one reads and presses stays where it is
      return;
    }
    inner.abort();
    inner = within(signal);
    replace(root);
    part = render({ order, event, token, root, signal: inner.signal, stay: signal, title, update, refresh });
    if (first) ready();
    else focusHeading(root);
  };
  const refresh = async () => {
    const now = await read(path, { token, signal });
    update(now);
  };
  update(order);
  if (over.has(order.status)) return;
  const watching = within(signal);
  listen(`/api/sse/orders/${encodeURIComponent(orderId)}?accessToken=${encodeURIComponent(token)}`, {
    order: (now) => {
      if (over.has(now.status)) watching.abort();
      update(now);
    },
  }, { signal: watching.signal, rests: true, onRefused: refresh });
}

/** In these states nothing comes any more. */
const over = new Set(['COMPLETED', 'EXPIRED', 'CANCELLED', 'PAYMENT_FAILED']);

/** In these it is paid for. */
const paying = new Set(['RESERVED', 'AUTHORIZING', 'AUTHORIZED', 'CAPTURING']);

const seatId = (/** @type {{seatId: string}} */ seat) => seat.seatId;

/** @param {OrderView} view */
function render(view) {
  if (paying.has(view.order.status)) return checkout(view);
  switch (view.order.status) {
    case 'COMPLETED':
      new Purchase(view.order.eventId).done(view.order.orderId);
      say(t('tickets.say'));
      return tickets(view);
    case 'PENDING': return ended(view, 'pending', '');
    case 'EXPIRED': return ended(view, 'expired', 'warn');
    case 'CANCELLED': return ended(view, 'cancelled', '');
    default: return ended(view, 'failed', 'danger');
  }
}

/** @param {OrderView} view @param {string} how @param {'warn' | 'danger' | ''} kind */
function ended({ order, event, root, title }, how, kind) {
  title(t(`order.${how}`));
  const lines = order.seats.map((seat) => h('li', {}, name(seat.section), ` · ${t('seat.row', { row: seat.row })} · ${t('seat.seat', { number: seat.number })}`));
  root.append(h('div', { class: 'page narrow stack-l', 'data-testid': `order-${how}` },
    h('div', { class: 'stack' }, h('h1', {}, t(`order.${how}`)),
      event && h('p', { class: 'muted' }, name(event.name)),
      kind ? note(kind, h('p', {}, t(`order.${how}Text`))) : h('p', {}, t(`order.${how}Text`)),
      lines.length ? h('ul', { class: 'plain muted' }, lines) : null),
    h('div', { class: 'row' },
      h('a', { class: 'button primary', href: `/events/${encodeURIComponent(order.eventId)}`, 'data-testid': 'choose-again' }, t('order.choose')),
      h('a', { class: 'button quiet', href: '/' }, t('app.all')))));
}
