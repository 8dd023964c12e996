// Pictures of seats, a few pixels each, computed and not drawn: a page cannot trust that it may read a canvas.
//
// States differ by shape, and not by colour alone: available is a filled disc, held a ring, sold a small cross, blocked a
// small bar. Where a seat has less than dotPixels, available is a dot, held a faint one, and what is gone is left out.

import { mix } from './colors.js';

/** @typedef {import('./colors.js').Theme} Theme @typedef {import('./colors.js').Color} Color */
/** @typedef {{size: number, available: Uint32Array[], held: Uint32Array, sold: Uint32Array, blocked: Uint32Array, unknown: Uint32Array}} Sprites */

/** Part of the distance between seats that a seat takes. */
const seatPart = 0.8;
/** In device pixels: below it a shape is a smear. */
const dotPixels = 5;
/** What is left of the colours of categories that are not looked for. */
const dimPart = 0.78;

/**
 * @param {number} pitch distance of seats in device pixels @param {Theme} theme
 * @param {number} highlighted the category to tell from the others, or -1 @returns {Sprites}
 */
export function makeSprites(pitch, theme, highlighted) {
  const size = Math.max(1, Math.round(pitch * seatPart));
  const categories = theme.categories.map((c, i) => (highlighted < 0 || highlighted === i ? c : mix(c, theme.floor, dimPart)));
  if (size < dotPixels) {
    const dot = (/** @type {Color} */ c, alpha = 1) => new Uint32Array(size * size).fill(pixel(c, alpha));
    const nothing = new Uint32Array(size * size);
    return { size, available: categories.map((c) => dot(c)), held: dot(theme.held, 0.4), sold: nothing, blocked: nothing, unknown: dot(theme.muted, 0.3) };
  }
  const radius = size / 2, line = Math.max(1, size * 0.11);
  return {
    size,
    available: categories.map((c) => draw(size, (x, y) => [c, clamp(radius - Math.hypot(x, y) + 0.5)])),
    held: draw(size, (x, y) => [theme.held, clamp(line * 0.8 - Math.abs(Math.hypot(x, y) - radius * 0.8) + 0.5)]),
    sold: draw(size, (x, y) => {
      const along = Math.max(Math.abs(x), Math.abs(y)) - radius * 0.5, across = Math.abs(Math.abs(x) - Math.abs(y)) * Math.SQRT1_2;
      return [theme.sold, clamp(line * 0.6 - across + 0.5) * clamp(0.5 - along) * 0.85];
    }),
    blocked: draw(size, (x, y) => [theme.blocked, clamp(line * 0.7 - Math.abs(y) + 0.5) * clamp(radius * 0.55 - Math.abs(x) + 0.5) * 0.85]),
    unknown: draw(size, (x, y) => [theme.muted, clamp(radius * 0.5 - Math.hypot(x, y) + 0.5) * 0.35]),
  };
}

/** @param {number} v */
const clamp = (v) => Math.min(1, Math.max(0, v));

/** As ImageData has it on every machine that runs a browser: little-endian RGBA. @param {Color} c @param {number} alpha */
const pixel = ([r, g, b], alpha) => ((Math.round(alpha * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** @param {number} size @param {(x: number, y: number) => [Color, number]} at colour and cover, from the middle */
function draw(size, at) {
  const pixels = new Uint32Array(size * size), middle = (size - 1) / 2;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [color, cover] = at(x - middle, y - middle);
      if (cover > 0) pixels[y * size + x] = pixel(color, cover);
    }
  }
  return pixels;
}
