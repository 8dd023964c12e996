// Asks for the organiser's token, and lets nobody in whom the server would not.

import { t } from '../i18n.js';
import { h, setText } from '../js/dom.js';
import { api, token } from './api.js';
import { reason } from './notes.js';

/** @param {string} why @param {() => void} done @returns {import('./organiser.js').View} */
export function signInView(why, done) {
  const input = h('input', {
    id: 'token', type: 'password', autocomplete: 'current-password', required: true, spellcheck: 'false', 'aria-describedby': 'token-hint token-error',
    'data-testid': 'token',
  });
  const error = h('p', { id: 'token-error', class: 'field-error', role: 'alert', 'data-testid': 'token-error' }, why);
  const button = h('button', { class: 'button primary wide', type: 'submit', 'data-testid': 'sign-in' }, t('organiser.signIn'));

  async function submit(/** @type {Event} */ e) {
    e.preventDefault();
    const value = input.value.trim();
    if (!value || button.ariaDisabled === 'true') return refuse(t('organiser.signIn.empty'));
    button.ariaDisabled = 'true';
    setText(button, t('organiser.signIn.busy'));
    try {
      await api.try(value);
      token.set(value);
      return done();
    } catch (problem) {
      refuse(/** @type {any} */ (problem).status === 401 ? t('organiser.signIn.wrong') : t('organiser.failed', { detail: reason(problem) }));
    }
    button.ariaDisabled = null;
    setText(button, t('organiser.signIn'));
  }

  function refuse(/** @type {string} */ text) {
    setText(error, text);
    input.setAttribute('aria-invalid', 'true');
    input.focus();
  }

  const form = h('form', { class: 'card stack sign-in', novalidate: true, onsubmit: submit },
    h('h1', { tabindex: '-1' }, t('organiser.signIn')),
    h('p', { class: 'muted' }, t('organiser.signIn.lead')),
    h('div', { class: 'field' },
      h('label', { for: 'token' }, t('organiser.signIn.token')), input,
      h('p', { id: 'token-hint', class: 'hint' }, t('organiser.signIn.hint')), error),
    button);
  return { element: form, title: t('organiser.signIn'), start: () => input.focus() };
}
