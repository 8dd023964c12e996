// The keyboard on the map.

/** @typedef {import('./hall.js').Hall} Hall */

/** @type {Record<string, [number, number]>} */
const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Where a key leads from a seat: another seat, the same where there is none; -1 for a key that leads nowhere.
 * @param {Hall} hall @param {number} from @param {string} key
 */
export function seatByKey(hall, from, key) {
  const arrow = arrows[key];
  if (arrow) {
    const next = hall.grid().next(from, ...arrow);
    return next < 0 ? from : next;
  }
  const section = hall.section[from], row = hall.sections[section].rows[hall.row[from]];
  switch (key) {
    case 'Home': return row.first;
    case 'End': return row.end - 1;
    case 'PageUp': return hall.sections[Math.max(0, section - 1)].first;
    case 'PageDown': return hall.sections[Math.min(hall.sections.length - 1, section + 1)].first;
  }
  return -1;
}
