// The organiser's page: who has the token sees the events, and of one its sale or its seats. The address says which, after
// a #: "#/", "#/events/E1", "#/events/E1/seats". One view is there at a time; it brings its element and its end.

import './texts.js';
import { t } from '../i18n.js';
import { h, icon } from '../js/dom.js';
import { onRefused, token } from './api.js';
import { eventView } from './event.js';
import { listView } from './list.js';
import { signInView } from './signin.js';

/** @typedef {{element: HTMLElement, title: string, start?: () => void, end?: () => void}} View */

const root = /** @type {HTMLElement} */ (document.getElementById('root'));
const main = h('main', { id: 'main', class: 'page organiser-main', tabindex: '-1' });
const signOut = h('button', { class: 'button quiet small', type: 'button', 'data-testid': 'sign-out', onclick: () => leave('') }, t('organiser.signOut'));

/** @type {View | undefined} */
let shown;

function show(/** @type {View} */ view) {
  shown?.end?.();
  shown = view;
  main.replaceChildren(view.element);
  document.title = `${view.title} · boxoffice`;
  signOut.hidden = !token.get();
  view.start?.();
}

/** @param {string} why shown above the form */
function leave(why) {
  token.set('');
  show(signInView(why, () => open(true)));
  /** @type {HTMLElement | null} */ (main.querySelector('input'))?.focus();
}

/** @param {boolean} moved the reader came from another view: the heading takes the focus */
function open(moved) {
  if (!token.get()) return leave('');
  let path = [];
  try {
    path = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  } catch { /* an address that nobody of us wrote: the list */ }
  show(path[0] === 'events' && path[1] ? eventView(path[1], path[2] === 'seats' ? 'seats' : 'overview') : listView());
  if (moved) {
    scrollTo(0, 0);
    /** @type {HTMLElement | null} */ (main.querySelector('h1'))?.focus();
  }
}

document.title = `${t('organiser.title')} · boxoffice`;
root.replaceChildren(
  h('a', { class: 'skip', href: '#main', onclick: (/** @type {Event} */ e) => { e.preventDefault(); main.focus(); } }, t('organiser.skip')),
  h('header', { class: 'organiser-header' }, h('div', { class: 'page row-between' },
    h('a', { class: 'organiser-brand', href: '#/' }, icon('ticket', 24), h('span', {}, 'boxoffice'), h('span', { class: 'badge' }, t('organiser.title'))),
    signOut)),
  main,
  h('div', { id: 'status', class: 'visually-hidden', role: 'status' }),
  h('div', { id: 'alerts', class: 'visually-hidden', role: 'alert' }),
  h('section', { id: 'toasts', class: 'organiser-toasts', 'aria-label': t('organiser.notes') }));
onRefused(() => { if (token.get()) leave(t('organiser.signIn.again')); });
addEventListener('hashchange', () => open(true));
open(false);
