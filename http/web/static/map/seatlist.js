// The hall as a list: section, row, seats as buttons; the map's equal for the keyboard, screen readers, and who likes lists.
// Only what is open is there at all, so that 50,000 seats are not 50,000 elements.

import { element } from './element.js';
import { seatPrice, seatState, sectionFree, stateWords, t } from './texts.js';

/** @typedef {import('./hall.js').Hall} Hall @typedef {import('./seats.js').Seats} Seats */

/** Lists made, for ids of elements. */
let made = 0;

/** A section of more seats opens row by row. */
const seatsAtOnce = 400;

export class SeatList {
  /**
   * @param {HTMLElement} container becomes the list
   * @param {{hall: Hall, seats: Seats, selected?: Set<number>, onToggle?: (index: number) => void, selectable?: (index: number) => boolean, words?: Record<string, string>}} options
   *   words: what states are called, where not as buyers have it
   */
  constructor(container, { hall, seats, selected = new Set(), onToggle = () => {}, selectable, words }) {
    Object.assign(this, { container, hall, seats, onToggle });
    this.selected = selected;
    /** Those among it when buttons were last brought up to date. */
    this.shown = new Set(selected);
    this.selectable = selectable ?? ((/** @type {number} */ i) => seats.isAvailable(i));
    this.words = stateWords(words);
    /** @type {Set<number>} */
    this.marked = new Set();
    /** @type {Map<number, HTMLButtonElement>} by seat: those that are there */
    this.buttons = new Map();
    /** @type {Set<number>} sections whose line is behind */
    this.behind = new Set();
    this.requested = 0;
    this.end = new AbortController();
    this.lines = hall.sections.map(() => element('span', { class: 'seatlist-free' }));
    this.sections = hall.sections.map((section, i) => this.fold(section.name, 'seatlist-section', this.lines[i],
      () => this.sectionBody(i), section));
    hall.sections.forEach((_, i) => this.summarize(i));
    const hint = element('p', { class: 'seatmap-hidden', id: `seatlist-hint-${++made}` }, t('list.hint'));
    container.replaceChildren(hint, element('div', { class: 'seatlist', role: 'group', 'aria-label': t('list.label'), 'aria-describedby': hint.id }, ...this.sections));
    const { signal } = this.end;
    container.addEventListener('focusin', (e) => {
      const button = seatOf(e);
      if (button) this.stop(button);
    }, { signal });
    container.addEventListener('click', (e) => this.click(e), { signal });
    container.addEventListener('keydown', (e) => this.key(e), { signal });
    seats.addEventListener('change', (e) => this.changed(/** @type {CustomEvent} */ (e).detail), { signal });
  }

  destroy() {
    this.end.abort();
    cancelAnimationFrame(this.requested);
    this.requested = -1; // and none again
    this.buttons.clear();
    this.container.replaceChildren();
  }

  /**
   * Details whose body is there while they are open.
   * @param {string} name @param {string} className @param {HTMLElement | null} line beside the name
   * @param {() => Node[]} body @param {{first: number, end: number}} seats those within
   */
  fold(name, className, line, body, { first, end }) {
    const summary = element('summary', {}, element('span', { class: 'seatlist-name', dir: 'auto' }, name));
    if (line) summary.append(line);
    const details = element('details', { class: className }, summary);
    details.addEventListener('toggle', () => {
      if (details.open === details.childElementCount > 1) return;
      if (details.open) {
        details.append(element('div', { class: 'seatlist-body' }, ...body()));
        return;
      }
      details.lastElementChild?.remove();
      for (let i = first; i < end; i++) this.buttons.delete(i);
    }, { signal: this.end.signal });
    return details;
  }

  /** @param {number} i section index */
  sectionBody(i) {
    const section = this.hall.sections[i], folded = section.end - section.first > seatsAtOnce;
    return section.rows.map((row) => {
      const name = t('map.row', { row: row.name || '–' });
      if (folded) return this.fold(name, 'seatlist-fold', null, () => [this.row(row, name)], row);
      return element('div', { class: 'seatlist-row' }, element('span', { class: 'seatlist-row-name', 'aria-hidden': 'true' }, name), this.row(row, name));
    });
  }

