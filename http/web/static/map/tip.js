// What is pointed at, in words beside it. Screen readers hear the same from the live region.

import { element } from './element.js';

/** From the stage's edge, in CSS pixels. */
const margin = 4;

export class Tip {
  /** @param {HTMLElement} stage */
  constructor(stage) {
    this.stage = stage;
    this.element = element('div', { class: 'seatmap-tip', 'aria-hidden': 'true', hidden: '' });
    stage.append(this.element);
  }

  get hidden() { return this.element.hidden; }

  hide() { this.element.hidden = true; }

  /** Above a point, or below where there is no room; not at all where that is out of sight. @param {string[]} lines @param {number} x @param {number} y @param {number} reach kept free around the point */
  show(lines, x, y, reach) {
    const { clientWidth, clientHeight } = this.stage;
    this.element.hidden = x < 0 || y < 0 || x > clientWidth || y > clientHeight;
    if (this.element.hidden) return;
    // Written anew only where it changed: that costs a layout.
    const text = lines.join('\n');
    if (text !== this.text) {
      this.text = text;
      this.element.replaceChildren(...lines.map((line) => element('div', { dir: 'auto' }, line)));
    }
    const width = this.element.offsetWidth, height = this.element.offsetHeight;
    const left = Math.min(clientWidth - width - margin, Math.max(margin, x - width / 2));
    const above = y - height - reach, top = above >= margin ? above : Math.min(clientHeight - height - margin, y + reach);
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
