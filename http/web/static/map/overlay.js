// What is drawn over the seats in each frame: names, the chosen seats, and what is pointed at.

import { contrast, css } from './colors.js';

/** @typedef {import('./hall.js').Hall} Hall @typedef {import('./view.js').View} View @typedef {import('./colors.js').Theme} Theme */

/** In CSS pixels between neighbours: from the first on a section's name stands beside it and not on its seats, for these can
    be picked; from the second on rows have names, too. */
const besidePixelsMin = 7, rowPixelsMin = 15;
/** In CSS pixels. */
const sectionFont = 12, rowFont = 11;
/** A chosen seat is no smaller than this radius, in CSS pixels, so that it is found in a whole stadium; where very many are
    chosen, as for blocking, it is. */
const chosenRadiusMin = 6, chosenMany = 60, tickRadiusMin = 4;

/** A name's last word stands for it where it is no longer than this: a number, mostly. */
const shortMax = 4;

/** Widths of texts, measured once. @type {Map<string, number>} */
const widths = new Map();
const widthsMax = 5_000;

/** @param {CanvasRenderingContext2D} context @param {string} text */
function widthOf(context, text) {
  const key = context.font + text;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size >= widthsMax) widths.clear();
    width = context.measureText(text).width;
    widths.set(key, width);
  }
  return width;
}

/**
 * A few chosen seats lie over names, since one looks for them; whole sections of them under.
 * @param {CanvasRenderingContext2D} context @param {Hall} hall @param {View} view @param {Theme} theme
 * @param {{selected: Set<number>, marked: Iterable<number>}} seats
 */
export function drawOver(context, hall, view, theme, { selected, marked }) {
  const many = selected.size > chosenMany;
  if (many) drawSelected(context, hall, view, theme, selected);
  drawNames(context, hall, view, theme);
  if (!many) drawSelected(context, hall, view, theme, selected);
  // A ring in the colour of danger.
  for (const i of marked) ring(context, hall, view, theme.ground, theme.danger, i, false, 3);
}

/** @param {CanvasRenderingContext2D} context @param {Hall} hall @param {View} view @param {Theme} theme */
function drawNames(context, hall, view, theme) {
  const pixels = view.seatPixels();
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  drawSections(context, hall, view, theme, pixels >= besidePixelsMin);
  if (pixels >= rowPixelsMin) drawRows(context, hall, view, theme);
}

/** @param {CanvasRenderingContext2D} context @param {Hall} hall @param {View} view @param {Theme} theme @param {boolean} beside */
function drawSections(context, hall, view, theme, beside) {
  const size = sectionFont * view.ratio;
  context.font = `600 ${size}px system-ui, sans-serif`;
  for (const { name, bounds, middle } of hall.sections) {
    const room = (bounds.right - bounds.left + hall.pitch) * view.scale, tall = (bounds.bottom - bounds.top + hall.pitch) * view.scale;
    const on = view.toScreen(middle[0], middle[1]);
    if (tall < size || on.x < -room || on.y < -tall || on.x > view.width + room || on.y > view.height + tall) continue;
    const text = fitting(context, name, beside ? view.width - 2 * size : room - size * 0.5);
    if (!text) continue;
    const width = widthOf(context, text) + size * 0.7, height = size * 1.5;
    const at = beside ? places(bounds, hall.pitch, view, width, height).find((p) => isFree(hall, view, p, width, height)) : on;
    if (!at) continue;
    context.fillStyle = css(theme.ground, 0.86);
    context.beginPath();
    context.roundRect(at.x - width / 2, at.y - height / 2, width, height, size * 0.35);
    context.fill();
    context.fillStyle = css(theme.text);
    context.fillText(text, at.x, at.y + size * 0.04);
  }
}

/** The whole name, its number, or its beginning; '' where there is room for none. @param {CanvasRenderingContext2D} context @param {string} name @param {number} room */
function fitting(context, name, room) {
  if (widthOf(context, name) <= room) return name;
  const last = name.split(' ').pop() ?? '';
  if (last.length <= shortMax) return widthOf(context, last) <= room ? last : '';
  for (let n = name.length - 1; n >= shortMax; n--) {
    const cut = `${name.slice(0, n).trimEnd()}…`;
    if (widthOf(context, cut) <= room) return cut;
  }
  return '';
}

/**
 * Places beside a section for its name: above, below, left, right.
 * @param {import('./hall.js').Bounds} bounds @param {number} pitch @param {View} view @param {number} width @param {number} height
 */
function places({ left, top, right, bottom }, pitch, view, width, height) {
  const from = view.toScreen(left - pitch, top - pitch), to = view.toScreen(right + pitch, bottom + pitch);
  const x = (from.x + to.x) / 2, y = (from.y + to.y) / 2;
  return [{ x, y: from.y - height / 2 }, { x, y: to.y + height / 2 }, { x: from.x - width / 2, y }, { x: to.x + width / 2, y }];
}

