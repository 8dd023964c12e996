// When frames are drawn, and how long they take: one a frame of the screen, and only where one was asked for.

/** Frames that are remembered. */
const framesKept = 600;
/** A frame of the slowest screens, in ms. */
const onceMillis = 34;

export class Pace {
  /** @param {(now: number) => void} draw @param {(millis: number) => void} took told the distance of frames while one follows the other */
  constructor(draw, took) {
    this.draw = draw;
    this.took = took;
    this.requested = 0;
    this.began = this.done = -Infinity;
    /** @type {number[]} */
    this.drawMillis = [];
    /** @type {number[]} */
    this.frameMillis = [];
  }

  ask() {
    if (this.requested !== 0) return;
    // A pause is not a slow frame: only what was asked for within a frame of the last one counts.
    const goesOn = performance.now() - this.done < onceMillis;
    this.requested = requestAnimationFrame((now) => {
      this.requested = 0;
      if (goesOn) {
        note(this.frameMillis, now - this.began);
        this.took(now - this.began);
      }
      this.began = now;
      const begun = performance.now();
      this.draw(now);
      this.done = performance.now();
      note(this.drawMillis, this.done - begun);
    });
  }

  /** And none again. */
  stop() {
    cancelAnimationFrame(this.requested);
    this.requested = -1;
  }

  /** In ms, the last framesKept of each. */
  times() { return { draw: [...this.drawMillis], frame: [...this.frameMillis] }; }
}

/** @param {number[]} times @param {number} millis */
function note(times, millis) {
  times.push(millis);
  if (times.length > framesKept) times.shift();
}
