// Colours of the map, taken from the page's custom properties and the categories, and made visible on the page's ground.

/** @typedef {[number, number, number]} Color red, green, blue, 0 to 255 */
/**
 * @typedef {{ground: Color, floor: Color, text: Color, muted: Color, accent: Color, danger: Color, held: Color, sold: Color, blocked: Color,
 *   selected: Color, categories: Color[]}} Theme floor is what seats stand on
 */

/** WCAG's least contrast for what must be seen but not read. */
const contrastMin = 3;

const probe = /** @type {CanvasRenderingContext2D} */ (document.createElement('canvas').getContext('2d'));

/** Any CSS colour, or the other. @param {string} css @param {Color} other @returns {Color} */
function parse(css, other) {
  probe.fillStyle = '#000001'; // stays where css is none
  probe.fillStyle = css;
  const written = String(probe.fillStyle);
  if (written === '#000001') return other;
  const hex = /^#(..)(..)(..)$/.exec(written);
  if (hex) return [parseInt(hex[1], 16), parseInt(hex[2], 16), parseInt(hex[3], 16)];
  const parts = /^rgba?\((\d+), (\d+), (\d+)/.exec(written);
  return parts ? [+parts[1], +parts[2], +parts[3]] : other;
}

/** @param {Color} c */
export const css = ([r, g, b], alpha = 1) => `rgb(${r} ${g} ${b} / ${alpha})`;

/** @param {Color} a @param {Color} b @param {number} part of b @returns {Color} */
export const mix = (a, b, part) => [0, 1, 2].map((i) => Math.round(a[i] + (b[i] - a[i]) * part));

/** @param {Color} c */
function luminance(c) {
  const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {Color} a @param {Color} b */
export function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/** A colour, or as little as possible towards the text's until it shows on the ground. @param {Color} c @param {Color} ground @param {Color} text */
export function visible(c, ground, text) {
  for (let part = 0; part < 1; part += 0.02) {
    const mixed = mix(c, text, part);
    if (contrast(mixed, ground) >= contrastMin) return mixed;
  }
  return text;
}

/** What base.css says, for where it does not: [light, dark]. @type {Record<string, [string, string]>} */
const tokens = {
  '--surface': ['#ffffff', '#1d1d21'], '--seat-floor': ['#f1efea', '#232328'], '--text': ['#1b1a17', '#f1f0ec'], '--muted': ['#5f5b52', '#a9a69e'],
  '--accent': ['#2b3fd1', '#a3b1ff'], '--danger': ['#b3261e', '#ff9a8f'], '--seat-held': ['#b9b3a5', '#6a675f'],
  '--seat-sold': ['#cfcbc0', '#45443f'], '--seat-blocked': ['#e2dfd6', '#2d2d2c'], '--seat-selected': ['#1b1a17', '#ffffff'],
};

/** @type {Color} a category whose colour is none */
const gray = [128, 128, 128];

/** @param {Element} element whose custom properties count @param {import('./hall.js').Category[]} categories @returns {Theme} */
export function readTheme(element, categories) {
  const style = getComputedStyle(element), dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const read = (/** @type {string} */ name) => parse(style.getPropertyValue(name).trim(), parse(tokens[name][dark ? 1 : 0], gray));
  const ground = read('--surface'), floor = read('--seat-floor'), text = read('--text');
  return {
    ground, floor, text,
    muted: read('--muted'),
    accent: read('--accent'),
    danger: read('--danger'),
    held: visible(read('--seat-held'), floor, text),
    sold: visible(read('--seat-sold'), floor, text),
    blocked: visible(read('--seat-blocked'), floor, text),
    selected: read('--seat-selected'),
    categories: categories.map(({ color }) => visible(parse(color, gray), floor, text)),
  };
}

/** Gives an element the colour that a category's seats have on the map, in both themes. @param {HTMLElement} mark @param {string} color */
export function paintCategory(mark, color) {
  const [light, dark] = [0, 1].map((i) => css(visible(parse(color, gray), parse(tokens['--seat-floor'][i], gray), parse(tokens['--text'][i], gray))));
  mark.style.backgroundColor = light;
  mark.style.backgroundColor = `light-dark(${light}, ${dark})`; // refused where it is not known
}
