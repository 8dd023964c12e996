// The first step: what it costs, what is free, and the button that begins.

import { secondsUntil } from './api.js';
import { toast } from './announce.js';
import { h, name, replace } from './dom.js';
import { clock, duration, money, t } from '../i18n.js';
import { dot, everySecond, note, problemText } from './parts.js';
import { orderAddress } from './purchase.js';

/** An event is looked at again so often, by chance, for its sale may begin, pause or end. */
const againMillis = 20_000;

/** @param {import('./eventpage.js').Step} step */
export async function looking({ event, purchase, panel, hall, signal, title, join, reread }) {
  title(event.name);
  const action = h('div', { class: 'action' }), state = h('div', { class: 'stack' });
  const prices = h('ul', { class: 'prices' });
  const resume = h('div', { class: 'resume' });
  panel.append(resume, h('section', { class: 'card stack', 'aria-labelledby': 'prices-title' },
    h('h2', { id: 'prices-title' }, t('event.prices')), prices, state,
    h('p', { class: 'muted small' }, t('event.most', { n: event.maxSeatsPerOrder }), ' · ', t('event.hold', { time: duration(event.holdTtlSeconds) })), action));

  const rows = priceRows(event);
  replace(prices, rows.map(({ row }) => row));
  const left = h('span', { class: 'countdown tabular', 'data-testid': 'sale-countdown' });
  let early = false;
  sale();
  everySecond(countdown, signal);
  watchHall();
  watchEvent();
  void showResume(purchase, resume, signal);

  function sale() {
    // Whether a sale has begun is the clock's to say: the server may be a moment behind.
    early = event.status === 'SCHEDULED' && !(secondsUntil(event.onSaleAt) <= 0);
    const on = event.status === 'ON_SALE' || (event.status === 'SCHEDULED' && !early);
    replace(state);
    if (early) state.append(startsIn());
    else if (!on) state.append(note(event.status === 'CANCELLED' ? 'danger' : 'warn', h('p', {}, t({ PAUSED: 'event.pausedText', CLOSED: 'event.closedText' }[event.status] ?? 'event.cancelledText'))));
    else if (event.soldOut) state.append(note('', h('p', {}, t('event.soldOutText'))));
    const ready = (on && !event.soldOut) || early;
    replace(action, ready && buyButton(early));
    action.hidden = !ready;
  }

  function buyButton(early) {
    const label = () => (early ? t('event.join') : t('event.buy'));
    const button = h('button', { type: 'button', class: 'button primary wide large', 'data-testid': 'buy', onclick: async () => {
      if (button.getAttribute('aria-disabled')) return;
      button.setAttribute('aria-disabled', 'true');
      button.textContent = t('event.joining');
      try {
        await join();
      } catch (error) {
        if (signal.aborted) return;
        toast(problemText(error), 'danger');
        button.removeAttribute('aria-disabled');
        button.textContent = label();
      }
    } }, label());
    return button;
  }

  function countdown() {
    if (!early) return;
    const seconds = secondsUntil(event.onSaleAt);
    left.textContent = seconds > 36 * 3600 ? duration(seconds) : clock(seconds);
    if (seconds <= 0) sale();
  }

  function startsIn() {
    return h('div', { class: 'note' }, h('div', { class: 'stack-s' }, h('p', {}, t('event.saleIn'), ' ', h('strong', {}, left)),
      event.waitingRoom?.enabled ? h('p', { class: 'small' }, t('event.saleEarly')) : null));
  }

  async function watchHall() {
    const view = await hall;
    if (!view || signal.aborted) return;
    view.choice.selectable = () => false;
    view.choice.toggle = () => {};
    const count = () => {
      if (!view.seats.version) return;
      for (const { category, left } of rows) {
        const n = view.seats.categoryCounts(view.hall.categories.findIndex((c) => c.name === category.name))?.available ?? 0;
        left.textContent = n > 0 ? t('event.free', { n }) : t('event.allSold');
      }
    };
    count();
    view.seats.addEventListener('change', count, { signal });
  }

  function watchEvent() {
    let timer = 0;
    const again = () => { timer = setTimeout(look, againMillis * (0.75 + Math.random() / 2)); };
    const look = async () => {
      if (document.visibilityState === 'visible') {
        const moved = await reread();
        if (signal.aborted) return;
        if (moved) sale();
      }
      again();
    };
    again();
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }
}

/** An order that was begun waits to be paid. @param {import('./purchase.js').Purchase} purchase @param {HTMLElement} place @param {AbortSignal} signal */
export async function showResume(purchase, place, signal) {
  const order = await purchase.order(signal).catch(() => null);
  if (!order?.seats.length || signal.aborted) return;
  replace(place, resumeNote(order, purchase.known?.token ?? ''));
}

/** @param {any} order @param {string} token */
export const resumeNote = (order, token) => note('ok', h('p', {}, t('event.resume', { seats: t('seats.n', { n: order.seats.length }) })),
  h('div', {}, h('a', { class: 'button', href: orderAddress(order.orderId, token), 'data-testid': 'resume' }, t('event.resumeGo'))));

function priceRows(event) {
  return event.categories.map((category) => {
    const left = h('span', { class: 'muted small tabular' });
    return { category, left, row: h('li', { class: 'price' }, dot(category.color), h('span', { class: 'grow' }, name(category.name)), left,
      h('strong', { class: 'tabular' }, category.price ? money(category.price) : '')) };
  });
}
