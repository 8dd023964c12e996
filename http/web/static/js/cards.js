// The mock provider's tokens, as cards to choose from.

import { h, icon } from './dom.js';
import { t } from '../i18n.js';

const tokens = ['tok_visa', 'tok_declined', 'tok_insufficient_funds', 'tok_slow', 'tok_auth_timeout', 'tok_capture_timeout', 'tok_capture_declined'];

/** A choice of cards, the first chosen. */
export function cardChoice() {
  const element = h('fieldset', { class: 'cards stack-s' },
    h('legend', {}, h('h2', {}, t('pay.with'))),
    h('p', { class: 'muted small' }, t('pay.test')),
    tokens.map((token, i) => h('label', { class: 'pay-card' },
      h('input', { type: 'radio', name: 'paymentToken', value: token, checked: i === 0, autocomplete: 'off', 'data-testid': token }),
      icon('card', 24), h('span', { class: 'grow' }, h('span', { class: 'pay-card-name' }, t(`card.${token}`)), h('span', { class: 'muted small block' }, t(`card.${token}.note`))))));
  const chosen = () => /** @type {HTMLInputElement | null} */ (element.querySelector('input:checked'));
  return {
    element,
    value: () => chosen()?.value ?? tokens[0],
    focus: () => chosen()?.focus({ preventScroll: true }),
    disable: (/** @type {boolean} */ off) => { element.disabled = off; },
  };
}
