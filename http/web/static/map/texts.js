// What the map and the list say, in English and German.

import { addTexts, money, t } from '../i18n.js';

/** @typedef {import('./hall.js').Hall} Hall @typedef {import('./seats.js').Seats} Seats */

addTexts({
  en: {
    'map.label': 'Seat map',
    'map.closer': 'Choose a section to get closer',
    'map.hint': 'Arrow keys go from seat to seat, Enter or Space selects. Home and End go to the ends of the row, Page Up and Page Down to the section before or after. Plus and minus zoom, 0 shows the whole hall. The list has the same seats.',
    'map.zoomIn': 'Zoom in',
    'map.zoomOut': 'Zoom out',
    'map.whole': 'Whole hall',
    'map.legend': 'Key',
    'map.categories': 'Show one price',
    'map.seat': '{section}, row {row}, seat {number}',
    'map.seatWithoutRow': '{section}, seat {number}',
    'map.row': 'Row {row}',
    'map.state.available': 'available',
    'map.state.held': 'held by somebody else',
    'map.state.sold': 'sold',
    'map.state.blocked': 'not on sale',
    'map.state.selected': 'your choice',
    'map.state.unknown': 'not known yet',
    'map.said.selected': 'Selected: {seat}',
    'map.said.removed': 'No longer selected: {seat}',
    'map.said.refused': 'Cannot be selected: {seat}',
    'map.free': { one: '{n} seat available', other: '{n} seats available' },
    'map.none': 'none available',
    'map.from': 'from {price}',
    'list.label': 'Seats by section',
    'list.hint': 'Tab goes from row to row, the arrow keys go from seat to seat.',
    'list.loading': 'Loading …',
  },
  de: {
    'map.label': 'Saalplan',
    'map.closer': 'Block wählen, um näher heranzugehen',
    'map.hint': 'Pfeiltasten gehen von Platz zu Platz, Eingabe oder Leertaste wählt. Pos1 und Ende gehen an die Enden der Reihe, Bild auf und Bild ab zum Block davor oder danach. Plus und Minus vergrößern und verkleinern, 0 zeigt den ganzen Saal. Die Liste hat dieselben Plätze.',
    'map.zoomIn': 'Vergrößern',
    'map.zoomOut': 'Verkleinern',
    'map.whole': 'Ganzer Saal',
    'map.legend': 'Legende',
    'map.categories': 'Einen Preis zeigen',
    'map.seat': '{section}, Reihe {row}, Platz {number}',
    'map.seatWithoutRow': '{section}, Platz {number}',
    'map.row': 'Reihe {row}',
    'map.state.available': 'frei',
    'map.state.held': 'für jemand anderen reserviert',
    'map.state.sold': 'verkauft',
    'map.state.blocked': 'nicht im Verkauf',
    'map.state.selected': 'Ihre Wahl',
    'map.state.unknown': 'noch nicht bekannt',
    'map.said.selected': 'Gewählt: {seat}',
    'map.said.removed': 'Nicht mehr gewählt: {seat}',
    'map.said.refused': 'Nicht wählbar: {seat}',
    'map.free': { one: '{n} Platz frei', other: '{n} Plätze frei' },
    'map.none': 'keiner frei',
    'map.from': 'ab {price}',
    'list.label': 'Plätze nach Block',
    'list.hint': 'Tab geht von Reihe zu Reihe, die Pfeiltasten gehen von Platz zu Platz.',
    'list.loading': 'Wird geladen …',
  },
});

/** Where a seat is. @param {Hall} hall @param {number} index */
export function seatPlace(hall, index) {
  const { section, row, number } = hall.describe(index);
  return t(row ? 'map.seat' : 'map.seatWithoutRow', { section, row, number });
}

/** Its category and price. @param {Hall} hall @param {number} index */
export function seatPrice(hall, index) {
  const { name, price } = hall.categories[hall.category[index]];
  return price ? `${name}, ${money(price)}` : name;
}

/** What states are called, from the buyers' side unless others are given. @param {Record<string, string>} [own] @returns {Record<string, string>} */
export const stateWords = (own = {}) =>
  Object.fromEntries(['available', 'held', 'sold', 'blocked', 'selected', 'unknown'].map((state) => [state, own[state] ?? t(`map.state.${state}`)]));

/** @param {Seats} seats @param {number} index @param {Set<number>} selected */
export const seatState = (seats, index, selected) => (selected.has(index) ? 'selected' : seats.state(index) || 'unknown');

/** What a section still has. @param {Seats} seats @param {number} section */
export function sectionFree(seats, section) {
  const n = seats.sectionCounts(section).available, price = seats.priceFrom(section);
  if (n === 0) return t('map.none');
  return price ? `${t('map.free', { n })}, ${t('map.from', { price: money(price) })}` : t('map.free', { n });
}

export { money, t };
