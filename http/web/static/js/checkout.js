// Checkout: what is bought, how long it is held, and paying for it. Each call goes on under its key after a reload or a lost
// answer; only the server says how it ended.

import { Problem, secondsUntil } from './api.js';
import { say } from './announce.js';
import { call, pending } from './calls.js';
import { cardChoice } from './cards.js';
import { h, icon, name, replace, setText } from './dom.js';
import { clock, dateTime, known, money, t } from '../i18n.js';
import { confirm, dot, everySecond, note, problemText, seatLine, stub, whereabouts } from './parts.js';
import { Purchase } from './purchase.js';

/** The last minute is said, and shown. */
const hurrySeconds = 60;

/**
 * Shows an order that is to be paid, or on its way.
 * @param {import('./orderpage.js').OrderView} view
 * @returns {{change: (order: any) => void}} change takes the order's next status; its seats are the same
 */
export function checkout(view) {
  const { event, token, root, signal, stay, title, refresh, update } = view;
  let { order } = view, busy = false;
  const message = h('div', { class: 'stack-s', 'data-testid': 'pay-message' });
  const status = h('p', { 'data-testid': 'pay-status' });
  const pay = h('button', { type: 'submit', class: 'button primary wide large', 'data-testid': 'pay' });
  const cards = cardChoice(), hold = countdown(), actions = changes();
  const path = `/api/orders/${encodeURIComponent(order.orderId)}`;
  const form = h('form', { class: 'card stack', autocomplete: 'off', 'data-testid': 'checkout', onsubmit: (submitted) => {
    submitted.preventDefault();
    void run(order.status === 'AUTHORIZED' ? finish : () => payWith(cards.value()));
  } }, message, cards.element, status, h('div', { class: 'action' }, pay));
  root.append(h('div', { class: 'page stack checkout-page' },
    h('h1', {}, t('pay.title')), hold,
    h('div', { class: 'checkout-grid' }, form, summary(view, actions))));
  draw();
  resume();
  return { change: (now) => { order = now; draw(); } };

  /** Goes on with what was under way before a reload. */
  function resume() {
    const open = pending(order.orderId);
    if (open.cancel) void run(() => send('cancel', {}));
    else if (open.finalize || (open.confirm && order.status === 'AUTHORIZED')) void run(finish);
    else if (open.confirm) void run(() => payWith(JSON.parse(open.confirm.body).paymentToken));
  }

  function draw() {
    const reserved = order.status === 'RESERVED', authorized = order.status === 'AUTHORIZED', idle = !busy;
    hold.hidden = !reserved;
    actions.hidden = !(reserved && idle);
    cards.element.hidden = !(reserved || busy);
    cards.disable(busy);
    status.hidden = reserved || busy;
    setText(status, authorized ? t('pay.authorized') : t('pay.working'));
    pay.hidden = idle && !reserved && !authorized;
    pay.setAttribute('aria-disabled', String(busy));
    if (idle) replace(pay, authorized ? t('pay.finish') : t('pay.pay', { total: money(order.amount) }));
    if (!reserved) title(`${t('pay.title')} – ${event?.name ?? ''}`);
  }

  function working(/** @type {string} */ text) {
    replace(pay, h('span', { class: 'spinner', 'aria-hidden': 'true' }), text);
    say(text);
  }

  /** Runs one action at a time, and shows what it ends with. @param {() => Promise<any>} action */
  async function run(action) {
    if (busy) return;
    busy = true;
    replace(message);
    draw();
    working(t(order.status === 'AUTHORIZED' ? 'pay.finishing' : 'pay.paying'));
    try {
      update(await action());
    } catch (error) {
      busy = false;
      if (!signal.aborted) await refused(error);
    }
  }

  /** @param {string} what @param {object} body */
  function send(what, body) { return call(order.orderId, what, `${path}:${what}`, body, { token, signal: stay, onWait: told }); }

  async function finish() {
    working(t('pay.finishing'));
    return send('finalize', {});
  }

  async function payWith(/** @type {string} */ paymentToken) {
    await send('confirm', { paymentToken });
    return finish();
  }

  function told(/** @type {Problem} */ problem) {
    const key = problem.code === 'payment-unknown' || problem.code === 'request-in-flight' ? 'pay.asking' : 'pay.unreachable';
    if (message.textContent !== t(key)) replace(message, note('warn', h('p', {}, t(key))));
  }

  async function refused(/** @type {unknown} */ error) {
    const problem = error instanceof Problem ? error : null;
    if (problem?.code === 'payment-declined') {
      const key = `decline.${problem.body.declineCode}`;
      replace(message, note('danger', h('strong', {}, t('pay.declined')), h('p', {}, t(known(key) ? key : 'decline.other')), h('p', {}, t('pay.again'))));
      say(`${t('pay.declined')}. ${t(known(key) ? key : 'decline.other')} ${t('pay.again')}`, true);
      order = { ...order, status: 'RESERVED', holdExpiresAt: problem.body.holdExpiresAt ?? order.holdExpiresAt };
      draw();
      cards.focus();
      message.scrollIntoView({ block: 'center' });
      return;
    }
    replace(message, note('danger', h('p', {}, problemText(error))));
    if (!problem) console.error(error);
    draw();
    await refresh().catch(() => {}); // the status says more than the refusal
  }

  function countdown() {
    const left = h('strong', { class: 'tabular', 'data-testid': 'hold-left' });
    const box = h('p', { class: 'hold' }, icon('clock'), h('span', {}, t('pay.held')), left);
    let hurried = false, asking = false;
    everySecond(() => {
      if (order.status !== 'RESERVED') return;
      const seconds = secondsUntil(order.holdExpiresAt);
      const shown = clock(seconds, event?.holdTtlSeconds);
      left.textContent = shown;
      title(t('pay.docTitle', { left: shown, name: event?.name ?? '' }));
      if (seconds <= hurrySeconds && !hurried) {
        hurried = true;
        box.classList.add('hurry');
        if (seconds > 5) say(t('pay.minute'), true);
      }
      if (seconds < 0 && !busy && !asking) {
        asking = true;
        void refresh().catch(() => {}).finally(() => { asking = false; });
      }
    }, signal);
    return box;
  }

  function changes() {
    return h('div', { class: 'row' },
      // Only where the turn is: a link that was sent to somebody has none.
      new Purchase(order.eventId).known?.orderId === order.orderId
        && h('a', { class: 'button small', href: `/events/${encodeURIComponent(order.eventId)}`, 'data-testid': 'change' }, t('pay.change')),
      h('button', { type: 'button', class: 'button small quiet', 'data-testid': 'cancel', onclick: cancel }, t('pay.cancel')));
  }

  async function cancel() {
    if (busy || !await confirm({ title: t('pay.cancelSure'), text: t('pay.cancelText'), yes: t('pay.cancel'), no: t('pay.keep') }, signal)) return;
    await run(() => send('cancel', {}));
  }
}

/** What is bought. @param {import('./orderpage.js').OrderView} view @param {Node | null} actions */
function summary({ order, event }, actions) {
  return h('section', { class: 'card summary stack', 'aria-labelledby': 'summary-title' },
    h('h2', { id: 'summary-title' }, t('pay.yourOrder')),
    event && h('div', { class: 'summary-event' }, stub(event.startsAt), h('div', {}, h('p', {}, h('strong', {}, name(event.name))),
      h('p', { class: 'muted small' }, whereabouts(event)), h('p', { class: 'muted small' }, dateTime(event.startsAt)))),
    h('ul', { class: 'basket-seats' }, order.seats.map((seat) => h('li', { class: 'basket-seat' },
      dot(event?.categories.find((c) => c.name === seat.category)?.color ?? ''),
      h('span', { class: 'grow' }, seatLine(seat, seat.category)),
      h('span', { class: 'tabular' }, money(seat.price))))),
    h('p', { class: 'row-between total' }, h('span', {}, t('choose.total')), h('strong', { class: 'tabular', 'data-testid': 'order-total' }, money(order.amount))),
    actions);
}
