// What the page tells of how things went: a banner while the server is lost, and words for what it refused.

import { dateTime, t } from '../i18n.js';
import { h, icon, setText } from '../js/dom.js';
import { Problem } from './api.js';

/** Words for an error. @param {unknown} error */
export function reason(error) {
  if (!(error instanceof Problem)) return String(error);
  if (error.status === 0) return t('organiser.unreachable');
  const faults = /** @type {{field: string, message: string}[]} */ (error.body.errors ?? []);
  return faults.length ? faults.map((f) => `${f.field} ${f.message}`.trim()).join('; ') : error.message;
}

/** A banner that tells while the server does not answer, and of when what is shown is. @param {import('./refresh.js').Refresh} refresh */
export function lostBanner(refresh) {
  const text = h('p', {});
  const banner = h('div', { class: 'note danger lost', role: 'alert', hidden: true, 'data-testid': 'lost' }, icon('warn'), text);
  let freshAt = '';
  refresh.addEventListener('fresh', () => {
    freshAt = new Date().toISOString();
    banner.hidden = true;
  });
  refresh.addEventListener('lost', (e) => {
    const { error } = /** @type {CustomEvent} */ (e).detail;
    if (error instanceof Problem && error.status === 404) setText(text, t('organiser.missing'));
    else if (error instanceof Problem && !error.passing) setText(text, t('organiser.failed', { detail: reason(error) }));
    else setText(text, freshAt ? t('organiser.lost', { time: dateTime(freshAt, 'time') }) : t('organiser.lost.first'));
    banner.hidden = false;
  });
  return banner;
}

/**
 * Asks before something that is hard to take back. The answer is false where the dialog is left in any other way.
 * @param {{title: HTMLElement, text: string, yes: string}} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes }) {
  return new Promise((resolve) => {
    title.id = 'dialog-title';
    const dialog = h('dialog', { 'aria-labelledby': 'dialog-title', 'data-testid': 'confirm-dialog', onclose: () => {
      resolve(dialog.returnValue === 'yes');
      dialog.remove();
    } }, h('form', { method: 'dialog', class: 'stack' },
      title, h('p', {}, text),
      h('div', { class: 'row dialog-buttons' },
        h('button', { class: 'button', value: 'no', autofocus: true, 'data-testid': 'confirm-no' }, t('organiser.keep')),
        h('button', { class: 'button danger', value: 'yes', 'data-testid': 'confirm-yes' }, yes))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
