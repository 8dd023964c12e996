// The hall drawn at one scale, in square tiles that are kept while the map moves: moving copies tiles, and only what comes
// into view, or changes, is drawn. Seats go into memory pixel by pixel and from there into the tile at once, which takes a
// few milliseconds for 50,000 and never shows half of a change.

import { css } from './colors.js';
import { makeSprites } from './sprites.js';
import { available, blocked, held, sold } from './seats.js';

/** @typedef {import('./hall.js').Hall} Hall @typedef {import('./seats.js').Seats} Seats @typedef {import('./colors.js').Theme} Theme */
/** @typedef {{canvas: HTMLCanvasElement, x: number, y: number, used: number}} Tile x, y: which */

/** Device pixels. Small enough that one is drawn within a frame. */
const tilePixels = 512;
/** Tiles kept in memory, a megabyte each: two screens full of a large laptop's. */
const tilesMax = 96, tilesDropped = 24;
/** Canvases kept for the next layer. */
const pooledMax = 32;
/** From so many changes on a tile is drawn whole. */
const patchesMax = 48;
/** The ground of a section reaches so far beyond its seats' middles, in distances of seats. */
const groundReach = 0.85;

/** Where tiles are put together. */
const whole = new ImageData(tilePixels, tilePixels);

export class Layer {
  /**
   * @param {Seats} seats @param {Theme} theme @param {number} scale device pixels a unit of the plan
   * @param {number} highlighted category, or -1
   * @param {HTMLCanvasElement[]} [pool] canvases to use again: a new one costs as much as drawing it
   */
  constructor(seats, theme, scale, highlighted, pool = []) {
    this.pool = pool;
    this.seats = seats;
    this.hall = seats.hall;
    this.theme = theme;
    this.scale = scale;
    this.highlighted = highlighted;
    this.sprites = makeSprites(this.hall.pitch * scale, theme, highlighted);
    /** @type {Map<string, Tile>} */
    this.tiles = new Map();
    this.clock = 0;
  }

  /** The range of tiles that a box in the layer's pixels touches. @param {number} left @param {number} top @param {number} right @param {number} bottom */
  range(left, top, right, bottom) {
    const { bounds } = this.hall, reach = this.hall.pitch * this.scale * 1.5;
    const width = (bounds.right - bounds.left) * this.scale + reach, height = (bounds.bottom - bounds.top) * this.scale + reach;
    const tile = (/** @type {number} */ v) => Math.floor(v / tilePixels);
    return {
      x0: tile(Math.max(-reach, left)), y0: tile(Math.max(-reach, top)), x1: tile(Math.min(width, right - 1)), y1: tile(Math.min(height, bottom - 1)),
    };
  }

  /** @param {number} x @param {number} y */
  find(x, y) {
    const tile = this.tiles.get(`${x},${y}`);
    if (tile) tile.used = ++this.clock;
    return tile;
  }

  /** Draws a tile that is not there yet. @param {number} x @param {number} y */
  make(x, y) {
    if (this.tiles.size >= tilesMax) this.drop();
    let canvas = this.pool.pop();
    if (!canvas) {
      canvas = document.createElement('canvas');
      canvas.width = canvas.height = tilePixels;
    }
    const tile = { canvas, x, y, used: ++this.clock };
    this.tiles.set(`${x},${y}`, tile);
    this.paint(tile, 0, 0, tilePixels, tilePixels);
    return tile;
  }

  /** Forgets those that were not used for longest. */
  drop() {
    const old = [...this.tiles.entries()].sort((a, b) => a[1].used - b[1].used).slice(0, tilesDropped);
    for (const [key, tile] of old) {
      this.release(tile);
      this.tiles.delete(key);
    }
  }

  destroy() {
    for (const tile of this.tiles.values()) this.release(tile);
    this.tiles.clear();
  }

  /** @param {Tile} tile */
  release({ canvas }) {
    if (this.pool.length < pooledMax) this.pool.push(canvas);
    else free(canvas);
  }

  /** Draws seats anew wherever they stand on a tile. @param {ArrayLike<number>} changed indexes */
  redraw(changed) {
    const { bounds, x, y } = this.hall, { size } = this.sprites;
    /** @type {Map<Tile, number[]>} */
    const byTile = new Map();
    for (let k = 0; k < changed.length; k++) {
      const i = changed[k];
      const left = corner((x[i] - bounds.left) * this.scale, size), top = corner((y[i] - bounds.top) * this.scale, size);
      for (let ty = Math.floor(top / tilePixels); ty * tilePixels < top + size; ty++) {
        for (let tx = Math.floor(left / tilePixels); tx * tilePixels < left + size; tx++) {
          const tile = this.tiles.get(`${tx},${ty}`);
          if (!tile) continue;
          const list = byTile.get(tile);
          if (list) list.push(left, top);
          else byTile.set(tile, [left, top]);
        }
      }
    }
    for (const [tile, corners] of byTile) {
      if (corners.length > 2 * patchesMax) {
        this.paint(tile, 0, 0, tilePixels, tilePixels);
        continue;
      }
      for (let k = 0; k < corners.length; k += 2) {
        const left = Math.max(0, corners[k] - tile.x * tilePixels), top = Math.max(0, corners[k + 1] - tile.y * tilePixels);
        const right = Math.min(tilePixels, corners[k] - tile.x * tilePixels + size), bottom = Math.min(tilePixels, corners[k + 1] - tile.y * tilePixels + size);
        this.paint(tile, left, top, right - left, bottom - top);
      }
    }
  }

