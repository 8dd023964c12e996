// What the map and the list say, in English and German.

import { addTexts, money, t } from '../i18n.js';

/** @typedef {import('./hall.js').Hall} Hall @typedef {import('./seats.js').Seats} Seats */

addTexts({
  en: {
    'map.label': 'Seat map',
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
    'list.loading': 'Loading …',
  },
  de: {
    'map.label': 'Saalplan',
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

/** @param {Seats} seats @param {number} index @param {Set<number>} selected */
export function seatState(seats, index, selected) {
  return t(`map.state.${selected.has(index) ? 'selected' : seats.state(index) || 'unknown'}`);
}

/** All of a seat in one line. @param {Seats} seats @param {number} index @param {Set<number>} selected */
export function seatText(seats, index, selected) {
  return `${seatPlace(seats.hall, index)}, ${seatPrice(seats.hall, index)}, ${seatState(seats, index, selected)}`;
}

/** What a section still has. @param {Seats} seats @param {number} section */
export function sectionFree(seats, section) {
  const n = seats.sectionCounts(section).available, price = seats.priceFrom(section);
  if (n === 0) return t('map.none');
  return price ? `${t('map.free', { n })}, ${t('map.from', { price: money(price) })}` : t('map.free', { n });
}

export { money, t };
