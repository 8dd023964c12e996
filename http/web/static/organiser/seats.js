// Blocks seats, or releases blocked ones: chosen on the map, in the list, or by whole sections and rows. Who buys one of
// the chosen ones first has it: it is chosen no more, and the organiser is told.

import { number, t } from '../i18n.js';
import { h, setText } from '../js/dom.js';
import { toast } from '../js/announce.js';
import { api, headers, Problem } from './api.js';
import { reason } from './notes.js';
import { choice } from './overview.js';
import { Picker } from './picker.js';

const letters = { block: 65, unblock: 66 }; // A, B

/** States as the organiser has them. */
const words = () => Object.fromEntries(['held', 'blocked', 'selected'].map((state) => [state, t(`organiser.seats.state.${state}`)]));

/** @param {string} eventID */
export function seatsView(eventID) {
  /** @type {Board | undefined} */
  let board;
  /** @type {Promise<void> | undefined} */
  let opening;
  let ended = false;
  const element = h('div', { class: 'stack' }, h('p', { class: 'row muted' }, h('span', { class: 'spinner' }), t('organiser.loading')));

  async function open() {
    // The map is large: whoever does not look at seats never loads it.
    const [event, map, modules] = await Promise.all([api.event(eventID, AbortSignal.timeout(10_000)), api.seatmap(eventID), load()]);
    if (ended) return;
    board = new Board(event, map, modules);
    element.replaceChildren(board.element);
    board.start();
  }

  return {
    element,
    async read() {
      if (board) return;
      try {
        await (opening ??= open());
      } finally {
        opening = undefined;
      }
    },
    show() {},
    end() {
      ended = true;
      board?.end();
    },
  };
}

async function load() {
  const [{ parseHall }, { Seats }, { LiveSeats }, { SeatMap }, { SeatList }] = await Promise.all(
    ['hall', 'seats', 'live', 'seatmap', 'seatlist'].map((part) => import(`../map/${part}.js`)));
  return { parseHall, Seats, LiveSeats, SeatMap, SeatList };
}

class Board {
  /** @param {any} event @param {any} map @param {any} modules */
  constructor(event, map, modules) {
    this.eventID = event.eventId;
    this.modules = modules;
    this.hall = modules.parseHall(map, event);
    this.seats = new modules.Seats(this.hall);
    this.live = new modules.LiveSeats(this.seats, { eventId: event.eventId, poll: true, headers: headers() });
    /** @type {'block' | 'unblock'} */
    this.what = 'block';
    this.view = 'map';
    /** @type {Set<number>} */
    this.chosen = new Set();
    this.busy = false;
    this.build();
  }

  build() {
    const what = choice(t('organiser.seats.what'), 'what', [['block', t('organiser.seats.block')], ['unblock', t('organiser.seats.unblock')]], (w) => this.turn(w));
    const view = choice(t('organiser.seats.view'), 'seats', [['map', t('organiser.seats.map')], ['list', t('organiser.seats.list')]], (v) => { this.view = v; this.draw(); });
    this.hint = h('p', { class: 'muted small' }, t('organiser.seats.blockHint'));
    this.stale = h('p', { class: 'note warn', role: 'status', hidden: true, 'data-testid': 'stale' }, t('organiser.seats.stale'));
    this.place = h('div', { 'data-testid': 'seats-place' });
    this.count = h('p', { class: 'chosen-count tabular', role: 'status', 'data-testid': 'chosen' }, t('organiser.seats.nothing'));
    this.summary = h('ul', { class: 'chosen-sections small' });
    this.problem = h('div', { class: 'note danger', role: 'alert', hidden: true, 'data-testid': 'seats-error' });
    this.go = h('button', { class: 'button primary wide', type: 'button', 'data-testid': 'seats-go', onclick: () => void this.submit() });
    this.clear = h('button', { class: 'button wide', type: 'button', 'data-testid': 'seats-clear', onclick: () => { this.chosen.clear(); this.changed(); } }, t('organiser.seats.clear'));
    this.picker = new Picker(this.hall, (indexes, add) => this.many(indexes, add));
    this.element = h('div', { class: 'seats-columns' },
      h('div', { class: 'stack' }, h('div', { class: 'row-between' }, what.element, view.element), this.hint, this.stale, this.place),
      h('div', { class: 'stack seats-side' },
        h('div', { class: 'card stack' }, this.count, this.summary, this.problem, h('div', { class: 'stack-s' }, this.go, this.clear)),
        this.picker.element));
    this.changed();
  }

  start() {
    this.live.addEventListener('state', (/** @type {CustomEvent} */ e) => { this.stale.hidden = e.detail.state === 'live' || !this.seats.version; });
    this.seats.addEventListener('change', (/** @type {CustomEvent} */ e) => this.moved(e.detail));
    this.draw();
    this.live.start();
  }

  end() {
    this.live.stop();
    this.shown?.destroy();
  }

