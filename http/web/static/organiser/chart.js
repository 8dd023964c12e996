// A chart over time: a line that grows, or bars. Drawn in CSS pixels, again at each change of its width, so that its text
// is never scaled. The same figures stand in a table below it.

import { dateTime, locale, t } from '../i18n.js';
import { h, setText, svg } from '../js/dom.js';

const heightDefault = 220;
// Below this, a chart as high as it is wide would be all that a phone shows.
const narrowPixels = 480;
const edge = { top: 12, end: 12, bottom: 28 };
const labelPixels = 76; // a time of day with room around it
const ticksWanted = 4;
const minute = 60_000;
const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360].map((n) => n * minute);

/** @typedef {{at: number, value: number, open?: boolean}} Point of a step that begins at a time (ms); open: it is not over */

/** A step of 1, 2 or 5 times a power of ten that has about as many ticks as wanted; whole where values are. */
function niceStep(/** @type {number} */ most, /** @type {number} */ whole = 1) {
  const rough = Math.max(most / ticksWanted, 1e-9);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((n) => n * power >= rough) ?? 10;
  return Math.max(step * power, whole);
}

// As the visitor's region has it: 24 hours in en-GB, 12 in en-US.
const region = navigator.languages.find((tag) => tag.split('-')[0] === locale) ?? locale;
const times = { short: new Intl.DateTimeFormat(region, { timeStyle: 'short' }), medium: new Intl.DateTimeFormat(region, { timeStyle: 'medium' }) };

/** @param {number} at ms @param {boolean} [seconds] */
export const timeOfDay = (at, seconds = true) => times[seconds ? 'medium' : 'short'].format(at);

