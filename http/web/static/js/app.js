// The buyers' page: its frame, and which view stands under which address.

import './texts.js';
import './paytexts.js';
import { say, toast } from './announce.js';
import { h, icon, replace } from './dom.js';
import { eventPage } from './eventpage.js';
import { choose, locale, t } from '../i18n.js';
import { listPage } from './list.js';
import { orderPage } from './orderpage.js';
import { blank } from './parts.js';
import { route, start } from './router.js';
import { sweep } from './store.js';

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

function frame() {
  const skip = element('skip');
  skip.textContent = t('app.skip');
  // Not by the address: what stands after the # may be an order's token.
  skip.addEventListener('click', (event) => {
    event.preventDefault();
    element('main').focus();
  });
  replace(element('top'), h('div', { class: 'page row-between' },
    h('a', { class: 'brand', href: '/', 'aria-label': t('app.home') }, icon('ticket', 28), h('span', {}, 'boxoffice')),
    h('div', { class: 'languages', role: 'group', 'aria-label': t('app.language') },
      [['en', 'English', 'EN'], ['de', 'Deutsch', 'DE']].map(([code, whole, short]) =>
        h('button', {
          type: 'button', lang: code, 'aria-label': `${short} – ${whole}`, 'aria-pressed': String(code === locale), 'data-testid': `language-${code}`,
          onclick: () => code !== locale && choose(code),
        }, short)))));
  replace(element('bottom'), h('div', { class: 'page row-between' },
    h('p', {}, t('app.foot')), h('a', { href: '/docs' }, t('app.docs'))));
}

function missing(/** @type {import('./router.js').Place} */ { root, title, ready }) {
  title(t('app.lost'));
  root.append(blank({ title: t('app.lost'), text: t('app.lostText'), action: h('a', { class: 'button primary', href: '/' }, t('app.all')) }));
  ready();
}

frame();
sweep();
window.addEventListener('offline', () => toast(t('app.offline'), 'warn'));
window.addEventListener('online', () => say(t('app.online')));
route(/^\/$/, listPage);
route(/^\/events\/(?<id>[A-Za-z0-9_-]{1,64})$/, eventPage);
route(/^\/orders\/(?<id>[A-Za-z0-9._-]{1,255})$/, orderPage);
start(missing);
