// The outline of a section from its seats: along the first row, the ends of the rows, along the last row and back; so that a
// curved section looks curved. Where rows do not stand in sequence that makes a knot, and the convex hull serves.

/** Below this part of its hull's area an outline is a knot; a quarter of an oval has about half. */
const areaLeast = 0.35;

/**
 * Corner points of the convex hull as x, y, x, y, … (Andrew's monotone chain).
 * @param {Float32Array} x @param {Float32Array} y @param {number} first @param {number} end
 */
export function convexHull(x, y, first, end) {
  const order = [];
  for (let i = first; i < end; i++) order.push(i);
  order.sort((a, b) => x[a] - x[b] || y[a] - y[b]);
  const turnsRight = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ c) =>
    (x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]) <= 0;
  const half = (/** @type {number[]} */ seats) => {
    /** @type {number[]} */
    const chain = [];
    for (const i of seats) {
      while (chain.length > 1 && turnsRight(chain[chain.length - 2], chain[chain.length - 1], i)) chain.pop();
      chain.push(i);
    }
    return chain.slice(0, Math.max(1, chain.length - 1));
  };
  return points(x, y, [...half(order), ...half(order.reverse())]);
}

/**
 * The outline along rows, or the hull.
 * @param {Float32Array} x @param {Float32Array} y @param {{first: number, end: number}[]} rows @param {Float64Array} hull
 */
export function ring(x, y, rows, hull) {
  const filled = rows.filter(({ first, end }) => end > first);
  if (filled.length < 2) return hull;
  // Rows may be counted from either end: all are taken in the direction of the longest.
  const longest = filled.reduce((a, b) => (b.end - b.first > a.end - a.first ? b : a));
  const ahead = (/** @type {{first: number, end: number}} */ row) =>
    (x[row.end - 1] - x[row.first]) * (x[longest.end - 1] - x[longest.first]) +
    (y[row.end - 1] - y[row.first]) * (y[longest.end - 1] - y[longest.first]) >= 0;
  const seats = (/** @type {{first: number, end: number}} */ row) => {
    const all = [];
    for (let i = row.first; i < row.end; i++) all.push(i);
    return ahead(row) ? all : all.reverse();
  };
  const last = seats(filled[filled.length - 1]).reverse();
  const middle = filled.slice(1, -1).map(seats);
  const outline = points(x, y, [
    ...seats(filled[0]), ...middle.map((row) => row[row.length - 1]), ...last, ...middle.reverse().map((row) => row[0]),
  ]);
  return area(outline) >= areaLeast * area(hull) ? outline : hull;
}

/** @param {Float32Array} x @param {Float32Array} y @param {number[]} seats */
function points(x, y, seats) {
  const list = new Float64Array(seats.length * 2);
  seats.forEach((i, k) => {
    list[2 * k] = x[i];
    list[2 * k + 1] = y[i];
  });
  return list;
}

/** The area within, which a knot takes from itself. @param {Float64Array} list */
function area(list) {
  let twice = 0;
  for (let k = 0, n = list.length; k < n; k += 2) {
    const next = (k + 2) % n;
    twice += list[k] * list[next + 1] - list[next] * list[k + 1];
  }
  return Math.abs(twice) / 2;
}

/** Whether a point lies within an outline. @param {Float64Array} list @param {number} x @param {number} y */
export function contains(list, x, y) {
  let inside = false;
  for (let k = 0, j = list.length - 2; k < list.length; j = k, k += 2) {
    const ay = list[k + 1], by = list[j + 1];
    if (ay > y !== by > y && x < ((list[j] - list[k]) * (y - ay)) / (by - ay) + list[k]) inside = !inside;
  }
  return inside;
}
