// Says things: to screen readers by a live region, to eyes by a note that goes away.

import { h, icon } from './dom.js';
import { t } from '../i18n.js';

const noteMillis = 7000;

/** Tells screen readers. @param {string} text @param {boolean} [now] interrupts what is being read */
export function say(text, now = false) {
  const region = document.getElementById(now ? 'alerts' : 'status');
  if (!region) return;
  // The same text again is not read unless it was gone.
  region.textContent = '';
  setTimeout(() => { region.textContent = text; }, 50);
}

/** Shows a note for a while, and says it. @param {string} text @param {'ok' | 'warn' | 'danger'} [kind] */
export function toast(text, kind = 'ok') {
  const area = document.getElementById('toasts');
  if (!area) return;
  const close = () => note.remove();
  const note = h('div', { class: `toast ${kind}`, 'data-testid': 'toast' },
    icon(kind === 'ok' ? 'check' : 'warn'), h('p', { class: 'grow' }, text),
    h('button', { type: 'button', class: 'toast-close', 'aria-label': t('app.close'), onclick: close }, icon('close', 16)));
  while (area.childElementCount >= 3) area.firstElementChild?.remove();
  area.append(note);
  say(text, kind === 'danger');
  let timer = setTimeout(close, noteMillis);
  // Who reads it, keeps it.
  note.addEventListener('pointerenter', () => clearTimeout(timer));
  note.addEventListener('focusin', () => clearTimeout(timer));
  note.addEventListener('pointerleave', () => { timer = setTimeout(close, noteMillis); });
}
