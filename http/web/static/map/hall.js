// A hall as flat arrays by seat index, so that 50,000 seats cost a megabyte and no object each; a grid that finds seats by
// place; and the outlines of sections.

import { contains, convexHull, ring } from './outline.js';

/**
 * @typedef {{currency: string, amount: number}} Money in minor units
 * @typedef {{name: string, color: string, price: Money | null}} Category
 * @typedef {{left: number, top: number, right: number, bottom: number}} Bounds
 * @typedef {{name: string, first: number, end: number}} Row its seats are first to end-1
 * @typedef {{name: string, first: number, end: number, rows: Row[], bounds: Bounds, outline: Float64Array, middle: [number, number]}} Section
 */

const colorDefault = '#808080';

/** A grid's cell is as wide as so many seats: few enough to look through, enough to keep cells few. */
const cellSeats = 4;
/** However a plan is drawn, its grid stays small. */
const cellsMax = 1 << 20;

export class Hall {
  /** @param {number} size seats */
  constructor(size) {
    /** The event it belongs to. */
    this.eventId = '';
    /** How many seats. */
    this.size = size;
    /** Places in the plan's units. */
    this.x = new Float32Array(size);
    this.y = new Float32Array(size);
    /** Index of the section, of the row within its section, and of the category. */
    this.section = new Uint16Array(size);
    this.row = new Uint32Array(size);
    this.category = new Uint16Array(size);
    /** @type {string[]} seat ids */
    this.ids = new Array(size);
    /** @type {string[]} numbers as they stand on the seats */
    this.numbers = new Array(size);
    /** @type {Section[]} */
    this.sections = [];
    /** @type {Category[]} */
    this.categories = [];
    /** @type {Bounds} of all seats' middles */
    this.bounds = { left: 0, top: 0, right: 0, bottom: 0 };
    /** The usual distance of neighbours. */
    this.pitch = 1;
    /** @type {Map<string, number> | null} */
    this.byId = null;
    /** @type {Grid | null} */
    this.places = null;
  }

  /** The index of a seat, or -1. @param {string} seatId */
  indexOf(seatId) {
    if (!this.byId) {
      this.byId = new Map();
      for (let i = 0; i < this.size; i++) this.byId.set(this.ids[i], i);
    }
    return this.byId.get(seatId) ?? -1;
  }

  /** The grid, made when it is first needed. */
  grid() {
    this.places ??= new Grid(this);
    return this.places;
  }

  /** The section at a place of the plan, or -1. @param {number} x @param {number} y */
  sectionAt(x, y) {
    const near = this.grid().nearest(x, y, this.pitch * 2);
    if (near >= 0) return this.section[near];
    return this.sections.findIndex(({ outline, bounds: b }) =>
      x >= b.left && x <= b.right && y >= b.top && y <= b.bottom && contains(outline, x, y));
  }

  /** What a seat's ticket says. @param {number} index */
  describe(index) {
    const section = this.sections[this.section[index]];
    return {
      section: section.name,
      row: section.rows[this.row[index]].name,
      number: this.numbers[index],
      category: this.categories[this.category[index]],
    };
  }
}

/**
 * The hall of GET seatmap and its event.
 * @param {{eventId: string, sections: {name: string, rows: {name: string, seats: {seatId: string, number: string, category: string, x: number, y: number}[]}[]}[]}} map
 * @param {{categories: Category[]}} event
 */
export function parseHall(map, event) {
  let size = 0;
  for (const section of map.sections) for (const row of section.rows) size += row.seats.length;
  const hall = new Hall(size);
  hall.eventId = map.eventId;
  hall.categories = (event?.categories ?? []).map(({ name, color, price }) => ({ name, color: color || colorDefault, price: price ?? null }));
  const categories = new Map(hall.categories.map(({ name }, i) => [name, i]));
  let i = 0;
  map.sections.forEach((section, s) => {
    const first = i;
    const rows = section.rows.map((row, r) => {
      const from = i;
      for (const seat of row.seats) {
        let category = categories.get(seat.category);
        if (category === undefined) { // unheard of, but its seats are there
          category = hall.categories.push({ name: seat.category, color: colorDefault, price: null }) - 1;
          categories.set(seat.category, category);
        }
        hall.x[i] = seat.x;
        hall.y[i] = seat.y;
        hall.section[i] = s;
        hall.row[i] = r;
        hall.category[i] = category;
        hall.ids[i] = seat.seatId;
        hall.numbers[i] = seat.number;
        i++;
      }
      return { name: row.name, first: from, end: i };
    });
    hall.sections.push({ name: section.name, first, end: i, rows, ...shape(hall, rows, first, i) });
  });
  hall.bounds = bounds(hall, 0, size);
  hall.pitch = pitch(hall);
  return hall;
}

/** @param {Hall} hall @param {number} first @param {number} end @returns {Bounds} */
function bounds(hall, first, end) {
  if (first === end) return { left: 0, top: 0, right: 0, bottom: 0 };
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (let i = first; i < end; i++) {
    left = Math.min(left, hall.x[i]);
    right = Math.max(right, hall.x[i]);
    top = Math.min(top, hall.y[i]);
    bottom = Math.max(bottom, hall.y[i]);
  }
  return { left, top, right, bottom };
}

