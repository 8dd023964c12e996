// An event's sale: how it stands in numbers, how it went of late, who waits, and what became of the orders.

import { locale, money, number, t } from '../i18n.js';
import { h, name, replace, setText } from '../js/dom.js';
import { paintCategory } from '../map/colors.js';
import { api } from './api.js';
import { Chart, timeOfDay } from './chart.js';
import { roomCard } from './room.js';

const windows = [15, 60, 360, 1440]; // minutes
const states = ['sold', 'held', 'available', 'blocked'];
// In the table, what a phone has room for comes first.
const columns = ['sold', 'revenue', 'held', 'available', 'blocked'];
const orderStatuses = ['COMPLETED', 'AUTHORIZED', 'AUTHORIZING', 'CAPTURING', 'RESERVED', 'PENDING', 'EXPIRED', 'CANCELLED', 'PAYMENT_FAILED'];
const sessionStatuses = ['WAITING', 'ACTIVE', 'COMPLETED', 'EXPIRED', 'LEFT'];
const minuteMillis = 60_000;
const salesHeight = 360;

const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });

/** An amount in minor units as it fits an axis. @param {number} amount @param {string} currency */
function compactMoney(amount, currency) {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency, notation: 'compact', maximumFractionDigits: 1 });
  const { maximumFractionDigits: digits = 2 } = new Intl.NumberFormat(locale, { style: 'currency', currency }).resolvedOptions();
  return format.format(amount / 10 ** digits);
}

/** What points in the last minute add up to, with the share of a step that reaches further back. @param {any} curve @param {string} what */
export function lastMinute(curve, what) {
  const to = Date.parse(curve.asOf), from = to - minuteMillis, step = 1000 * curve.stepSeconds;
  let sum = 0;
  for (const p of curve.points) {
    const begins = Date.parse(p.at), ends = Math.min(begins + step, to);
    if (ends > from && ends > begins) sum += p[what] * Math.min(1, (ends - Math.max(begins, from)) / (ends - begins));
  }
  return Math.round(sum);
}

/** A group of buttons of which one is pressed. @param {string} label @param {string} id @param {[string, string][]} choices @param {(value: string) => void} chosen */
export function choice(label, id, choices, chosen) {
  const buttons = choices.map(([value, text], i) => h('button', {
    type: 'button', 'aria-pressed': String(i === 0), 'data-value': value, 'data-testid': `${id}-${value}`, onclick: () => press(value),
  }, text));
  const press = (/** @type {string} */ value) => {
    for (const b of buttons) b.ariaPressed = String(b.dataset.value === value);
    chosen(value);
  };
  return { element: h('div', { class: 'switch', role: 'group', 'aria-label': label }, buttons), press };
}