  /** Draws a box of a tile: all seats that reach into it, and under them the sections' ground. @param {Tile} tile @param {number} left @param {number} top @param {number} width @param {number} height */
  paint(tile, left, top, width, height) {
    const context = /** @type {CanvasRenderingContext2D} */ (tile.canvas.getContext('2d'));
    const originX = tile.x * tilePixels + left, originY = tile.y * tilePixels + top;
    const image = width === tilePixels && height === tilePixels ? whole : new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    if (image === whole) pixels.fill(0);
    this.blit(pixels, originX, originY, width, height);
    context.putImageData(image, left, top); // in place of what was there
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.globalCompositeOperation = 'destination-over';
    this.paintGround(context, left - originX, top - originY, originX, originY, width, height);
    context.restore();
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {number} dx @param {number} dy
   * @param {number} x @param {number} y @param {number} width @param {number} height the box in the layer's pixels
   */
  paintGround(context, dx, dy, x, y, width, height) {
    const { bounds, pitch, sections } = this.hall, { scale } = this, reach = pitch * groundReach * scale;
    context.setTransform(scale, 0, 0, scale, dx, dy);
    context.lineJoin = context.lineCap = 'round';
    context.lineWidth = 2 * pitch * groundReach;
    // Opaque: the line lies over the inside by half of its width, which must not show.
    context.fillStyle = context.strokeStyle = css(this.theme.floor);
    for (const section of sections) {
      const b = section.bounds;
      if ((b.right - bounds.left) * scale + reach < x || (b.left - bounds.left) * scale - reach > x + width) continue;
      if ((b.bottom - bounds.top) * scale + reach < y || (b.top - bounds.top) * scale - reach > y + height) continue;
      const path = groundOf(section, bounds.left, bounds.top);
      context.fill(path);
      context.stroke(path);
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  /** @param {Uint32Array} pixels @param {number} left @param {number} top @param {number} width @param {number} height */
  blit(pixels, left, top, width, height) {
    const { hall, scale, sprites } = this, { bounds, x, y, category } = hall, { letters } = this.seats, { size } = sprites;
    const reach = size / scale;
    /** @type {(i: number) => void} */
    const put = (i) => {
      const x0 = corner((x[i] - bounds.left) * scale, size) - left, y0 = corner((y[i] - bounds.top) * scale, size) - top;
      if (x0 <= -size || y0 <= -size || x0 >= width || y0 >= height) return;
      const letter = letters[i];
      const from = letter === available ? sprites.available[category[i]] : letter === held ? sprites.held
        : letter === sold ? sprites.sold : letter === blocked ? sprites.blocked : sprites.unknown;
      for (let v = Math.max(0, -y0), last = Math.min(size, height - y0); v < last; v++) {
        for (let u = Math.max(0, -x0), end = Math.min(size, width - x0); u < end; u++) {
          const p = from[v * size + u], at = (y0 + v) * width + x0 + u;
          // Where seats share a pixel the more visible one has it.
          if (p >>> 24 > pixels[at] >>> 24) pixels[at] = p;
        }
      }
    };
    hall.grid().within(
      bounds.left + left / scale - reach, bounds.top + top / scale - reach,
      bounds.left + (left + width) / scale + reach, bounds.top + (top + height) / scale + reach, put,
    );
  }
}

export { tilePixels };

/** Where a seat's picture begins: whole pixels keep it sharp. @param {number} middle @param {number} size */
const corner = (middle, size) => Math.round(middle - size / 2);

/** Frees the pixels at once; some browsers wait long with that. @param {HTMLCanvasElement} canvas */
export function free(canvas) {
  canvas.width = canvas.height = 0;
}

/** @type {WeakMap<object, Path2D>} */
const paths = new WeakMap();

/** @param {import('./hall.js').Section} section @param {number} left @param {number} top */
function groundOf(section, left, top) {
  let path = paths.get(section);
  if (path) return path;
  path = new Path2D();
  const { outline } = section;
  for (let k = 0; k < outline.length; k += 2) path.lineTo(outline[k] - left, outline[k + 1] - top);
  path.closePath();
  paths.set(section, path);
  return path;
}
