// Mouse, touch and pen on the canvas, as moves of the view and taps. One pointer drags, two pinch around the point between
// them, the wheel zooms at its place.

/** @typedef {{pan(dx: number, dy: number): void, zoom(x: number, y: number, factor: number): boolean, tap(x: number, y: number, touch: boolean, twice: boolean): void, hover(x: number, y: number): void, leave(): void}} Target */

/** A finger trembles by so many CSS pixels without meaning to drag; a mouse by fewer. */
const slopTouch = 9, slopMouse = 4;
/** Two taps within this time and distance are a double one. */
const twiceMillis = 320, twicePixels = 28;
/** One notch of a wheel is 100 pixels or 3 lines; zoomed by a quarter. */
const wheelPixels = 450, linePixels = 33, wheelMost = 240;

/** @param {HTMLElement} element @param {Target} target all in CSS pixels of the element @param {AbortSignal} signal ends it */
export function listen(element, target, signal) {
  /** @type {Map<number, {x: number, y: number, startX: number, startY: number}>} */
  const down = new Map();
  let dragged = false; // since the first pointer went down
  let last = { at: -Infinity, x: 0, y: 0 };
  const at = (/** @type {MouseEvent} */ e) => {
    const box = element.getBoundingClientRect();
    return { x: e.clientX - box.left - element.clientLeft, y: e.clientY - box.top - element.clientTop };
  };
  /** @type {(type: string, run: (e: any) => void, passive?: boolean) => void} */
  const on = (type, run, passive = true) => element.addEventListener(type, run, { signal, passive });

  on('pointerdown', (/** @type {PointerEvent} */ e) => {
    if (e.pointerType === 'mouse' && e.button !== 0) return;
    const { x, y } = at(e);
    if (down.size === 0) dragged = false;
    if (down.size === 2) return;
    down.set(e.pointerId, { x, y, startX: x, startY: y });
    if (down.size === 2) dragged = true;
    try {
      element.setPointerCapture(e.pointerId);
    } catch {
      // it is gone already
    }
  });

  on('pointermove', (/** @type {PointerEvent} */ e) => {
    const { x, y } = at(e), pointer = down.get(e.pointerId);
    if (!pointer) {
      if (e.pointerType !== 'touch') target.hover(x, y);
      return;
    }
    const slop = e.pointerType === 'mouse' ? slopMouse : slopTouch;
    if (!dragged && Math.hypot(x - pointer.startX, y - pointer.startY) <= slop) return;
    const others = [...down.values()].filter((p) => p !== pointer);
    if (others.length === 1) {
      pinch(pointer, others[0], x, y);
    } else {
      target.pan(x - pointer.x, y - pointer.y);
    }
    dragged = true;
    pointer.x = x;
    pointer.y = y;
  });

  /** @type {(moved: {x: number, y: number}, other: {x: number, y: number}, x: number, y: number) => void} */
  const pinch = (moved, other, x, y) => {
    const before = Math.hypot(moved.x - other.x, moved.y - other.y), now = Math.hypot(x - other.x, y - other.y);
    target.pan((x - moved.x) / 2, (y - moved.y) / 2);
    if (before > 1 && now > 1) target.zoom((x + other.x) / 2, (y + other.y) / 2, now / before);
  };

  on('pointerup', (/** @type {PointerEvent} */ e) => {
    if (!down.delete(e.pointerId) || dragged || down.size > 0) return;
    const { x, y } = at(e);
    const twice = e.timeStamp - last.at < twiceMillis && Math.hypot(x - last.x, y - last.y) < twicePixels;
    last = twice ? { at: -Infinity, x, y } : { at: e.timeStamp, x, y };
    target.tap(x, y, e.pointerType !== 'mouse', twice);
  });
  on('pointercancel', (/** @type {PointerEvent} */ e) => { down.delete(e.pointerId); });
  on('lostpointercapture', (/** @type {PointerEvent} */ e) => { down.delete(e.pointerId); });
  on('pointerleave', (/** @type {PointerEvent} */ e) => {
    if (e.pointerType !== 'touch' && !down.has(e.pointerId)) target.leave();
  });

  on('wheel', (/** @type {WheelEvent} */ e) => {
    const unit = e.deltaMode === WheelEvent.DOM_DELTA_LINE ? linePixels : e.deltaMode === WheelEvent.DOM_DELTA_PAGE ? 400 : 1;
    const delta = Math.max(-wheelMost, Math.min(wheelMost, e.deltaY * unit * (e.ctrlKey ? 4 : 1)));
    const { x, y } = at(e);
    // Where there is nothing more to zoom the page scrolls on; but Control and wheel never zoom the page over the map.
    if ((delta !== 0 && target.zoom(x, y, Math.exp(-delta / wheelPixels))) || e.ctrlKey) e.preventDefault();
  }, false);
  // The long press of a finger is no wish for a menu.
  on('contextmenu', (e) => { if (down.size > 0) e.preventDefault(); }, false);
}
