// One's turn: seats by the map, the list or as the best there are, a basket, and the order that holds them.

import { Problem, secondsUntil } from './api.js';
import { say, toast } from './announce.js';
import { bestForm } from './best.js';
import { h, icon, replace } from './dom.js';
import { clock, money, t } from '../i18n.js';
import { resumeNote } from './looking.js';
import { confirm, dot, everySecond, onWait, problemText, seatLine, seatText } from './parts.js';
import { orderAddress } from './purchase.js';
import { go } from './router.js';

/** What ends a turn. */
const turnOver = new Set(['token-expired', 'token-invalid', 'token-required']);

/** @param {import('./eventpage.js').Step} step @param {any} session */
export async function choosing(step, session) {
  const { event, purchase, panel, hall, signal, title, look, end, proceed } = step;
  title(t('choose.docTitle', { name: event.name }));
  say(t('choose.say'), true);
  const turn = h('span', { class: 'tabular', 'data-testid': 'turn' });
  const message = h('div', { class: 'stack-s', 'data-testid': 'choose-message' });
  const list = h('ul', { class: 'basket-seats', 'data-testid': 'basket' });
  const total = h('strong', { class: 'tabular', 'data-testid': 'total' }), count = h('span', { class: 'muted' });
  const reserve = h('button', { type: 'button', class: 'button primary wide large', 'data-testid': 'reserve', onclick: () => hold() }, t('choose.reserve'));
  panel.append(
    h('section', { class: 'card stack', 'aria-labelledby': 'choose-title' },
      h('div', { class: 'stack-s' }, h('h2', { id: 'choose-title' }, t('choose.title')),
        h('p', { class: 'muted small' }, icon('clock', 16), ' ', t('choose.turn'), ' ', h('strong', {}, turn))),
      message, h('h3', { class: 'visually-hidden' }, t('choose.basket')), list,
      h('div', { class: 'action' }, h('p', { class: 'row-between' }, count, total), reserve)),
    h('div', {}, h('button', { type: 'button', class: 'button quiet', 'data-testid': 'leave', onclick: leave }, t('choose.leave'))));

  const view = await hall;
  if (signal.aborted) return;
  const selected = view?.selected ?? new Set(), most = event.maxSeatsPerOrder;
  let holding = false;
  /** Seats that our own order holds: ours to keep or to give back. @type {Set<number>} */
  const own = new Set();
  if (view) {
    view.choice.selectable = (index) => view.seats.isAvailable(index) || own.has(index);
    view.choice.toggle = toggle;
    view.seats.addEventListener('change', (change) => vanish(change.detail), { signal });
    view.offer(bestForm(event, view.hall, (want, button) => hold(want, button)), signal);
    for (const id of purchase.known?.basket ?? []) { // chosen before a reload
      const index = view.hall.indexOf(id);
      if (index >= 0 && selected.size < most) selected.add(index);
    }
  }
  everySecond(() => {
    const left = secondsUntil(session.activeUntil);
    turn.textContent = clock(left, event.waitingRoom?.activeTtlSeconds);
    if (left < 0 && Math.round(left) % 5 === 0) void check();
  }, signal);
  draw();
  await adopt();
  if (view?.seats.version) await vanish(selected);

  /** Takes over an order that holds seats already. */
  async function adopt() {
    const order = await purchase.order(signal).catch(() => null);
    if (signal.aborted || !order?.seats.length) return;
    replace(message, resumeNote(order, purchase.known?.token ?? ''));
    if (order.status !== 'RESERVED' || !view) return;
    for (const { seatId } of order.seats) {
      const index = view.hall.indexOf(seatId);
      if (index >= 0) { own.add(index); selected.add(index); }
    }
    reserve.textContent = t('choose.swap');
    draw();
  }

  function toggle(index) {
    if (!view) return;
    if (selected.has(index)) {
      selected.delete(index);
    } else if (selected.size >= most) {
      toast(t('choose.max', { n: most }), 'warn');
      return;
    } else {
      selected.add(index);
    }
    // Which seat it was is said where it was pressed.
    say(selected.size ? t('choose.sum', { seats: t('seats.n', { n: selected.size }), total: sum() }) : t('choose.none'));
    view.setMarked([]);
    draw();
  }

  /** Drops what somebody else took, and says so. @param {Iterable<number>} changed */
  async function vanish(changed) {
    if (!view || holding) return; // what our own call took is not lost
    const lost = () => [...changed].filter((index) => selected.has(index) && !view.seats.isAvailable(index) && !own.has(index));
    if (!lost().length) return;
    if (purchase.known?.orderId) await adopt(); // another tab of ours may have been it
    const gone = lost();
    if (gone.length && !signal.aborted) drop(gone);
  }

  function drop(gone) {
    if (!view) return;
    for (const index of gone) { selected.delete(index); own.delete(index); }
    view.setMarked(gone);
    toast(t('choose.taken', { n: gone.length, seats: gone.map((index) => seatText(view.hall.describe(index))).join('; ') }), 'warn');
    draw();
  }

  function sum() {
    const prices = [...selected].map((index) => view?.hall.describe(index).category.price).filter(Boolean);
    return prices.length ? money({ currency: prices[0].currency, amount: prices.reduce((s, p) => s + p.amount, 0) }) : '';
  }

  function draw() {
    view?.redraw();
    const indexes = [...selected].sort((a, b) => a - b);
    if (view) purchase.note({ basket: indexes.map((index) => view.hall.ids[index]) });
    replace(list, indexes.map((index) => row(index)), !indexes.length && h('li', { class: 'muted small' }, t('choose.empty')));
    count.textContent = indexes.length ? t('seats.n', { n: indexes.length }) : '';
    total.textContent = sum();
    reserve.setAttribute('aria-disabled', String(!indexes.length || holding));
  }

  function row(index) {
    const seat = /** @type {any} */ (view).hall.describe(index);
    return h('li', { class: 'basket-seat' }, dot(seat.category.color),
      h('span', { class: 'grow' }, seatLine(seat, seat.category.name)), seat.category.price && h('span', { class: 'tabular' }, money(seat.category.price)),
      h('button', { type: 'button', class: 'remove', 'aria-label': t('choose.remove', { seat: seatText(seat) }), onclick: () => {
        toggle(index);
        say(t('choose.removed', { seat: seatText(seat) }));
        const rest = list.querySelectorAll('button');
        (rest[0] ?? /** @type {HTMLElement} */ (panel.querySelector('h2'))).focus();
      } }, icon('close', 16)));
  }

  /** Reserves: the seats of the basket, or the best that there are. */
  async function hold(want = undefined, button = reserve) {
    if (holding || (!want && !selected.size)) return;
    const wanted = want ?? { seats: [...selected].sort((a, b) => a - b).map((index) => view?.hall.ids[index] ?? '') };
    holding = true;
    const label = button.textContent;
    button.textContent = t('choose.reserving');
    button.setAttribute('aria-disabled', 'true');
    replace(message);
    try {
      const order = await purchase.reserve(wanted, { signal, onWait });
      selected.clear();
      purchase.note({ basket: undefined });
      go(orderAddress(order.orderId, purchase.known?.token ?? ''));
      return;
    } catch (error) {
      holding = false;
      if (signal.aborted) return;
      refused(error);
      void vanish(selected); // what changed meanwhile
    }
    button.textContent = label;
    button.removeAttribute('aria-disabled');
    draw();
  }

  function refused(error) {
    const code = error instanceof Problem ? error.code : '';
    if (turnOver.has(code)) {
      toast(problemText(error), 'warn');
      void check();
    } else if (code === 'too-many-orders') {
      purchase.turnOver();
      void end({ title: t('wait.done'), text: t('wait.doneText') });
    } else if (code === 'seats-unavailable' && view) {
      view.refresh(); // the stream may be slow to tell, or away
      const gone = (error.body.unavailable ?? []).map((id) => view.hall.indexOf(id)).filter((index) => selected.has(index));
      if (gone.length) drop(gone);
      else toast(problemText(error), 'warn');
    } else {
      toast(problemText(error), code === 'not-enough-seats' ? 'warn' : 'danger');
    }
  }

  /** The server says whether a turn is over. */
  async function check() {
    const now = await purchase.session(signal, 2).catch(() => undefined);
    if (signal.aborted || now === undefined) return;
    if (now?.status === 'ACTIVE') session = now; // also where its time is up: soon it says so
    else await proceed(now ?? { status: 'EXPIRED' });
  }

  async function leave() {
    if (!await confirm({ title: t('choose.leaveSure'), text: t('choose.leaveText'), yes: t('choose.leave'), no: t('wait.stay') }, signal)) return;
    await purchase.leave();
    selected.clear();
    view?.redraw();
    await look();
  }
}
