// Chooses whole sections and rows.

import { t } from '../i18n.js';
import { h } from '../js/dom.js';

export class Picker {
  /** @param {any} hall @param {(indexes: number[], add: boolean) => void} picked */
  constructor(hall, picked) {
    this.hall = hall;
    this.section = h('select', { id: 'pick-section', 'data-testid': 'pick-section', onchange: () => this.rows() },
      hall.sections.map((/** @type {any} */ s, /** @type {number} */ i) => h('option', { value: i }, s.name)));
    this.row = h('select', { id: 'pick-row', 'data-testid': 'pick-row' });
    const button = (/** @type {string} */ key, /** @type {boolean} */ add) => h('button', {
      class: 'button small grow', type: 'button', 'data-testid': `pick-${key}`, onclick: () => picked(this.indexes(), add),
    }, t(`organiser.seats.${key}`));
    this.element = h('section', { class: 'card stack', 'aria-labelledby': 'pick-title' },
      h('h2', { id: 'pick-title', class: 'side-title' }, t('organiser.seats.many')),
      h('div', { class: 'field' }, h('label', { for: 'pick-section' }, t('organiser.seats.section')), this.section),
      h('div', { class: 'field' }, h('label', { for: 'pick-row' }, t('organiser.seats.row')), this.row),
      h('div', { class: 'row' }, button('add', true), button('remove', false)));
    this.rows();
  }

  rows() {
    const { rows } = this.hall.sections[Number(this.section.value)] ?? { rows: [] };
    this.row.replaceChildren(h('option', { value: '' }, t('organiser.seats.allRows')),
      ...rows.map((/** @type {any} */ r, /** @type {number} */ i) => h('option', { value: i }, r.name)));
  }

  indexes() {
    const section = this.hall.sections[Number(this.section.value)];
    const { first, end } = this.row.value === '' ? section : section.rows[Number(this.row.value)];
    return Array.from({ length: end - first }, (_, i) => first + i);
  }
}
