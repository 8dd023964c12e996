// Which view stands under an address. Links are ordinary ones: they open in tabs, and work once this has loaded.

/**
 * @typedef {object} Place what a view is given
 * @property {Record<string, string>} params of the path
 * @property {URLSearchParams} query
 * @property {string} hash without #
 * @property {AbortSignal} signal ends when the view does
 * @property {HTMLElement} root what the view fills
 * @property {(title: string) => void} title sets the document's
 * @property {() => void} ready puts the focus on the heading, once there is one
 *
 * @typedef {(place: Place) => void | Promise<void>} View
 */

import { t } from '../i18n.js';
import { failed } from './parts.js';

/** @type {{pattern: RegExp, view: View}[]} */
const routes = [];
const root = () => /** @type {HTMLElement} */ (document.getElementById('main'));
let leave = new AbortController();
let first = true;

/** @param {RegExp} pattern with named groups @param {View} view */
export const route = (pattern, view) => { routes.push({ pattern, view }); };

/** Goes to an address of ours. @param {string} address @param {{replace?: boolean}} [how] */
export function go(address, { replace = false } = {}) {
  if (replace) history.replaceState(null, '', address);
  else {
    keepScroll();
    history.pushState(null, '', address);
  }
  show();
}

/** Changes the address and nothing else. @param {string} address */
export const readdress = (address) => history.replaceState(history.state, '', address);

const keepScroll = () => history.replaceState({ ...history.state, scroll: window.scrollY }, '');

/** Starts. @param {View} missing the view of every other address */
export function start(missing) {
  routes.push({ pattern: /^/, view: missing });
  history.scrollRestoration = 'manual';
  window.addEventListener('popstate', show);
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    const ours = url.origin === location.origin && routes.some((r) => r.view !== missing && r.pattern.test(url.pathname));
    if (!ours || link.target || link.hasAttribute('download') || (link.getAttribute('href') ?? '').startsWith('#')) return;
    event.preventDefault();
    go(url.pathname + url.search + url.hash);
  });
  show();
}

/** Shows the view of the address as it is now; also to begin it anew. */
export function show() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const { pattern, view } = /** @type {{pattern: RegExp, view: View}} */ (routes.find((r) => r.pattern.test(location.pathname)));
  const element = root(), scroll = history.state?.scroll ?? 0, entering = !first;
  first = false;
  element.replaceChildren();
  window.scrollTo(0, 0);
  let focused = false;
  const title = (/** @type {string} */ text) => {
    document.title = text ? `${text} · boxoffice` : 'boxoffice';
  };
  const ready = () => {
    if (focused || signal.aborted) return;
    focused = true;
    window.scrollTo(0, scroll);
    if (entering) focusHeading(element);
  };
  Promise.resolve(view({
    params: { ...pattern.exec(location.pathname)?.groups }, query: new URLSearchParams(location.search),
    hash: location.hash.slice(1), signal, root: element, title, ready,
  })).catch((error) => {
    if (signal.aborted) return;
    element.replaceChildren(failed(t('problem.internal'), error, show));
    ready();
    throw error; // for the console
  });
}

/** Puts the focus where reading goes on after a view or a step has changed. @param {Element} element */
export function focusHeading(element) {
  const heading = element.querySelector('h1') ?? element.querySelector('h2');
  if (!(heading instanceof HTMLElement)) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