/** @param {string} eventID @param {() => void} again asks for all at once */
export function overview(eventID, again) {
  let minutes = 60, currency = 'EUR';
  /** @type {any} */
  let curve, report;
  const figures = states.concat('revenue').map((state) => {
    const value = h('dd', { class: 'figure-value tabular', 'data-testid': `figure-${state}` }, '–'), more = h('dd', { class: 'muted small tabular' });
    return { state, value, more, element: h('div', { class: `figure ${state}` }, h('dt', {}, t(`organiser.${state}`)), value, more) };
  });
  const bar = h('div', { class: 'shares', 'aria-hidden': 'true' }, states.map((s) => h('span', { class: s })));
  const asOf = h('p', { class: 'muted small tabular', 'data-testid': 'as-of' });
  const inMoney = (/** @type {number} */ amount) => money({ currency, amount });
  const sold = new Chart({
    kind: 'line', testid: 'curve-sold', height: salesHeight, label: t('organiser.curve.label'), column: t('organiser.sold'), format: (n) => number(n), axis: compact.format,
  });
  const revenue = new Chart({
    kind: 'line', testid: 'curve-revenue', height: salesHeight, label: t('organiser.curve.revenueLabel'), column: t('organiser.revenue'), whole: 100,
    format: inMoney, axis: (n) => compactMoney(n, currency),
  });
  revenue.element.hidden = true;
  const pace = h('p', { class: 'muted small', 'data-testid': 'pace' });
  const room = roomCard(eventID, again);
  const categories = h('tbody', { 'data-testid': 'categories' }), sums = h('tfoot');
  const orders = tally('orders', t('organiser.orders'), orderStatuses, 'organiser.order');
  const sessions = tally('sessions', t('organiser.sessions'), sessionStatuses, 'organiser.session');

  const span = choice(t('organiser.curve.window'), 'window', windows.map((w) => [String(w), t(`organiser.window.${w}`)]), (w) => { minutes = Number(w); again(); });
  for (const b of span.element.children) b.ariaPressed = String(b.dataset.value === String(minutes));
  const kind = choice(t('organiser.curve.measure'), 'measure', [['sold', t('organiser.curve.sold')], ['revenue', t('organiser.curve.revenue')]], (m) => {
    sold.element.hidden = m !== 'sold';
    revenue.element.hidden = m === 'sold';
  });

  const element = h('div', { class: 'stack-l' },
    h('section', { class: 'stack', 'aria-label': t('organiser.figures') }, h('dl', { class: 'figures' }, figures.map((f) => f.element)), bar, asOf),
    h('div', { class: 'overview-columns' },
      h('section', { class: 'card stack', 'aria-labelledby': 'curve-title' },
        h('div', { class: 'row-between' }, h('h2', { id: 'curve-title' }, t('organiser.curve')), h('div', { class: 'row' }, kind.element, span.element)),
        pace, sold.element, revenue.element),
      room.element),
    h('section', { class: 'card stack', 'aria-labelledby': 'categories-title' },
      h('h2', { id: 'categories-title' }, t('organiser.categories')),
      h('div', { class: 'table-wrap', tabindex: 0, role: 'group', 'aria-labelledby': 'categories-title' },
        h('table', { class: 'categories' }, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('organiser.category')),
          columns.map((s) => h('th', { scope: 'col', class: 'numeric' }, t(`organiser.${s}`))))), categories, sums))),
    h('div', { class: 'overview-halves' }, orders.element, sessions.element));

  /** @param {any} event */
  function show(event) {
    currency = report.revenue.currency;
    const total = event.seatsTotal || 1;
    figures.forEach((f, i) => {
      const n = report[f.state];
      setText(f.value, f.state === 'revenue' ? inMoney(n.amount) : number(n));
      setText(f.more, f.state !== 'revenue' ? t('organiser.share', { percent: percents.format(n / total) })
        : report.sold ? t('organiser.perSeat', { amount: inMoney(Math.round(n.amount / report.sold)) }) : '');
      if (i < states.length) bar.children[i].style.width = `${100 * n / total}%`;
    });
    setText(asOf, t('organiser.asOf', { time: timeOfDay(Date.parse(report.asOf)) }));
    showCurve();
    room.show(event, report, curve);
    const colours = new Map(event.categories.map((/** @type {any} */ c) => [c.name, c.color]));
    const row = (/** @type {any} */ line, /** @type {Node} */ head) => h('tr', {}, head,
      columns.map((s) => h('td', { class: 'numeric' }, s === 'revenue' ? inMoney(line.revenue.amount) : number(line[s]))));
    replace(categories, report.categories.map((/** @type {any} */ c) => {
      const dot = h('span', { class: 'category-dot', 'aria-hidden': 'true' });
      paintCategory(dot, colours.get(c.name) ?? '');
      return row(c, h('th', { scope: 'row' }, dot, name(c.name)));
    }));
    replace(sums, row(report, h('th', { scope: 'row' }, t('organiser.total'))));
    orders.show(report.orders);
    sessions.show(report.sessions);
  }

  function showCurve() {
    const to = Date.parse(curve.asOf), step = 1000 * curve.stepSeconds;
    let seats = curve.before.sold, earned = curve.before.revenue.amount;
    /** @type {import('./chart.js').Point[]} */
    const bySeats = [], byMoney = [];
    for (const p of curve.points) {
      const at = Date.parse(p.at);
      bySeats.push({ at, value: seats += p.sold });
      byMoney.push({ at, value: earned += p.revenue.amount });
    }
    const from = bySeats.length ? bySeats[0].at + step : to - step; // lines begin where the first step ends
    sold.show(bySeats, from, to, step);
    revenue.show(byMoney, from, to, step);
    setText(pace, t('organiser.curve.pace', { n: lastMinute(curve, 'sold') }));
  }

  return {
    element, show,
    read: async (/** @type {AbortSignal} */ signal) => {
      [report, curve] = await Promise.all([api.report(eventID, signal), api.curve(eventID, minutes, signal)]);
    },
    end: () => [sold, revenue, room].forEach((part) => part.destroy()),
  };
}

/** A table of counts by status; those that there are none of are left out. @param {string} id @param {string} title @param {string[]} statuses @param {string} words */
function tally(id, title, statuses, words) {
  const body = h('tbody', { 'data-testid': id });
  const none = h('p', { class: 'muted' }, t(`organiser.${id}.none`));
  const table = h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('organiser.orders.status')),
    h('th', { scope: 'col', class: 'numeric' }, t('organiser.orders.number')))), body);
  let seen = '';
  return {
    element: h('section', { class: 'card stack', 'aria-labelledby': `${id}-title` }, h('h2', { id: `${id}-title` }, title), none, table),
    show: (/** @type {Record<string, number>} */ counts) => {
      const there = statuses.filter((s) => counts[s]);
      none.hidden = there.length > 0;
      table.hidden = there.length === 0;
      if (JSON.stringify(counts) === seen) return;
      seen = JSON.stringify(counts);
      replace(body, there.map((s) => h('tr', { 'data-status': s }, h('th', { scope: 'row' }, t(`${words}.${s}`)), h('td', { class: 'numeric' }, number(counts[s])))));
    },
  };
}
