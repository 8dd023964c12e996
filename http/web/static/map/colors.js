// Colours of the map, taken from the page's custom properties and the categories, and made visible on the page's ground.

/** @typedef {[number, number, number]} Color red, green, blue, 0 to 255 */
/**
 * @typedef {{ground: Color, text: Color, muted: Color, line: Color, accent: Color, held: Color, sold: Color, blocked: Color, selected: Color,
 *   categories: {fill: Color, edge: Color}[]}} Theme
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
  for (let part = 0; part < 1; part += 0.05) {
    const mixed = mix(c, text, part);
    if (contrast(mixed, ground) >= contrastMin) return mixed;
  }
  return text;
}

/**
 * @param {Element} element whose custom properties count @param {import('./hall.js').Category[]} categories
 * @param {boolean} dark for what is not said @returns {Theme}
 */
export function readTheme(element, categories, dark) {
  const style = getComputedStyle(element);
  const read = (/** @type {string} */ name, /** @type {string} */ light, /** @type {string} */ darkly) => {
    const other = parse(dark ? darkly : light, [128, 128, 128]);
    const value = style.getPropertyValue(name).trim();
    return value ? parse(value, other) : other;
  };
  const ground = read('--surface', '#ffffff', '#1d1d21'), text = read('--text', '#1b1a17', '#f1f0ec');
  return {
    ground, text,
    muted: read('--muted', '#5f5b52', '#a9a69e'),
    line: read('--line', '#dedbd2', '#34343a'),
    accent: read('--accent', '#2b3fd1', '#a3b1ff'),
    held: visible(read('--seat-held', '#b9b3a5', '#6a675f'), ground, text),
    sold: visible(read('--seat-sold', '#cfcbc0', '#45443f'), ground, text),
    blocked: visible(read('--seat-blocked', '#e2dfd6', '#2d2d2c'), ground, text),
    selected: read('--seat-selected', '#1b1a17', '#ffffff'),
    categories: categories.map(({ color }) => {
      const fill = parse(color, [128, 128, 128]);
      return { fill, edge: visible(fill, ground, text) };
    }),
  };
}