export class Chart {
  /**
   * @param {{kind: 'line' | 'bars', label: string, column: string, format: (value: number) => string, axis?: (value: number) => string, whole?: number, height?: number, testid: string}} options
   *   label names the chart, column the table's column; whole is the smallest step of the axis
   */
  constructor(options) {
    this.options = options;
    this.height = heightDefault;
    /** @type {Point[]} */
    this.points = [];
    this.from = this.to = this.step = 0;
    const labelID = `${options.testid}-summary`;
    this.svg = svg('svg', { class: 'chart-drawing', role: 'img', 'aria-labelledby': labelID, height: this.height, 'data-testid': options.testid });
    this.tip = h('div', { class: 'chart-tip', hidden: true });
    this.summary = h('p', { class: 'visually-hidden', id: labelID });
    this.body = h('tbody');
    this.table = h('details', { class: 'chart-table', ontoggle: () => this.fillTable() },
      h('summary', {}, t('organiser.chart.table')),
      h('div', { class: 'chart-rows', tabindex: 0, role: 'region', 'aria-label': options.label },
        h('table', {},
          h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('organiser.chart.time')),
            h('th', { scope: 'col', class: 'numeric' }, options.column))),
          this.body)));
    this.element = h('div', { class: 'chart' }, h('div', { class: 'chart-box' }, this.svg, this.tip), this.summary, this.table);
    this.svg.addEventListener('pointermove', (e) => this.point(/** @type {PointerEvent} */ (e).clientX));
    this.svg.addEventListener('pointerleave', () => this.point(undefined));
    this.width = 0;
    this.resize = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (width === this.width) return;
      this.width = width;
      this.draw();
    });
    this.resize.observe(/** @type {Element} */ (this.element.firstChild));
  }

  destroy() {
    this.resize.disconnect();
  }

  /** @param {Point[]} points in their sequence @param {number} from @param {number} to @param {number} step all in ms */
  show(points, from, to, step) {
    Object.assign(this, { points, from, to, step });
    this.draw();
    this.fillTable();
  }

  draw() {
    this.svg.replaceChildren();
    this.height = Math.min(this.options.height ?? heightDefault, this.width < narrowPixels ? heightDefault : Infinity);
    this.svg.setAttribute('height', String(this.height));
    if (!this.width || !this.points.length) return;
    const { format, axis = format, whole = 1, label, kind } = this.options;
    const most = Math.max(...this.points.map((p) => p.value));
    const tick = niceStep(most, whole);
    const top = Math.max(Math.ceil(most / tick), 1) * tick;
    const labels = [];
    for (let value = 0; value <= top; value += tick) labels.push({ value, text: axis(value) });
    this.start = 10 + 7.2 * Math.max(...labels.map((l) => l.text.length));
    const inner = this.width - this.start - edge.end;
    this.x = (/** @type {number} */ at) => /** @type {number} */ (this.start) + inner * (at - this.from) / (this.to - this.from);
    this.y = (/** @type {number} */ value) => edge.top + (this.height - edge.top - edge.bottom) * (1 - value / top);
    this.svg.setAttribute('width', String(this.width));
    this.svg.setAttribute('viewBox', `0 0 ${this.width} ${this.height}`);
    for (const { value, text } of labels) {
      this.svg.append(
        svg('line', { class: value ? 'grid' : 'base', x1: this.start, x2: this.width - edge.end, y1: this.y(value), y2: this.y(value) }),
        svg('text', { class: 'axis', x: this.start - 8, y: this.y(value) + 4, 'text-anchor': 'end' }, text));
    }
    this.drawTimes();
    if (kind === 'line') this.drawLine();
    else this.drawBars();
    this.mark = svg('g', { class: 'mark', visibility: 'hidden' });
    this.svg.append(this.mark);
    const last = this.points[this.points.length - 1];
    setText(this.summary, t('organiser.chart.summary', { label, last: format(last.value), most: format(most) }));
    if (this.at !== undefined) this.point(this.at);
  }

  /** Labels at whole minutes or hours of the visitor's own clock. */
  drawTimes() {
    const room = Math.max(2, Math.floor((this.width - this.start) / labelPixels));
    const step = timeSteps.find((s) => (this.to - this.from) / s <= room) ?? timeSteps[timeSteps.length - 1];
    const zone = new Date(this.to).getTimezoneOffset() * minute;
    for (let at = Math.ceil((this.from - zone) / step) * step + zone; at <= this.to; at += step) {
      const x = this.x(at);
      if (x < this.start + 14 || x > this.width - 22) continue;
      this.svg.append(
        svg('line', { class: 'tick', x1: x, x2: x, y1: this.height - edge.bottom, y2: this.height - edge.bottom + 5 }),
        svg('text', { class: 'axis', x, y: this.height - 8, 'text-anchor': 'middle' }, dateTime(new Date(at).toISOString(), 'time')));
    }
  }

  /** What stands at the end of each step, so that a line reaches now. */
  drawLine() {
    const ends = this.points.map((p) => `${this.x(Math.min(p.at + this.step, this.to)).toFixed(1)} ${this.y(p.value).toFixed(1)}`);
    const line = `M${ends.join('L')}`;
    const [first] = this.points, last = this.points[this.points.length - 1];
    const firstX = this.x(Math.min(first.at + this.step, this.to)), lastX = this.x(Math.min(last.at + this.step, this.to));
    this.svg.append(
      svg('path', { class: 'area', d: `${line}L${lastX.toFixed(1)} ${this.y(0)}L${firstX.toFixed(1)} ${this.y(0)}Z` }),
      svg('path', { class: 'line', d: line }),
      svg('circle', { class: 'now', cx: lastX, cy: this.y(last.value), r: 4 }));
  }

  drawBars() {
    for (const p of this.points) {
      if (!p.value) continue;
      const x = Math.max(this.x(p.at), this.start), end = this.x(Math.min(p.at + this.step, this.to));
      const gap = Math.min(1, (end - x) / 5);
      this.svg.append(svg('rect', {
        class: p.open ? 'bar open' : 'bar', x: x + gap / 2, width: Math.max(end - x - gap, 0.5), y: this.y(p.value), height: this.y(0) - this.y(p.value),
      }));
    }
  }

  /** Tells of the step under the pointer. @param {number | undefined} clientX */
  point(clientX) {
    this.at = clientX;
    this.tip.hidden = clientX === undefined || !this.x;
    this.mark?.setAttribute('visibility', this.tip.hidden ? 'hidden' : 'visible');
    if (clientX === undefined || !this.x || !this.y || !this.mark) return;
    const inside = clientX - this.svg.getBoundingClientRect().left;
    const end = this.options.kind === 'line' ? this.step : this.step / 2;
    const placed = (/** @type {Point} */ p) => this.x(Math.min(p.at + end, this.to));
    const p = this.points.reduce((a, b) => Math.abs(placed(b) - inside) < Math.abs(placed(a) - inside) ? b : a);
    const x = placed(p);
    this.mark.replaceChildren(svg('line', { x1: x, x2: x, y1: edge.top, y2: this.height - edge.bottom }),
      svg('circle', { cx: x, cy: this.y(p.value), r: 4 }));
    this.tip.replaceChildren(h('strong', {}, this.options.format(p.value)), h('span', {}, this.timeOf(p)));
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.min(Math.max(x, half), this.width - half)}px`;
  }

  /** @param {Point} p */
  timeOf(p) {
    const at = this.options.kind === 'line' ? Math.min(p.at + this.step, this.to) : p.at;
    return timeOfDay(at, this.step < minute);
  }

  /** Newest first. A table that nobody has opened costs nothing; one that somebody is reading in keeps its place. */
  fillTable() {
    if (!this.table.open) return;
    this.body.replaceChildren(...[...this.points].reverse().map((p) => h('tr', {},
      h('th', { scope: 'row' }, this.timeOf(p)), h('td', { class: 'numeric' }, this.options.format(p.value)))));
  }
}
