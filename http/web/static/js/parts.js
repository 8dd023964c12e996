// Pieces that several views are built of.

import { toast } from './announce.js';
import { Problem } from './api.js';
import { h, icon, name } from './dom.js';
import { dateTime, known, t } from '../i18n.js';
import { paintCategory } from '../map/colors.js';

/**
 * What went wrong, in the visitor's words where we have them.
 * @param {unknown} error
 */
export function problemText(error) {
  if (!(error instanceof Problem)) return t('problem.internal');
  const key = `problem.${error.code}`;
  if (known(key)) return t(key);
  return error.status >= 500 ? t('problem.unavailable') : error.body.detail || error.body.title || t('problem.internal');
}

/** Tells why a call takes longer: once, and again where that goes on. @param {Problem} problem @param {number} attempt */
export const onWait = (problem, attempt) => { if (attempt % 5 === 0) toast(problemText(problem), 'warn'); };

/** A date as it stands on a ticket's stub. @param {string} iso */
export const stub = (iso) => h('time', { class: 'stub', datetime: iso },
  h('span', { class: 'stub-weekday' }, dateTime(iso, 'weekday')),
  h('span', { class: 'stub-day' }, dateTime(iso, 'day')),
  h('span', { class: 'stub-month' }, dateTime(iso, 'month')));

/** How an event's sale stands; nothing where it is as one expects. @param {any} event */
export function saleBadge(event) {
  if (event.status === 'ON_SALE') return event.soldOut ? badge('danger', t('status.soldOut')) : null;
  if (event.status === 'SCHEDULED' && event.onSaleAt) return badge('accent', t('status.saleAt', { at: dateTime(event.onSaleAt, 'short') }));
  return badge(event.status === 'CANCELLED' ? 'danger' : 'warn', t(`status.${event.status}`));
}

const badge = (/** @type {string} */ kind, /** @type {string} */ text) => h('span', { class: `badge ${kind}` }, text);

/** Venue and city. @param {any} event */
export const whereabouts = (event) => [name(event.venue), event.city ? [', ', name(event.city)] : null];

/**
 * A view that has nothing to show but why.
 * @param {{title: string, text: string, action?: Node, shape?: any}} content
 */
export const blank = ({ title, text, action, shape = 'ticket' }) => h('section', { class: 'page blank', 'data-testid': 'blank' },
  h('div', { class: 'blank-icon' }, icon(shape, 32)), h('h1', {}, title), h('p', { class: 'muted' }, text), action);

/** Something failed that may be tried again. @param {string} title @param {unknown} error @param {() => void} again */
export const failed = (title, error, again) => blank({
  title, text: problemText(error), shape: 'warn',
  action: h('button', { type: 'button', class: 'button primary', 'data-testid': 'retry', onclick: again }, t('app.retry')),
});

/** @param {string} [text] */
export const loading = (text = t('app.loading')) =>
  h('div', { class: 'page loading', role: 'status' }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), h('span', {}, text));

/** @param {'ok' | 'warn' | 'danger' | ''} kind @param {...any} children */
export const note = (kind, ...children) => h('div', { class: `note ${kind}` }, icon(kind === 'ok' ? 'check' : 'warn'), h('div', { class: 'grow stack-s' }, children));

/** What stands on a seat's ticket, in one line. @param {{section: string, row: string, number: string}} seat */
export const seatText = (seat) => [seat.section, t('seat.row', { row: seat.row }), t('seat.seat', { number: seat.number })].join(' · ');

/** The same for the eye: what one looks for first. @param {{section: string, row: string, number: string}} seat @param {string} category */
export const seatLine = (seat, category) => [
  h('strong', {}, `${t('seat.row', { row: seat.row })} · ${t('seat.seat', { number: seat.number })}`),
  h('span', { class: 'muted small block' }, name(seat.section), ' · ', name(category))];

/** A category's colour, which is the organiser's: as a dot, since text in it might not be readable. @param {string} color */
export function dot(color) {
  const mark = h('span', { class: 'dot', 'aria-hidden': 'true' });
  paintCategory(mark, color);
  return mark;
}

/**
 * Asks before something that cannot be undone. What was asked about may be gone before there is an answer: then it is no.
 * @param {{title: string, text: string, yes: string, no: string}} words @param {AbortSignal} signal
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, yes, no }, signal) {
  return new Promise((resolve) => {
    const answer = (/** @type {boolean} */ value) => () => { dialog.close(); resolve(value); };
    const dialog = h('dialog', { 'aria-labelledby': 'dialog-title', 'data-testid': 'dialog', onclose: () => { dialog.remove(); resolve(false); } },
      h('div', { class: 'stack' }, h('h2', { id: 'dialog-title' }, title), h('p', {}, text),
        h('div', { class: 'row dialog-actions' },
          h('button', { type: 'button', class: 'button', 'data-testid': 'dialog-no', onclick: answer(false) }, no),
          h('button', { type: 'button', class: 'button danger', 'data-testid': 'dialog-yes', onclick: answer(true) }, yes))));
    signal.addEventListener('abort', () => dialog.close(), { once: true });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * Calls a function every second until the signal ends, at once to begin with.
 * @param {() => void} tick @param {AbortSignal} signal
 */
export function everySecond(tick, signal) {
  tick();
  const timer = setInterval(tick, 1000);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/** A signal that ends with another, or earlier. @param {AbortSignal} signal */
export function within(signal) {
  const inner = new AbortController();
  signal.addEventListener('abort', () => inner.abort(), { once: true, signal: inner.signal });
  return inner;
}