/** @param {Hall} hall @param {Row[]} rows @param {number} first @param {number} end */
function shape(hall, rows, first, end) {
  const hull = convexHull(hall.x, hall.y, first, end);
  const outline = ring(hall.x, hall.y, rows, hull);
  let x = 0, y = 0;
  for (let i = first; i < end; i++) {
    x += hall.x[i];
    y += hall.y[i];
  }
  const n = Math.max(1, end - first);
  return { bounds: bounds(hall, first, end), outline, middle: /** @type {[number, number]} */ ([x / n, y / n]) };
}

/** The usual distance of neighbours in a row: the lower quartile, for aisles are wider. @param {Hall} hall */
function pitch(hall) {
  const distances = [];
  for (const section of hall.sections) {
    for (const row of section.rows) {
      for (let i = row.first + 1; i < row.end; i++) {
        const d = Math.hypot(hall.x[i] - hall.x[i - 1], hall.y[i] - hall.y[i - 1]);
        if (d > 0) distances.push(d);
      }
    }
  }
  if (distances.length > 0) return distances.sort((a, b) => a - b)[distances.length >> 2];
  const { left, top, right, bottom } = hall.bounds; // seats that all stand alone
  return Math.max(right - left, bottom - top) / Math.max(1, Math.sqrt(hall.size)) || 1;
}

/** Seats by place: cells in rows, and the seats of a cell behind each other in one array. */
export class Grid {
  /** @param {Hall} hall */
  constructor(hall) {
    const { left, top, right, bottom } = hall.bounds;
    this.hall = hall;
    this.left = left;
    this.top = top;
    const width = right - left, height = bottom - top;
    this.cell = Math.max(hall.pitch * cellSeats, Math.sqrt((width * height) / cellsMax), Math.max(width, height) / (cellsMax / 4));
    this.columns = Math.floor(width / this.cell) + 1;
    this.rows = Math.floor(height / this.cell) + 1;
    this.start = new Uint32Array(this.columns * this.rows + 1);
    this.seats = new Uint32Array(hall.size);
    for (let i = 0; i < hall.size; i++) this.start[this.cellOf(i) + 1]++;
    for (let c = 0; c < this.columns * this.rows; c++) this.start[c + 1] += this.start[c];
    const next = this.start.slice(0, -1);
    for (let i = 0; i < hall.size; i++) this.seats[next[this.cellOf(i)]++] = i;
  }

  /** @param {number} i */
  cellOf(i) {
    return Math.floor((this.hall.y[i] - this.top) / this.cell) * this.columns + Math.floor((this.hall.x[i] - this.left) / this.cell);
  }

  /**
   * Calls each with every seat of the cells that a box touches, some of them outside of it.
   * @param {number} left @param {number} top @param {number} right @param {number} bottom @param {(index: number) => void} each
   */
  within(left, top, right, bottom, each) {
    const c0 = Math.max(0, Math.floor((left - this.left) / this.cell)), c1 = Math.min(this.columns - 1, Math.floor((right - this.left) / this.cell));
    const r0 = Math.max(0, Math.floor((top - this.top) / this.cell)), r1 = Math.min(this.rows - 1, Math.floor((bottom - this.top) / this.cell));
    for (let r = r0; r <= r1; r++) {
      const end = c1 < c0 ? 0 : this.start[r * this.columns + c1 + 1];
      for (let k = c1 < c0 ? 0 : this.start[r * this.columns + c0]; k < end; k++) each(this.seats[k]);
    }
  }

  /** The seat whose middle is nearest, within a distance, or -1. @param {number} x @param {number} y @param {number} reach */
  nearest(x, y, reach) {
    let best = -1, least = reach * reach;
    this.within(x - reach, y - reach, x + reach, y + reach, (i) => {
      const dx = this.hall.x[i] - x, dy = this.hall.y[i] - y, d = dx * dx + dy * dy;
      if (d <= least) {
        least = d;
        best = i;
      }
    });
    return best;
  }

  /**
   * The next seat from one in a direction, or -1 where there is none. What lies straight ahead comes before what is nearer
   * but aside, and nothing counts that is more aside than ahead.
   * @param {number} from @param {number} dx -1, 0 or 1 @param {number} dy
   */
  next(from, dx, dy) {
    const { x, y, bounds: all, pitch: unit } = this.hall;
    const furthest = Math.max(all.right - all.left, all.bottom - all.top) * 2 + unit;
    for (let reach = unit * 3; ; reach *= 3) {
      let best = -1, least = Infinity;
      this.within(x[from] - reach, y[from] - reach, x[from] + reach, y[from] + reach, (i) => {
        const ahead = (x[i] - x[from]) * dx + (y[i] - y[from]) * dy;
        const aside = Math.abs((x[i] - x[from]) * dy + (y[i] - y[from]) * dx);
        const cost = ahead + 2 * aside;
        // What costs more than the reach might be beaten by a seat beyond it.
        if (ahead > unit / 10 && aside <= ahead && cost < least && cost <= reach) {
          least = cost;
          best = i;
        }
      });
      if (best >= 0 || reach > 3 * furthest) return best;
    }
  }
}
