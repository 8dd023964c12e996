// The states of a hall's seats. What stands here guarantees:
//
//   - The version only grows: nothing is ever shown older than what was shown, unless what was shown is forgotten.
//   - A delta counts only where it follows: (previous, version] goes onto any state from previous on, before version. One
//     that came before is dropped, one that leaves a gap changes nothing.
//   - A delta or snapshot counts whole or not at all.

/** @typedef {import('./hall.js').Hall} Hall */
/** @typedef {{available: number, held: number, sold: number, blocked: number}} Counts */

export const available = 65, held = 72, sold = 83, blocked = 66; // A, H, S, B
const order = [available, held, sold, blocked];
const place = new Int8Array(256).fill(-1);
order.forEach((letter, i) => { place[letter] = i; });

/** The word for a letter, as the keys of texts have it; '' before the first snapshot. @param {number} letter */
const stateName = (letter) => ['available', 'held', 'sold', 'blocked'][place[letter]] ?? '';

/**
 * Dispatches 'change', a CustomEvent whose detail is the list of indexes of the seats that changed, after each delta or
 * snapshot that was taken (the list is empty where only the version moved).
 */
export class Seats extends EventTarget {
  /** @param {Hall} hall */
  constructor(hall) {
    super();
    this.hall = hall;
    /** One letter a seat; 0 while nothing is known. */
    this.letters = new Uint8Array(hall.size);
    /** 0 while nothing is known. */
    this.version = 0;
    this.asOf = '';
    this.total = new Uint32Array(order.length);
    this.bySection = new Uint32Array(hall.sections.length * order.length);
    this.byCategory = new Uint32Array(hall.categories.length * order.length);
  }

  /** @param {number} index */
  isAvailable(index) { return this.letters[index] === available; }

  /** @param {number} index */
  state(index) { return stateName(this.letters[index]); }

  counts() { return counted(this.total, 0); }

  /** @param {number} section index */
  sectionCounts(section) { return counted(this.bySection, section); }

  /** @param {number} category index */
  categoryCounts(category) { return counted(this.byCategory, category); }

  /**
   * Takes the answer of GET availability, or a stream's snapshot, unless it is older than what is known.
   * @param {{version: number, asOf?: string, sections: {seats: string}[]}} snapshot
   * @returns {'applied' | 'repeated' | 'older'}
   */
  load(snapshot) {
    if (!Number.isSafeInteger(snapshot?.version) || !Array.isArray(snapshot.sections)) throw new TypeError('not an availability');
    if (snapshot.version < this.version) return 'older';
    const letters = new Uint8Array(this.hall.size);
    let n = 0;
    for (const { seats } of snapshot.sections) {
      if (n + seats.length > letters.length) throw new RangeError('the availability is of another hall');
      for (let k = 0; k < seats.length; k++) {
        const letter = seats.charCodeAt(k);
        if (letter > 255 || place[letter] < 0) throw new RangeError('the availability has a state that is unknown');
        letters[n++] = letter;
      }
    }
    if (n !== letters.length) throw new RangeError('the availability is of another hall');
    const repeated = snapshot.version === this.version;
    if (repeated) return 'repeated';
    const changed = [];
    for (let i = 0; i < n; i++) if (letters[i] !== this.letters[i]) changed.push(i);
    for (const i of changed) this.set(i, letters[i]);
    this.version = snapshot.version;
    this.asOf = snapshot.asOf ?? this.asOf;
    this.dispatchEvent(new CustomEvent('change', { detail: changed }));
    return 'applied';
  }

  /** Makes the next snapshot count, whatever its version. */
  forget() { this.version = 0; }

  /**
   * Takes a stream's delta.
   * @param {{version: number, previous: number, changes?: Record<string, number[]>}} delta
   * @returns {'applied' | 'repeated' | 'gap'}
   */
  apply(delta) {
    const { version, previous, changes = {} } = delta ?? {};
    if (!Number.isSafeInteger(version) || !Number.isSafeInteger(previous)) return 'gap';
    if (this.version === 0) return 'gap'; // nothing is known that it could follow
    if (version <= this.version) return 'repeated';
    if (previous > this.version || !this.fits(changes)) return 'gap';
    const changed = [];
    for (const [letter, indexes] of Object.entries(changes)) {
      const code = letter.charCodeAt(0);
      for (const i of indexes) {
        if (this.letters[i] === code) continue;
        this.set(i, code);
        changed.push(i);
      }
    }
    this.version = version;
    this.dispatchEvent(new CustomEvent('change', { detail: changed }));
    return 'applied';
  }

  /** Whether all of it can be applied. @param {Record<string, number[]>} changes */
  fits(changes) {
    return Object.entries(changes).every(([letter, indexes]) =>
      letter.length === 1 && place[letter.charCodeAt(0) & 255] >= 0 && letter.charCodeAt(0) < 256 && Array.isArray(indexes) &&
      indexes.every((i) => Number.isInteger(i) && i >= 0 && i < this.hall.size));
  }

  /** @param {number} i @param {number} letter */
  set(i, letter) {
    const before = place[this.letters[i]], now = place[letter], n = order.length;
    if (before >= 0) {
      this.total[before]--;
      this.bySection[this.hall.section[i] * n + before]--;
      this.byCategory[this.hall.category[i] * n + before]--;
    }
    this.total[now]++;
    this.bySection[this.hall.section[i] * n + now]++;
    this.byCategory[this.hall.category[i] * n + now]++;
    this.letters[i] = letter;
  }

  /** The lowest price of a section's available seats, or null. @param {number} section index */
  priceFrom(section) {
    const { first, end } = this.hall.sections[section];
    /** @type {import('./hall.js').Money | null} */
    let least = null;
    for (let i = first; i < end; i++) {
      const price = this.letters[i] === available ? this.hall.categories[this.hall.category[i]].price : null;
      if (price && (!least || price.amount < least.amount)) least = price;
    }
    return least;
  }
}

/** @param {Uint32Array} counts @param {number} i @returns {Counts} */
function counted(counts, i) {
  const at = i * order.length;
  return { available: counts[at], held: counts[at + 1], sold: counts[at + 2], blocked: counts[at + 3] };
}