  /** @param {import('./hall.js').Row} row @param {string} name */
  row({ first, end }, name) {
    const group = element('div', { class: 'seatlist-seats', role: 'group', 'aria-label': name });
    for (let i = first; i < end; i++) {
      const button = element('button', { type: 'button', class: 'seatlist-seat', 'data-seat': String(i), tabindex: '-1' },
        element('span', { class: 'seatlist-number', dir: 'auto' }, this.hall.numbers[i]));
      this.buttons.set(i, button);
      group.append(button);
      this.update(i, button);
    }
    return group;
  }

  /** @param {number} i @param {HTMLButtonElement} button */
  update(i, button) {
    const chosen = this.selected.has(i), usable = chosen || this.selectable(i);
    const state = seatState(this.seats, i, this.selected);
    button.dataset.state = state;
    button.setAttribute('aria-pressed', String(chosen));
    const { row } = this.hall.describe(i), number = this.hall.numbers[i];
    const name = row ? `${t('map.row', { row })}, ${number}` : number;
    const about = `${seatPrice(this.hall, i)}, ${this.words[state]}`;
    button.setAttribute('aria-label', `${name}, ${about}`);
    button.title = about;
    button.toggleAttribute('data-marked', this.marked.has(i));
    // Not disabled, which would take the focus from who stands there while it is sold.
    if (usable) button.removeAttribute('aria-disabled');
    else button.setAttribute('aria-disabled', 'true');
    if (usable && !stopOf(button)) button.tabIndex = 0;
  }

  /** Tab stops once in a row that has something to choose: where one was last. @param {HTMLButtonElement} button */
  stop(button) {
    const before = stopOf(button);
    if (before) before.tabIndex = -1;
    button.tabIndex = 0;
  }

  /** Marks seats that somebody else was faster to get. @param {Iterable<number>} marked */
  setMarked(marked) {
    const before = this.marked;
    this.marked = new Set(marked);
    for (const i of [...before, ...this.marked]) this.buttons.get(i)?.toggleAttribute('data-marked', this.marked.has(i));
  }

  /** @param {number} i section index */
  summarize(i) {
    this.lines[i].textContent = this.seats.version === 0 ? t('list.loading') : sectionFree(this.seats, i);
  }

  /** @param {number[]} indexes */
  changed(indexes) {
    for (const i of indexes) {
      this.behind.add(this.hall.section[i]);
      const button = this.buttons.get(i);
      if (button) this.update(i, button);
    }
    // Lines once a frame, however many changes there were.
    if (this.requested === 0 && this.behind.size > 0) {
      this.requested = requestAnimationFrame(() => {
        this.requested = 0;
        for (const i of this.behind) this.summarize(i);
        this.behind.clear();
      });
    }
  }

  /** @param {Set<number>} selected */
  setSelected(selected) {
    this.selected = selected;
    for (const i of new Set([...this.shown, ...selected])) {
      const button = this.buttons.get(i);
      if (button) this.update(i, button);
    }
    this.shown = new Set(selected);
  }

  /** Opens a section and goes there. @param {number} section index */
  focusSection(section) {
    const details = this.sections[section];
    if (!details) return;
    details.open = true;
    /** @type {HTMLElement} */ (details.firstElementChild).focus();
    details.scrollIntoView({ block: 'start' });
  }

  /** @param {Event} e */
  click(e) {
    const button = seatOf(e);
    if (!button) return;
    const i = Number(button.dataset.seat);
    if (!this.selected.has(i) && !this.selectable(i)) return;
    this.onToggle(i);
    this.setSelected(this.selected);
  }

  /** Arrows go along the row, and past what is not available. @param {KeyboardEvent} e */
  key(e) {
    const button = seatOf(e);
    if (!button || e.ctrlKey || e.metaKey || e.altKey) return;
    const all = [.../** @type {HTMLElement} */ (button.parentElement).children], at = all.indexOf(button);
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[e.key];
    if (next === undefined) return;
    e.preventDefault();
    /** @type {HTMLElement | undefined} */ (all[next])?.focus();
  }
}

/** Where Tab stops in a seat's row. @param {HTMLButtonElement} button */
const stopOf = (button) => /** @type {HTMLButtonElement | null} */ (button.parentElement?.querySelector('[tabindex="0"]'));

/** @param {Event} e */
function seatOf(e) {
  const button = e.target instanceof Element ? e.target.closest('[data-seat]') : null;
  return button instanceof HTMLButtonElement ? button : null;
}