/** Whether no seat is behind a box around a point. @param {Hall} hall @param {View} view @param {{x: number, y: number}} at @param {number} width @param {number} height */
function isFree(hall, view, { x, y }, width, height) {
  const from = view.toPlan(x - width / 2, y - height / 2), to = view.toPlan(x + width / 2, y + height / 2), reach = hall.pitch / 2;
  let free = true;
  hall.grid().within(from.x - reach, from.y - reach, to.x + reach, to.y + reach, (i) => {
    free &&= hall.x[i] < from.x - reach || hall.x[i] > to.x + reach || hall.y[i] < from.y - reach || hall.y[i] > to.y + reach;
  });
  return free;
}

/** @param {CanvasRenderingContext2D} context @param {Hall} hall @param {View} view @param {Theme} theme */
function drawRows(context, hall, view, theme) {
  context.font = `${rowFont * view.ratio}px system-ui, sans-serif`;
  context.fillStyle = css(theme.muted);
  const edge = hall.pitch * view.scale;
  for (const { bounds, rows } of hall.sections) {
    const from = view.toScreen(bounds.left, bounds.top), to = view.toScreen(bounds.right, bounds.bottom);
    if (to.x < -edge || to.y < -edge || from.x > view.width + edge || from.y > view.height + edge) continue;
    for (const { name, first, end } of rows) {
      if (!name || end === first) continue;
      // One place before the first seat, in the row's direction.
      const dx = end - first > 1 ? hall.x[first] - hall.x[first + 1] : -hall.pitch, dy = end - first > 1 ? hall.y[first] - hall.y[first + 1] : 0;
      const k = (hall.pitch * 0.95) / (Math.hypot(dx, dy) || 1);
      const { x, y } = view.toScreen(hall.x[first] + dx * k, hall.y[first] + dy * k);
      if (x > -edge && y > -edge && x < view.width + edge && y < view.height + edge) context.fillText(name, x, y);
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {Hall} hall @param {View} view @param {Theme} theme @param {Set<number>} selected */
function drawSelected(context, hall, view, theme, selected) {
  const least = selected.size > chosenMany ? 1 : chosenRadiusMin;
  const radius = Math.max(hall.pitch * view.scale * 0.5, least * view.ratio);
  if (selected.size > chosenMany && radius < tickRadiusMin * view.ratio) {
    drawSquares(context, hall, view, theme, selected, radius);
    return;
  }
  const tick = contrast(theme.ground, theme.selected) > contrast(theme.text, theme.selected) ? theme.ground : theme.text;
  context.lineCap = context.lineJoin = 'round';
  for (const i of selected) {
    if (!(i >= 0 && i < hall.size)) continue;
    const { x, y } = view.toScreen(hall.x[i], hall.y[i]);
    if (x < -radius || y < -radius || x > view.width + radius || y > view.height + radius) continue;
    context.beginPath();
    context.arc(x, y, radius + 1.5 * view.ratio, 0, 2 * Math.PI);
    context.fillStyle = css(theme.ground);
    context.fill();
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = css(theme.selected);
    context.fill();
    context.beginPath();
    context.moveTo(x - radius * 0.45, y + radius * 0.02);
    context.lineTo(x - radius * 0.12, y + radius * 0.35);
    context.lineTo(x + radius * 0.46, y - radius * 0.34);
    context.strokeStyle = css(tick);
    context.lineWidth = Math.max(radius * 0.2, view.ratio);
    context.stroke();
  }
}

/** Very many seats, too small for a tick: all of them in one go. @param {CanvasRenderingContext2D} context @param {Hall} hall @param {View} view @param {Theme} theme @param {Set<number>} selected @param {number} radius */
function drawSquares(context, hall, view, theme, selected, radius) {
  context.fillStyle = css(theme.selected);
  for (const i of selected) {
    const { x, y } = view.toScreen(hall.x[i], hall.y[i]);
    if (x < -radius || y < -radius || x > view.width + radius || y > view.height + radius) continue;
    context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
  }
}

/** A ring around a seat: a square one is the keyboard's. @param {CanvasRenderingContext2D} context @param {Hall} hall @param {View} view @param {Theme} theme @param {number} index @param {boolean} square */
export function drawRing(context, hall, view, theme, index, square) {
  ring(context, hall, view, theme.ground, square ? theme.accent : theme.text, index, square, square ? 3 : 2);
}

/**
 * @param {CanvasRenderingContext2D} context @param {Hall} hall @param {View} view
 * @param {import('./colors.js').Color} ground under it @param {import('./colors.js').Color} color
 * @param {number} index @param {boolean} square @param {number} line CSS pixels
 */
function ring(context, hall, view, ground, color, index, square, line) {
  const { x, y } = view.toScreen(hall.x[index], hall.y[index]);
  const radius = Math.max(hall.pitch * view.scale * 0.5, 5 * view.ratio) + 2.5 * view.ratio;
  for (const [stroke, width] of /** @type {const} */ ([[ground, line + 2], [color, line]])) {
    context.beginPath();
    if (square) context.roundRect(x - radius, y - radius, 2 * radius, 2 * radius, 3 * view.ratio);
    else context.arc(x, y, radius, 0, 2 * Math.PI);
    context.strokeStyle = css(stroke);
    context.lineWidth = width * view.ratio;
    context.stroke();
  }
}
