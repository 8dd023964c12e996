// The elements that a map consists of.

import { element } from './element.js';
import { t } from './texts.js';

/** How much wider than high the map is, at least and at most: as the hall is, in between. */
const aspectMin = 0.9, aspectMax = 1.7;

/** Maps made, for ids of elements. */
let made = 0;

/**
 * @param {HTMLElement} container @param {import('./hall.js').Hall} hall @param {HTMLElement} legend
 * @param {[sign: string, text: string, run: () => void][]} buttons @param {AbortSignal} signal
 */
export function buildStage(container, { bounds: { left, top, right, bottom }, pitch }, legend, buttons, signal) {
  const hint = element('p', { class: 'seatmap-hidden', id: `seatmap-hint-${++made}` }, t('map.hint'));
  const canvas = element('canvas', {
    class: 'seatmap-canvas', tabindex: '0', role: 'application', 'aria-label': t('map.label'), 'aria-describedby': hint.id,
  });
  const live = element('p', { class: 'seatmap-hidden', 'aria-live': 'polite', 'aria-atomic': 'true' });
  const stage = element('div', { class: 'seatmap-stage' }, canvas);
  const where = element('p', { class: 'seatmap-where', dir: 'auto' });
  // Below the seats and not over them, for at the whole view there is no free corner for sure.
  const bar = element('div', { class: 'seatmap-bar' }, where, ...buttons.map(([sign, text, run]) => {
    const button = element('button', { type: 'button', class: 'seatmap-button', 'aria-label': t(text), title: t(text) }, sign);
    button.addEventListener('click', run, { signal });
    return button;
  }));
  const aspect = (right - left + pitch) / (bottom - top + pitch);
  stage.style.aspectRatio = String(Math.min(aspectMax, Math.max(aspectMin, aspect)));
  container.replaceChildren(element('div', { class: 'seatmap' }, hint, element('div', { class: 'seatmap-frame' }, stage, bar), legend, live));
  return { canvas, live, stage, where };
}
