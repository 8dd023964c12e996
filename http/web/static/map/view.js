// What part of the hall is seen, how large, and how that moves. All in device pixels: a seat at x, y of the plan is drawn at
// (x - bounds.left) * scale + this.x, and likewise for y.

/** @typedef {import('./hall.js').Bounds} Bounds */
/** @typedef {{scale: number, x: number, y: number}} Place */

/** Free space around the hall, in CSS pixels. */
const margin = 20;
/** The distance of neighbours at the largest, in CSS pixels: two fingers' widths. */
const pitchMax = 72;
/** How long a jump takes, in ms: long enough to follow with the eyes. */
const jumpMillis = 240;

export class View {
  /** @param {Bounds} bounds @param {number} pitch */
  constructor(bounds, pitch) {
    this.bounds = bounds;
    this.pitch = pitch;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.width = 0;
    this.height = 0;
    this.ratio = 1;
    /** Whether the whole hall is shown, and is to be after the next change of size. */
    this.whole = true;
    /** @type {{from: Place, to: Place, begun: number} | null} */
    this.jump = null;
  }

  /** The least scale: all of the hall. */
  least() {
    const { left, top, right, bottom } = this.bounds, free = 2 * margin * this.ratio + 0;
    const width = right - left + 2 * this.pitch, height = bottom - top + 2 * this.pitch;
    return Math.min(Math.max(1, this.width - free) / width, Math.max(1, this.height - free) / height, this.most());
  }

  most() { return (pitchMax * this.ratio) / this.pitch; }

  /** The distance of neighbours in CSS pixels. */
  seatPixels() { return (this.pitch * this.scale) / this.ratio; }

  /** The scale at which neighbours are so many CSS pixels apart. @param {number} pixels */
  scaleFor(pixels) { return Math.max((pixels * this.ratio) / this.pitch, this.least()); }

  /** @param {number} width @param {number} height in device pixels @param {number} ratio of these to CSS pixels */
  resize(width, height, ratio) {
    const middle = this.toPlan(this.width / 2, this.height / 2), scale = (this.scale * ratio) / this.ratio;
    const first = this.width === 0;
    Object.assign(this, { width, height, ratio, jump: null });
    if (first || this.whole) this.set(this.around(this.bounds, this.least()));
    else this.set(this.centred(middle, scale));
  }

  /** @param {number} x @param {number} y in device pixels of the canvas */
  toPlan(x, y) {
    return { x: (x - this.x) / this.scale + this.bounds.left, y: (y - this.y) / this.scale + this.bounds.top };
  }

  /** @param {number} x @param {number} y of the plan */
  toScreen(x, y) {
    return { x: (x - this.bounds.left) * this.scale + this.x, y: (y - this.bounds.top) * this.scale + this.y };
  }

  /** @param {{x: number, y: number}} middle of the plan @param {number} scale @returns {Place} */
  centred(middle, scale) {
    const to = Math.min(this.most(), Math.max(this.least(), scale));
    return { scale: to, x: this.width / 2 - (middle.x - this.bounds.left) * to, y: this.height / 2 - (middle.y - this.bounds.top) * to };
  }

  /** @param {Bounds} b @param {number} [scale] the largest that shows all of it, else */
  around(b, scale) {
    const free = 2 * margin * this.ratio, width = b.right - b.left + 2 * this.pitch, height = b.bottom - b.top + 2 * this.pitch;
    const fit = Math.min((this.width - free) / width, (this.height - free) / height);
    return this.centred({ x: (b.left + b.right) / 2, y: (b.top + b.bottom) / 2 }, scale ?? fit);
  }

  /** The hall cannot be moved out of sight. @param {Place} place @returns {Place} */
  within({ scale, x, y }) {
    const edge = margin * this.ratio + this.pitch * scale;
    const clamp = (/** @type {number} */ at, /** @type {number} */ size, /** @type {number} */ room) =>
      (size + 2 * edge <= room ? (room - size) / 2 : Math.min(edge, Math.max(room - size - edge, at)));
    return {
      scale,
      x: clamp(x, (this.bounds.right - this.bounds.left) * scale, this.width),
      y: clamp(y, (this.bounds.bottom - this.bounds.top) * scale, this.height),
    };
  }

  /** @param {Place} place */
  set(place) {
    Object.assign(this, this.within(place));
    this.whole = this.scale <= this.least() * 1.001;
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.jump = null;
    this.set({ scale: this.scale, x: this.x + dx, y: this.y + dy });
  }

  /** The place where what is at x, y stays there. @param {number} x @param {number} y @param {number} scale @returns {Place} */
  zoomed(x, y, scale) {
    const to = Math.min(this.most(), Math.max(this.least(), scale)), k = to / this.scale;
    return { scale: to, x: x - (x - this.x) * k, y: y - (y - this.y) * k };
  }

  /** Goes there at once, or so that the eye can follow. @param {Place} to @param {number} now @param {boolean} still */
  go(to, now, still) {
    const place = this.within(to);
    if (still) {
      this.jump = null;
      this.set(place);
      return;
    }
    this.jump = { from: { scale: this.scale, x: this.x, y: this.y }, to: place, begun: now };
  }

  /** Where a jump ends, or where it stands. @returns {Place} */
  target() { return this.jump?.to ?? { scale: this.scale, x: this.x, y: this.y }; }

  /** Moves on with a jump; whether there is one. @param {number} now */
  advance(now) {
    if (!this.jump) return false;
    const { from, to, begun } = this.jump;
    const part = Math.min(1, Math.max(0, (now - begun) / jumpMillis)), eased = 1 - (1 - part) ** 3;
    if (part >= 1) {
      this.jump = null;
      this.set(to);
      return true;
    }
    // The middle of the view goes straight and the scale evenly by its logarithm.
    const scale = from.scale * (to.scale / from.scale) ** eased;
    const middle = (/** @type {Place} */ p, /** @type {'x' | 'y'} */ axis) => ((axis === 'x' ? this.width : this.height) / 2 - p[axis]) / p.scale;
    const along = to.scale === from.scale ? eased : (1 / scale - 1 / from.scale) / (1 / to.scale - 1 / from.scale);
    const at = (/** @type {'x' | 'y'} */ axis) => {
      const here = middle(from, axis) + (middle(to, axis) - middle(from, axis)) * along;
      return (axis === 'x' ? this.width : this.height) / 2 - here * scale;
    };
    Object.assign(this, { scale, x: at('x'), y: at('y') });
    this.whole = false;
    return true;
  }
}