  /** @param {number} index */
  selectable(index) {
    return this.seats.letters[index] === letters[this.what];
  }

  draw() {
    this.shown?.destroy();
    this.place.replaceChildren();
    const Shown = this.view === 'map' ? this.modules.SeatMap : this.modules.SeatList;
    this.shown = new Shown(this.place, {
      hall: this.hall, seats: this.seats, selected: this.chosen, words: words(),
      selectable: (/** @type {number} */ i) => this.selectable(i), onToggle: (/** @type {number} */ i) => this.toggle(i),
    });
  }

  /** @param {string} what */
  turn(what) {
    this.what = /** @type {'block' | 'unblock'} */ (what);
    this.chosen.clear();
    this.problem.hidden = true;
    setText(this.hint, t(`organiser.seats.${what}Hint`));
    this.draw();
    this.changed();
  }

  /** @param {number} index */
  toggle(index) {
    if (!this.chosen.delete(index) && this.selectable(index)) this.chosen.add(index);
    this.shown?.setMarked([]);
    this.changed();
  }

  /** @param {number[]} indexes @param {boolean} add */
  many(indexes, add) {
    for (const i of indexes) {
      if (!add) this.chosen.delete(i);
      else if (this.selectable(i)) this.chosen.add(i);
    }
    if (add && !indexes.some((i) => this.chosen.has(i))) toast(t('organiser.seats.noneThere'), 'warn');
    if (indexes.length) this.shown?.focusSection(this.hall.section[indexes[0]]);
    this.changed();
  }

  /** Seats have moved: whoever took a chosen one was faster. @param {number[]} indexes */
  moved(indexes) {
    if (this.busy || !this.chosen.size) return;
    const lost = [...indexes].filter((i) => this.chosen.has(i) && !this.selectable(i));
    if (!lost.length) return;
    for (const i of lost) this.chosen.delete(i);
    toast(t('organiser.seats.lost', { n: lost.length }), 'warn');
    this.changed();
  }

  changed() {
    const n = this.chosen.size;
    this.shown?.setSelected(this.chosen);
    setText(this.count, n ? t('organiser.seats.chosen', { n }) : t('organiser.seats.nothing'));
    setText(this.go, this.busy ? t('organiser.seats.busy') : t(`organiser.seats.${this.what === 'block' ? 'doBlock' : 'doUnblock'}${n ? '' : 'None'}`, { n }));
    this.go.ariaDisabled = n && !this.busy ? null : 'true';
    this.clear.hidden = n === 0;
    /** @type {Map<number, number>} */
    const sections = new Map();
    for (const i of this.chosen) sections.set(this.hall.section[i], (sections.get(this.hall.section[i]) ?? 0) + 1);
    this.summary.replaceChildren(...[...sections].sort(([a], [b]) => a - b).map(([s, of]) =>
      h('li', {}, h('bdi', { dir: 'auto' }, this.hall.sections[s].name), h('span', { class: 'tabular muted' }, number(of)))));
    this.summary.hidden = !n;
  }

  async submit() {
    if (!this.chosen.size || this.busy) return;
    const { what } = this, indexes = [...this.chosen];
    this.busy = true;
    this.problem.hidden = true;
    this.shown?.setMarked([]);
    this.changed();
    try {
      await api[what](this.eventID, indexes.map((i) => this.hall.ids[i]));
      this.chosen.clear();
      toast(t(what === 'block' ? 'organiser.seats.blocked' : 'organiser.seats.unblocked', { n: indexes.length }));
    } catch (problem) {
      this.refused(problem);
    }
    // What is chosen next must not be judged by how things were: a poll that was under way may have asked before this.
    if (await this.live.load()) await this.live.load();
    this.busy = false;
    this.changed();
  }

  /** Nothing was changed. Those that are gone are chosen no more, and the map shows where they are. @param {unknown} problem */
  refused(problem) {
    if (!(problem instanceof Problem) || problem.code !== 'seats-unavailable') {
      this.problem.replaceChildren(t('organiser.failed', { detail: reason(problem) }));
    } else {
      const gone = /** @type {string[]} */ (problem.body.unavailable ?? []).map((id) => this.hall.indexOf(id)).filter((i) => i >= 0);
      for (const i of gone) this.chosen.delete(i);
      this.problem.replaceChildren(h('div', { class: 'stack-s' }, h('p', {}, t('organiser.seats.taken', { n: gone.length })),
        h('ul', { class: 'chosen-sections small' }, gone.slice(0, 8).map((i) => {
          const { section, row, number } = this.hall.describe(i);
          return h('li', {}, h('bdi', { dir: 'auto' }, t(row ? 'map.seat' : 'map.seatWithoutRow', { section, row, number })));
        }), gone.length > 8 && h('li', {}, '…'))));
      this.shown?.setMarked(gone);
      if (gone.length) this.shown?.focusSection(this.hall.section[gone[0]]);
    }
    this.problem.hidden = false;
  }
}
