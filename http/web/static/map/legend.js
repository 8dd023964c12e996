// The key to the map: what shapes mean, and the categories with their prices; pressing one shows where it is.

import { paintCategory } from './colors.js';
import { element } from './element.js';
import { money, t } from './texts.js';

/** @typedef {import('./seats.js').Seats} Seats */

export class Legend {
  /**
   * @param {Seats} seats @param {Record<string, string>} words for states
   * @param {(category: number) => void} onPick the index, or -1 for none @param {AbortSignal} signal
   */
  constructor(seats, words, onPick, signal) {
    this.picked = -1;
    this.onPick = onPick;
    /** @type {HTMLButtonElement[]} */
    this.buttons = seats.hall.categories.map(({ name, price, color }, i) => {
      const swatch = element('span', { class: 'seatmap-swatch', 'aria-hidden': 'true' });
      paintCategory(swatch, color);
      const button = element('button', { type: 'button', class: 'seatmap-category', 'aria-pressed': 'false' }, swatch,
        element('span', { class: 'seatmap-category-name', dir: 'auto' }, name));
      if (price) button.append(element('span', { class: 'seatmap-category-price' }, money(price)));
      button.addEventListener('click', () => this.pick(this.picked === i ? -1 : i), { signal });
      return button;
    });
    const states = ['available', 'held', 'sold', 'blocked', 'selected'].map((state) => element('li', {},
      element('span', { class: `seatmap-state ${state}`, 'aria-hidden': 'true' }), words[state]));
    this.element = element('div', { class: 'seatmap-legend' },
      element('div', { class: 'seatmap-categories', role: 'group', 'aria-label': t('map.categories') }, ...this.buttons),
      element('ul', { class: 'seatmap-states', 'aria-label': t('map.legend') }, ...states));
  }

  /** @param {number} category */
  pick(category) {
    this.show(category);
    this.onPick(category);
  }

  /** @param {number} category */
  show(category) {
    this.picked = category;
    this.buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(i === category)));
  }
}
