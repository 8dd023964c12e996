// The map of a hall on a canvas, to look at and to choose from. The list view (seatlist.js) is its equal.
//
//   - A frame is drawn only where something changed; a change of seats redraws those seats.
//   - What a tap or click picks is what is drawn there: the nearest seat's middle, within half a seat (a finger's width for
//     fingers). Where seats are too small to pick, a tap goes nearer instead.
//   - destroy() leaves nothing behind: no listener, timer, frame or pixel.

import { readTheme } from './colors.js';
import { Frame } from './frame.js';
import { listen } from './gestures.js';
import { seatByKey } from './keys.js';
import { Legend } from './legend.js';
import { drawOver, drawRing } from './overlay.js';
import { Pace } from './pace.js';
import { buildStage } from './stage.js';
import { Tip } from './tip.js';
import { seatPlace, seatPrice, seatState, sectionFree, stateWords, t } from './texts.js';
import { View } from './view.js';

/** @typedef {import('./hall.js').Hall} Hall @typedef {import('./seats.js').Seats} Seats */

/** Seats closer to each other than this, in CSS pixels, are not picked: by finger, and by mouse. */
const pickTouch = 18, pickMouse = 7;
/** A tap nearer goes to this distance of seats at the least, and the keyboard to that. */
const nearTouch = 26, nearMouse = 14, nearKeys = 18;
/** How far a finger reaches from a seat's middle, and a tip stays off the cursor, in CSS pixels. */
const reachTouch = 14, cursorReach = 14;
const zoomStep = 1.6;
/** More device pixels a CSS pixel show nothing more; a canvas wider than that slows every browser. */
const ratioMax = 3, sideMax = 4096;

export class SeatMap {
  /**
   * @param {HTMLElement} container becomes the map; as wide as that is, and as high as the hall's shape and map.css want
   * @param {{hall: Hall, seats: Seats, selected?: Set<number>, onToggle?: (index: number) => void, selectable?: (index: number) => boolean, words?: Record<string, string>}} options
   *   words: what states are called, where not as buyers have it
   */
  constructor(container, { hall, seats, selected = new Set(), onToggle = () => {}, selectable, words }) {
    Object.assign(this, { container, hall, seats, selected, onToggle });
    this.selectable = selectable ?? ((/** @type {number} */ i) => seats.isAvailable(i));
    this.words = stateWords(words);
    /** @type {Iterable<number>} */
    this.marked = [];
    this.view = new View(hall.bounds, hall.pitch);
    this.cursor = -1; // the keyboard's seat
    this.hovered = -1;
    this.tipped = -1;
    this.highlighted = -1;
    this.focused = false; // by keyboard
    this.said = { index: -1, selected: false };
    this.end = new AbortController();
    this.build();
    this.listen();
    this.recolor();
  }

