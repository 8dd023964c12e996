// Layers of one map: the one that is shown, the one that is being made for another scale, and a small picture of the whole
// hall that fills what is not drawn yet. Each frame draws tiles for a few milliseconds at the most, so that no frame is late.

import { css } from './colors.js';
import { free, Layer, tilePixels } from './layer.js';

/** @typedef {import('./seats.js').Seats} Seats @typedef {import('./colors.js').Theme} Theme @typedef {import('./view.js').View} View */

/** How long a frame may draw tiles: half of what it has, for the rest has work, too. */
const paintMillisMax = 7;
/** Longest side of the small picture, in device pixels. */
const overviewPixels = 1000;
/** A zoom ends when it stood still for so long; sharp seats come then. */
const settleMillis = 90;
/** A layer shown this much larger or smaller than drawn is replaced although the zoom goes on. */
const stretchMax = 1.7;
/** More tiles than this in view: the small picture serves. */
const tilesShownMax = 64;
/** A frame that takes longer than this is late; so many that are late change the way of drawing. */
const lateMillis = 25, lateFrames = 2, lateMax = 6;

export class Frame {
  /** @param {Seats} seats @param {Theme} theme @param {number} highlighted */
  constructor(seats, theme, highlighted) {
    this.seats = seats;
    this.theme = theme;
    this.highlighted = highlighted;
    /** @type {HTMLCanvasElement[]} */
    this.pool = [];
    this.overview = this.small();
    this.shown = this.overview;
    /** @type {Layer | null} */
    this.next = null;
    this.zoomed = -Infinity;
    this.scale = 0;
    /** Whether frames are late, more or less: then seats are copied without smoothing, which is most of the work where no
        graphics processor does it. */
    this.late = 0;
  }

  small() {
    const { left, top, right, bottom } = this.seats.hall.bounds;
    const side = Math.max(right - left, bottom - top) + 2 * this.seats.hall.pitch;
    return new Layer(this.seats, this.theme, overviewPixels / side, this.highlighted, this.pool);
  }

  /** Takes other colours; what is shown stays until the new is drawn. @param {Theme} theme @param {number} highlighted */
  restyle(theme, highlighted) {
    this.theme = theme;
    this.highlighted = highlighted;
    if (this.overview !== this.shown) this.overview.destroy();
    this.overview = this.small();
    this.next?.destroy();
    this.next = null;
  }

  /** Whether a layer is as it should be. @param {Layer} layer @param {View} view */
  right(layer, view) {
    return layer.scale === view.scale && layer.theme === this.theme && layer.highlighted === this.highlighted;
  }

  /** Told how long each frame took. @param {number} millis */
  took(millis) {
    this.late = Math.min(lateMax, Math.max(0, this.late + (millis > lateMillis ? 1 : -0.1)));
  }

  destroy() {
    for (const layer of this.layers()) layer.destroy();
    for (const canvas of this.pool.splice(0)) free(canvas);
  }

  layers() { return new Set([this.overview, this.shown, ...(this.next ? [this.next] : [])]); }

  /** @param {ArrayLike<number>} changed */
  redraw(changed) {
    for (const layer of this.layers()) layer.redraw(changed);
  }

  /** Draws the hall; whether there is more to do. @param {CanvasRenderingContext2D} context @param {View} view @param {number} now */
  draw(context, view, now) {
    const until = performance.now() + paintMillisMax;
    if (view.scale !== this.scale) {
      if (this.scale !== 0) this.zoomed = now; // the first is no zoom, and sharp at once
      this.scale = view.scale;
    }
    const settled = now - this.zoomed > settleMillis;
    this.makeAll(this.overview, view, Infinity);
    const unfinished = this.choose(view, settled, until);
    const missing = this.makeAll(this.shown, view, until);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = css(this.theme.ground);
    context.fillRect(0, 0, view.width, view.height);
    if (missing < 0) {
      this.copy(context, this.overview, view, null);
    } else {
      if (missing > 0 && this.shown !== this.overview) {
        context.save();
        context.beginPath();
        this.copy(context, this.shown, view, (x, y, width, height) => context.rect(x, y, width, height));
        context.clip();
        this.copy(context, this.overview, view, null);
        context.restore();
      }
      this.copy(context, this.shown, view, null);
    }
    return unfinished || missing > 0;
  }

  /** Makes the layer for the view's scale where it is time, and shows it once it is whole. @param {View} view @param {boolean} settled @param {number} until */
  choose(view, settled, until) {
    const stretch = (/** @type {Layer} */ layer) => Math.max(view.scale / layer.scale, layer.scale / view.scale);
    if (this.next && (settled ? this.next.scale !== view.scale : stretch(this.next) > stretchMax)) {
      this.next.destroy();
      this.next = null;
    }
    if (this.right(this.shown, view)) {
      this.next?.destroy();
      this.next = null;
      return false;
    }
    if (!this.next && (settled || this.shown.theme !== this.theme || stretch(this.shown) > stretchMax)) {
      this.next = new Layer(this.seats, this.theme, view.scale, this.highlighted, this.pool);
    }
    if (!this.next) return true;
    if (this.makeAll(this.next, view, until) !== 0) return true;
    if (this.shown !== this.overview) this.shown.destroy();
    this.shown = this.next;
    this.next = null;
    return !this.right(this.shown, view);
  }

  /** Draws tiles in view that are missing, in time. The result is how many still are, or -1 where there are far too many. @param {Layer} layer @param {View} view @param {number} until */
  makeAll(layer, view, until) {
    const { x0, y0, x1, y1 } = this.range(layer, view);
    if ((x1 - x0 + 1) * (y1 - y0 + 1) > tilesShownMax) return -1;
    let missing = 0;
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        if (layer.find(x, y)) continue;
        if (performance.now() < until) layer.make(x, y);
        else missing++;
      }
    }
    return missing;
  }

  /** @param {Layer} layer @param {View} view */
  range(layer, view) {
    const k = layer.scale / view.scale;
    return layer.range(-view.x * k, -view.y * k, (view.width - view.x) * k, (view.height - view.y) * k);
  }

  /**
   * Copies the tiles that are there; or calls with the places of those that are not.
   * @param {CanvasRenderingContext2D} context @param {Layer} layer @param {View} view
   * @param {((x: number, y: number, width: number, height: number) => void) | null} absent
   */
  copy(context, layer, view, absent) {
    const { x0, y0, x1, y1 } = this.range(layer, view), k = view.scale / layer.scale;
    if ((x1 - x0 + 1) * (y1 - y0 + 1) > tilesShownMax) return;
    // Whole pixels: no seam between tiles, and nothing is smeared at the scale that it was drawn at.
    const column = (/** @type {number} */ tile) => Math.round(view.x + tile * tilePixels * k);
    const row = (/** @type {number} */ tile) => Math.round(view.y + tile * tilePixels * k);
    context.imageSmoothingEnabled = k !== 1 && this.late < lateFrames;
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const left = column(x), top = row(y), width = column(x + 1) - left, height = row(y + 1) - top;
        const tile = layer.find(x, y);
        if (absent) {
          if (!tile) absent(left, top, width, height);
        } else if (tile) {
          context.drawImage(tile.canvas, left, top, width, height);
        }
      }
    }
  }
}
