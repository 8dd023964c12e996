// Seats without looking for them: how many, of which category, where.

import { h, icon } from './dom.js';
import { money, number, t } from '../i18n.js';

/**
 * @param {any} event
 * @param {import('../map/hall.js').Hall} hall
 * @param {(want: {bestAvailable: object}, button: HTMLElement) => void} find
 */
export function bestForm(event, hall, find) {
  const most = event.maxSeatsPerOrder;
  let quantity = Math.min(2, most);
  const shown = h('output', { class: 'quantity tabular', 'aria-live': 'polite', 'data-testid': 'quantity' }, number(quantity));
  const step = (by, label, shape) => h('button', { type: 'button', class: 'button step', 'aria-label': label, 'data-testid': by < 0 ? 'less' : 'more-one', onclick: () => {
    quantity = Math.max(1, Math.min(most, quantity + by));
    shown.textContent = number(quantity);
  } }, icon(shape));
  const category = h('select', { id: 'best-category', 'data-testid': 'best-category', autocomplete: 'off' }, h('option', { value: '' }, t('choose.anyCategory')),
    event.categories.map((c) => h('option', { value: c.name }, c.price ? `${c.name} – ${money(c.price)}` : c.name)));
  const section = h('select', { id: 'best-section', 'data-testid': 'best-section', autocomplete: 'off' }, h('option', { value: '' }, t('choose.anySection')),
    [...new Set(hall.sections.map((s) => s.name))].map((s) => h('option', { value: s, dir: 'auto' }, s)));
  const button = h('button', { type: 'submit', class: 'button primary large', 'data-testid': 'find' }, t('choose.find'));
  return h('form', { class: 'card stack best', autocomplete: 'off', 'data-testid': 'best-form', onsubmit: (submitted) => {
    submitted.preventDefault();
    if (button.getAttribute('aria-disabled') === 'true') return;
    const best = { quantity, ...(category.value && { category: category.value }), ...(section.value && { section: section.value }) };
    find({ bestAvailable: best }, button);
  } },
  h('p', { class: 'muted' }, t('choose.bestText')),
  h('div', { class: 'field', role: 'group', 'aria-labelledby': 'quantity-label' }, h('span', { class: 'label', id: 'quantity-label' }, t('choose.quantity')),
    h('div', { class: 'row stepper' }, step(-1, t('choose.less'), 'minus'), shown, step(1, t('choose.moreOne'), 'plus'))),
  h('div', { class: 'field' }, h('label', { for: 'best-category' }, t('choose.category')), category),
  h('div', { class: 'field' }, h('label', { for: 'best-section' }, t('choose.section')), section),
  button);
}