  build() {
    const { signal } = this.end;
    this.legend = new Legend(this.seats, this.words, (category) => this.highlight({ category }), signal);
    Object.assign(this, buildStage(this.container, this.hall, this.legend.element, [
      ['+', 'map.zoomIn', () => this.zoomStep(zoomStep)], ['−', 'map.zoomOut', () => this.zoomStep(1 / zoomStep)], ['⤢', 'map.whole', () => this.showAll()],
    ], signal));
    this.tip = new Tip(this.stage);
    // No alpha: the ground is painted, and a browser need not look behind it.
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext('2d', { alpha: false }));
    this.pace = new Pace((now) => this.draw(now), (millis) => this.frame.took(millis));
  }

  listen() {
    const { signal } = this.end;
    listen(this.canvas, this, signal);
    this.canvas.addEventListener('keydown', (e) => this.key(e), { signal });
    this.canvas.addEventListener('focus', () => this.focus(), { signal });
    this.canvas.addEventListener('blur', () => {
      this.focused = false;
      this.showTip();
    }, { signal });
    this.seats.addEventListener('change', (e) => this.changed(/** @type {CustomEvent} */ (e).detail), { signal });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.recolor(), { signal });
    addEventListener('resize', () => this.resize(), { signal });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
  }

  destroy() {
    this.end.abort();
    this.observer.disconnect();
    this.pace.stop();
    this.frame.destroy();
    this.canvas.width = this.canvas.height = 0;
    this.container.replaceChildren();
  }

  /** Takes the page's colours, again where they changed. */
  recolor() {
    this.theme = readTheme(this.container, this.hall.categories);
    this.renew();
  }

  renew() {
    if (this.frame) this.frame.restyle(this.theme, this.highlighted);
    else this.frame = new Frame(this.seats, this.theme, this.highlighted);
    this.ask();
  }

  resize() {
    const width = this.stage.clientWidth, height = this.stage.clientHeight;
    if (width === 0 || height === 0) return; // not shown now
    const ratio = Math.min(devicePixelRatio, ratioMax, sideMax / width, sideMax / height);
    const w = Math.round(width * ratio), h = Math.round(height * ratio);
    if (w === this.view.width && h === this.view.height && ratio === this.view.ratio) return;
    this.canvas.width = w;
    this.canvas.height = h;
    this.view.resize(w, h, ratio);
    this.moved();
    this.draw(performance.now()); // a canvas is empty after a change of size, which must not be seen
  }

  /** Draws at the next frame. */
  ask() { this.pace.ask(); }

  /** @param {number} now */
  draw(now) {
    const { context, view, hall, theme } = this;
    if (view.width === 0) return;
    if (view.advance(now)) this.moved();
    if (this.frame.draw(context, view, now) || view.jump) this.ask();
    drawOver(context, hall, view, theme, this);
    if (this.hovered >= 0) drawRing(context, hall, view, theme, this.hovered, false);
    if (this.focused && this.cursor >= 0) drawRing(context, hall, view, theme, this.cursor, true);
  }

  /** How long drawing took in the last frames, and how far apart frames were while there was one after the other, in ms. */
  frameTimes() { return this.pace.times(); }

  // Gestures

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.view.pan(dx * this.view.ratio, dy * this.view.ratio);
    this.hovered = -1;
    this.moved();
  }

  /** Whether that zoomed at all. @param {number} x @param {number} y @param {number} factor */
  zoom(x, y, factor) {
    const { view } = this, before = view.scale;
    view.jump = null;
    view.set(view.zoomed(x * view.ratio, y * view.ratio, view.scale * factor));
    this.moved();
    return view.scale !== before;
  }

  /** @param {number} x @param {number} y @param {boolean} touch @param {boolean} twice */
  tap(x, y, touch, twice) {
    const { view } = this;
    const seat = this.seatAt(x, y, touch);
    if (seat >= 0) {
      this.cursor = seat;
      this.showTip(seat);
      this.toggle(seat);
    } else if (view.seatPixels() < (touch ? pickTouch : pickMouse)) {
      this.nearer(x, y, touch ? nearTouch : nearMouse);
    } else if (twice) {
      this.go(view.zoomed(x * view.ratio, y * view.ratio, view.scale * zoomStep));
    } else {
      this.showTip();
    }
  }

  /** Goes to what was tapped where seats are small. @param {number} x @param {number} y @param {number} pixels */
  nearer(x, y, pixels) {
    const { view } = this, at = view.toPlan(x * view.ratio, y * view.ratio), section = this.hall.sectionAt(at.x, at.y);
    const whole = section < 0 ? null : view.around(this.hall.sections[section].bounds);
    this.showTip();
    if (whole && whole.scale >= view.scaleFor(pixels)) this.go(whole);
    else this.go(view.centred(at, section < 0 ? view.scale * zoomStep : view.scaleFor(pixels)));
  }

  /** @param {number} x @param {number} y */
  hover(x, y) {
    const seat = this.seatAt(x, y, false), before = this.hovered;
    this.hovered = seat;
    this.canvas.style.cursor = seat >= 0 && (this.selected.has(seat) || this.selectable(seat)) ? 'pointer' : '';
    if (seat >= 0) {
      this.showTip(seat);
    } else {
      const { view } = this, at = view.toPlan(x * view.ratio, y * view.ratio);
      const small = view.seatPixels() < pickMouse;
      this.showTip(-1, small ? this.hall.sectionAt(at.x, at.y) : -1, x, y);
    }
    if (seat !== before) this.ask();
  }

  leave() {
    this.hovered = -1;
    this.showTip();
    this.ask();
  }

  /** The seat at a place in CSS pixels, or -1; none where seats are too small. @param {number} x @param {number} y @param {boolean} touch */
  seatAt(x, y, touch) {
    const { view, hall } = this;
    if (view.seatPixels() < (touch ? pickTouch : pickMouse)) return -1;
    const at = view.toPlan(x * view.ratio, y * view.ratio);
    const reach = Math.max(hall.pitch * 0.5, touch ? (reachTouch * view.ratio) / view.scale : 0);
    return hall.grid().nearest(at.x, at.y, reach);
  }

  // Keyboard

  focus() {
    if (!this.canvas.matches(':focus-visible')) return; // by a click
    this.focused = true;
    if (this.cursor < 0) this.cursor = this.firstSeat();
    this.say(this.cursor);
    this.showTip(this.cursor);
    this.ask();
  }

  /** Where the keyboard begins: at a chosen seat, or at the first that is available in what is shown. */
  firstSeat() {
    const [chosen] = this.selected;
    if (chosen !== undefined) return chosen;
    const { view, hall } = this;
    for (let i = 0; i < hall.size; i++) {
      const { x, y } = view.toScreen(hall.x[i], hall.y[i]);
      if (this.selectable(i) && x >= 0 && y >= 0 && x < view.width && y < view.height) return i;
    }
    return hall.size > 0 ? 0 : -1;
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (!this.press(e.key)) return;
    e.preventDefault();
    this.ask();
  }

  /** @param {string} key @returns {boolean} whether it means something */
  press(key) {
    switch (key) {
      case '+': case '=': this.zoomStep(zoomStep); return true;
      case '-': this.zoomStep(1 / zoomStep); return true;
      case '0': this.showAll(); return true;
      case 'Escape':
        if (this.tip.hidden) return false;
        this.showTip();
        return true;
    }
    if (this.cursor < 0) this.cursor = this.firstSeat();
    if (this.cursor < 0) return false;
    this.focused = true;
    if (key === 'Enter' || key === ' ') {
      this.toggle(this.cursor);
      this.showTip(this.cursor);
      return true;
    }
    const next = seatByKey(this.hall, this.cursor, key);
    if (next < 0) return false;
    this.cursor = next;
    this.hovered = -1;
    this.bring(next);
    this.say(next);
    this.showTip(next);
    return true;
  }

  /** Brings a seat into view, large enough to see. @param {number} index */
  bring(index) {
    const { view, hall } = this, { scale, x, y } = view.target(), edge = Math.min(view.width, view.height) * 0.15;
    const at = { x: (hall.x[index] - hall.bounds.left) * scale + x, y: (hall.y[index] - hall.bounds.top) * scale + y };
    if (scale < view.scaleFor(nearKeys) * 0.99) {
      this.go(view.centred({ x: hall.x[index], y: hall.y[index] }, view.scaleFor(nearKeys)));
    } else if (at.x < edge || at.y < edge || at.x > view.width - edge || at.y > view.height - edge) {
      const clamp = (/** @type {number} */ v, /** @type {number} */ size) => Math.min(size - edge, Math.max(edge, v)) - v;
      this.go({ scale, x: x + clamp(at.x, view.width), y: y + clamp(at.y, view.height) });
    }
  }

  // What can be done from outside

  /** @param {Set<number>} selected */
  setSelected(selected) {
    this.selected = selected;
    const { index } = this.said;
    if (index >= 0 && this.said.selected !== selected.has(index)) this.sayToggled(index);
    this.showTip(this.tipped);
    this.ask();
  }

  /** Marks seats that somebody else was faster to get. @param {Iterable<number>} marked */
  setMarked(marked) {
    this.marked = marked;
    this.ask();
  }

  /** Shows all of a section. @param {number} section index */
  focusSection(section) {
    const found = this.hall.sections[section];
    if (found) this.go(this.view.around(found.bounds));
  }

  /** Tells one category from the others; -1 or null ends that. @param {{category?: number | null}} what */
  highlight({ category = -1 } = {}) {
    this.highlighted = category ?? -1;
    this.legend.show(this.highlighted);
    this.renew();
  }

  showAll() { this.go(this.view.around(this.hall.bounds, this.view.least())); }

  /** @param {number} factor */
  zoomStep(factor) {
    const { view } = this, target = view.target();
    const scale = Math.min(view.most(), Math.max(view.least(), target.scale * factor)), k = scale / target.scale;
    this.go({ scale, x: view.width / 2 - (view.width / 2 - target.x) * k, y: view.height / 2 - (view.height / 2 - target.y) * k });
  }

  /** @param {import('./view.js').Place} place */
  go(place) {
    this.view.go(place, performance.now(), matchMedia('(prefers-reduced-motion: reduce)').matches || this.view.width === 0);
    this.moved();
  }

  /** After the view moved: a finger scrolls the page where the map has nowhere to go, and the tip stays at its seat. */
  moved() {
    this.canvas.classList.toggle('moves', !this.view.whole);
    this.tellWhere();
    if (this.tipped >= 0) this.showTip(this.tipped);
    else if (!this.tip.hidden) this.showTip();
    this.ask();
  }

  /** Below the map: that one can get closer, or whose seats are in the middle. */
  tellWhere() {
    const { view } = this, at = view.toPlan(view.width / 2, view.height / 2);
    const small = view.seatPixels() < (matchMedia('(pointer: coarse)').matches ? pickTouch : pickMouse);
    const text = small ? t('map.closer') : this.hall.sections[view.whole ? -1 : this.hall.sectionAt(at.x, at.y)]?.name ?? '';
    if (this.where.textContent !== text) this.where.textContent = text;
  }

  /** @param {number[]} indexes */
  changed(indexes) {
    if (indexes.length === 0) return;
    this.frame.redraw(indexes);
    if (this.tipped >= 0) this.showTip(this.tipped);
    this.ask();
  }

  /** @param {number} index */
  toggle(index) {
    const before = this.selected.has(index);
    this.said = { index, selected: before };
    if (!before && !this.selectable(index)) {
      this.live.textContent = t('map.said.refused', { seat: this.textOf(index) });
      return;
    }
    this.onToggle(index);
    if (this.said.selected !== this.selected.has(index)) this.sayToggled(index);
    this.showTip(this.tipped);
    this.ask();
  }

  /** @param {number} index */
  sayToggled(index) {
    const chosen = this.selected.has(index);
    this.said = { index, selected: chosen };
    this.live.textContent = t(chosen ? 'map.said.selected' : 'map.said.removed', { seat: seatPlace(this.hall, index) });
  }

  /** All of a seat in lines. @param {number} index */
  linesOf(index) {
    return [seatPlace(this.hall, index), seatPrice(this.hall, index), this.words[seatState(this.seats, index, this.selected)]];
  }

  /** @param {number} index */
  textOf(index) { return this.linesOf(index).join(', '); }

  /** @param {number} index */
  say(index) {
    if (index >= 0) this.live.textContent = this.textOf(index);
  }

  /** Shows what a seat or a section is, or nothing. @param {number} [seat] @param {number} [section] @param {number} [x] @param {number} [y] */
  showTip(seat = -1, section = -1, x = 0, y = 0) {
    this.tipped = seat;
    if (seat < 0 && section < 0) {
      this.tip.hide();
    } else if (seat < 0) {
      this.tip.show([this.hall.sections[section].name, sectionFree(this.seats, section)], x, y, cursorReach);
    } else {
      const at = this.view.toScreen(this.hall.x[seat], this.hall.y[seat]), { ratio } = this.view;
      this.tip.show(this.linesOf(seat), at.x / ratio, at.y / ratio, this.view.seatPixels() / 2 + 8);
    }
  }
}
