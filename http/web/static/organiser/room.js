// The waiting room: who waits, who buys, how fast the line moves, and the settings of all that.

import { number, t } from '../i18n.js';
import { h, setText } from '../js/dom.js';
import { toast } from '../js/announce.js';
import { api } from './api.js';
import { Chart } from './chart.js';
import { reason } from './notes.js';
import { lastMinute } from './overview.js';

const fields = ['activeLimit', 'admitPerSecond', 'activeTtlSeconds'];

/** @param {string} eventID @param {() => void} changed */
export function roomCard(eventID, changed) {
  const figure = (/** @type {string} */ key) => {
    const value = h('dd', { class: 'figure-value tabular', 'data-testid': `room-${key}` }, '–'), more = h('dd', { class: 'muted small' });
    return { value, more, element: h('div', { class: 'figure' }, h('dt', {}, t(`organiser.room.${key}`)), value, more) };
  };
  const waiting = figure('waiting'), active = figure('active'), rate = figure('rate');
  const off = h('p', { class: 'note', hidden: true }, t('organiser.room.off'));
  const chart = new Chart({ kind: 'bars', testid: 'curve-admitted', label: t('organiser.room.label'), column: t('organiser.room.perMinute'), format: (n) => number(Math.round(n)) });
  /** @type {any} */
  let settings;
  const element = h('section', { class: 'card stack', 'aria-labelledby': 'room-title' },
    h('div', { class: 'row-between' }, h('h2', { id: 'room-title' }, t('organiser.room')),
      h('button', { class: 'button small', type: 'button', 'data-testid': 'room-settings', onclick: () => settings && edit(eventID, settings, changed) }, t('organiser.room.settings'))),
    off, h('dl', { class: 'figures small-figures' }, waiting.element, active.element, rate.element),
    h('h3', { class: 'chart-title' }, t('organiser.room.label')), chart.element);

  return {
    element,
    /** @param {any} event @param {any} report @param {any} curve */
    show(event, report, curve) {
      settings = event.waitingRoom;
      off.hidden = settings.enabled;
      setText(waiting.value, number(report.sessions.WAITING ?? 0));
      setText(active.value, number(report.sessions.ACTIVE ?? 0));
      setText(active.more, settings.enabled ? t('organiser.room.activeOf', { n: settings.activeLimit }) : '');
      setText(rate.value, number(lastMinute(curve, 'admitted')));
      setText(rate.more, settings.enabled ? t('organiser.room.rateOf', { n: settings.admitPerSecond }) : '');
      const step = 1000 * curve.stepSeconds, to = Date.parse(curve.asOf);
      const points = curve.points.map((/** @type {any} */ p, /** @type {number} */ i) =>
        ({ at: Date.parse(p.at), value: p.admitted * 60 / curve.stepSeconds, open: i === curve.points.length - 1 }));
      chart.show(points, points.length ? points[0].at : to - step, to, step);
    },
    destroy: () => chart.destroy(),
  };
}

/** @param {string} eventID @param {any} settings @param {() => void} changed */
function edit(eventID, settings, changed) {
  const enabled = h('input', { type: 'checkbox', id: 'room-enabled', checked: settings.enabled, 'data-testid': 'room-enabled' });
  const inputs = fields.map((f) => h('input', {
    id: `room-${f}`, name: f, type: 'number', min: 1, step: 1, required: true, inputmode: 'numeric', value: settings[f],
    'aria-describedby': `room-${f}-error`, 'data-testid': `room-${f}-input`,
  }));
  const errors = fields.map((f) => h('p', { id: `room-${f}-error`, class: 'field-error' }));
  const error = h('p', { class: 'field-error', role: 'alert', 'data-testid': 'room-error' });

  async function save(/** @type {Event} */ e) {
    e.preventDefault();
    const patch = { waitingRoom: Object.fromEntries([['enabled', enabled.checked], ...inputs.map((input) => [input.name, input.valueAsNumber])]) };
    errors.forEach((place) => setText(place, ''));
    for (const input of inputs) input.removeAttribute('aria-invalid');
    setText(error, '');
    try {
      await api.change(eventID, patch);
      dialog.close();
      toast(t('organiser.done.settings'));
      changed();
    } catch (problem) {
      const faults = /** @type {{field: string, message: string}[]} */ (/** @type {any} */ (problem).body?.errors ?? []);
      const placed = faults.map((f) => ({ i: fields.indexOf(f.field.replace('waitingRoom.', '')), text: f.message }));
      placed.filter((f) => f.i >= 0).forEach((f) => {
        setText(errors[f.i], f.text);
        inputs[f.i].setAttribute('aria-invalid', 'true');
      });
      setText(error, t('organiser.failed', { detail: reason(problem) }));
      inputs[placed[0]?.i ?? -1]?.focus();
    }
  }

  const dialog = h('dialog', { 'aria-labelledby': 'room-dialog-title', 'data-testid': 'room-dialog', onclose: () => dialog.remove() },
    h('form', { class: 'stack', novalidate: true, onsubmit: save },
      h('h2', { id: 'room-dialog-title' }, t('organiser.room')),
      h('p', { class: 'muted small' }, t('organiser.room.settingsHint')),
      h('div', { class: 'row' }, enabled, h('label', { for: 'room-enabled' }, t('organiser.room.enabled'))),
      inputs.map((input, i) => h('div', { class: 'field' }, h('label', { for: input.id }, t(`organiser.room.${fields[i]}`)), input, errors[i])),
      error,
      h('div', { class: 'row dialog-buttons' },
        h('button', { class: 'button', type: 'button', 'data-testid': 'room-cancel', onclick: () => dialog.close() }, t('organiser.keep')),
        h('button', { class: 'button primary', type: 'submit', 'data-testid': 'room-save' }, t('organiser.save')))));
  document.body.append(dialog);
  dialog.showModal();
}
