// Tickets: one each, with a QR code that a gate reads offline. On paper, one to a page.

import { toast } from './announce.js';
import { h, name, svg } from './dom.js';
import { dateTime, money, t } from '../i18n.js';
import { generate, mode } from '../qr.js';
import { seatText, stub, whereabouts } from './parts.js';

/** A reader needs this much white around a code. */
const quietModules = 4;

/** @param {import('./orderpage.js').OrderView} view */
export function tickets({ order, event, root, title }) {
  const count = order.tickets.length;
  title(`${t('tickets.title', { n: count })} – ${event?.name ?? ''}`);
  const bySeat = new Map(order.seats.map((seat) => [seat.seatId, seat]));
  const link = h('input', { type: 'text', id: 'order-link', readonly: true, value: location.href, autocomplete: 'off', 'data-testid': 'order-link', onfocus: () => link.select() });
  root.append(h('div', { class: 'page narrow stack-l tickets-page', 'data-testid': 'tickets' },
    h('div', { class: 'stack no-print' },
      h('h1', {}, t('tickets.title', { n: count })),
      h('p', { class: 'lead' }, t('tickets.thanks', { total: money(order.amount) })),
      h('div', { class: 'card stack-s' },
        h('div', { class: 'field' }, h('label', { for: 'order-link' }, t('tickets.link')),
          h('div', { class: 'row link-row' }, h('div', { class: 'grow' }, link),
            h('button', { type: 'button', class: 'button', 'data-testid': 'copy', onclick: copy }, t('tickets.copy')),
            h('button', { type: 'button', class: 'button', 'data-testid': 'print', onclick: () => window.print() }, t('tickets.print')))),
        h('p', { class: 'muted small' }, t('tickets.keep')))),
    h('ol', { class: 'tickets' }, order.tickets.map((ticket, i) => h('li', {}, paper(ticket, bySeat.get(ticket.seatId), i, count, event)))),
    h('p', { class: 'no-print' }, h('a', { href: '/' }, t('app.all')))));

  async function copy() {
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      link.focus(); // without TLS there is no clipboard: it is selected at least
      return;
    }
    toast(t('tickets.copied'));
  }
}

function paper(ticket, seat, i, count, event) {
  const fact = (label, value) => h('div', {}, h('dt', {}, label), h('dd', {}, name(value, 'span')));
  const words = (key, param) => t(key, { [param]: '' }).trim();
  return h('article', { class: 'ticket', 'data-testid': 'ticket' },
    h('div', { class: 'ticket-main' },
      h('div', { class: 'ticket-head' }, event && stub(event.startsAt),
        h('div', { class: 'stack-s' }, h('h2', {}, name(event?.name ?? '')),
          event && h('p', { class: 'small' }, dateTime(event.startsAt), h('span', { class: 'block' }, whereabouts(event))))),
      seat && h('dl', { class: 'ticket-seat' }, fact(t('seat.section'), seat.section), fact(words('seat.row', 'row'), seat.row), fact(words('seat.seat', 'number'), seat.number)),
      seat && h('p', { class: 'row-between small' }, name(seat.category), h('span', { class: 'tabular' }, money(seat.price)))),
    h('div', { class: 'ticket-code' }, qr(ticket.code, t('tickets.code', { seat: seat ? seatText(seat) : ticket.seatId })),
      h('p', { class: 'small muted' }, t('tickets.show')),
      h('p', { class: 'ticket-count' }, t('tickets.ticket', { i: i + 1, count }))));
}

/**
 * A code as one path: black on white in every theme, as readers want it.
 * @param {string} text ASCII
 * @param {string} label
 */
function qr(text, label) {
  // Without a character set's mark, which some readers at gates take for text.
  const code = generate(text, { modes: [mode.ascii] });
  let path = '';
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) {
      if (!code.get(x, y)) continue;
      let end = x + 1;
      while (code.get(end, y)) end++;
      path += `M${x} ${y}h${end - x}v1h${x - end}z`;
      x = end;
    }
  }
  const size = code.size + 2 * quietModules;
  return svg('svg', { class: 'qr', viewBox: `${-quietModules} ${-quietModules} ${size} ${size}`, role: 'img', 'aria-label': label, 'shape-rendering': 'crispEdges', 'data-code': text },
    svg('path', { d: `M${-quietModules} ${-quietModules}h${size}v${size}h${-size}z`, fill: '#fff' }), svg('path', { d: path, fill: '#000' }));
}
