// The page of an event, and the steps to its tickets: looking, waiting, choosing. The hall stays while steps change; a reload
// comes back to the step that the visitor is in.

import { Problem, read } from './api.js';
import { toast } from './announce.js';
import { choosing } from './choosing.js';
import { h, name, replace } from './dom.js';
import { hallFailed, openHall } from './hallview.js';
import { dateTime, t } from '../i18n.js';
import { looking, showResume } from './looking.js';
import { blank, failed, loading, onWait, problemText, saleBadge, stub, whereabouts, within } from './parts.js';
import { Purchase } from './purchase.js';
import { focusHeading, show as showAgain } from './router.js';
import { waiting } from './waiting.js';

/**
 * @typedef {object} Step what a step is given
 * @property {any} event
 * @property {Purchase} purchase
 * @property {HTMLElement} panel what the step fills
 * @property {Promise<import('./hallview.js').HallView | null>} hall
 * @property {AbortSignal} signal ends with the step
 * @property {(text: string) => void} title
 * @property {() => Promise<void>} join
 * @property {(session: any) => Promise<void>} proceed goes where the session is
 * @property {() => Promise<void>} look goes back to the start
 * @property {(ended: any) => Promise<void>} end shows why it is over
 * @property {() => Promise<boolean>} reread takes the event as it is now; whether its sale stands otherwise than before
 */

/** @type {import('./router.js').View} */
export async function eventPage({ params, root, signal, title, ready }) {
  root.append(loading());
  let event;
  try {
    event = await read(`/api/events/${encodeURIComponent(params.id)}`, { signal });
  } catch (error) {
    if (signal.aborted) return;
    const lost = error instanceof Problem && error.status >= 400 && error.status < 500 && !error.passing;
    replace(root, lost ? blank({ title: t('app.lost'), text: t('app.lostText'), action: h('a', { class: 'button primary', href: '/' }, t('app.all')) })
      : failed(t('problem.unavailable'), error, showAgain));
    ready();
    return;
  }
  const panel = h('div', { class: 'panel' }), hallPlace = h('div', { class: 'hall-column' }, loading());
  const stage = h('div', { class: 'page stage' }, hallPlace, panel);
  const badge = h('span', {}, saleBadge(event));
  replace(root, hero(event, badge), stage);
  title(event.name);
  ready();

  const hall = bringHall(event, hallPlace, signal);
  const purchase = new Purchase(event.eventId);
  let inner = within(signal), entered = false;

  /** Enters a step. @param {string} kind @param {(step: Step, with_: any) => void | Promise<void>} step @param {any} [with_] */
  const enter = async (kind, step, with_) => {
    inner.abort();
    inner = within(signal);
    stage.dataset.step = kind;
    replace(panel);
    const { signal: during } = inner, done = step({ event, purchase, panel, hall, signal: during, title, join, proceed, look, end, reread }, with_);
    if (entered) focusHeading(panel); // at once: a hall that is long in coming must not take the focus from where it is by then
    entered = true;
    await done;
  };
  const look = () => enter('looking', looking);
  const end = (ended) => enter('ended', over, ended);
  const proceed = async (session) => {
    switch (session?.status) {
      case 'WAITING': return enter('waiting', waiting, session);
      case 'ACTIVE': return enter('choosing', choosing, session);
      case 'COMPLETED': purchase.turnOver(); return end({ title: t('wait.done'), text: t('wait.doneText') });
      case 'EXPIRED':
        purchase.turnOver();
        await reread();
        // The sale is over for all: that says more.
        return event.status === 'CANCELLED' || event.status === 'CLOSED' ? look() : end({ title: t('wait.expired'), text: t('wait.expiredText') });
      default: purchase.turnOver(); return look();
    }
  };
  const reread = async () => {
    const now = await read(`/api/events/${encodeURIComponent(event.eventId)}`, { signal, attempts: 1 }).catch(() => null);
    if (!now || signal.aborted) return false;
    const moved = ['status', 'soldOut', 'onSaleAt'].some((key) => now[key] !== event[key]);
    Object.assign(event, now);
    if (moved) replace(badge, saleBadge(event));
    return moved;
  };
  const join = async () => {
    await proceed(await purchase.session(signal) ?? await purchase.join({ signal, onWait }));
  };

  try {
    await proceed(await purchase.session(signal));
  } catch (error) {
    if (signal.aborted) return;
    await look();
    toast(problemText(error), 'danger');
  }

  async function over({ panel, join, signal }, { title: heading, text }) {
    title(event.name);
    const button = h('button', { type: 'button', class: 'button primary wide', 'data-testid': 'again', onclick: async () => {
      button.disabled = true;
      await join().catch((error) => { if (!signal.aborted) toast(problemText(error), 'danger'); });
      button.disabled = false;
    } }, t('wait.again'));
    const resume = h('div', { class: 'resume' });
    panel.append(h('section', { class: 'card stack', 'data-testid': 'ended' }, h('h2', {}, heading), h('p', {}, text), resume, button,
      h('a', { class: 'button quiet wide', href: '/' }, t('app.all'))));
    await showResume(purchase, resume, signal);
  }
}

function hero(event, badge) {
  return h('div', { class: 'hero' }, h('div', { class: 'page hero-row' },
    stub(event.startsAt),
    h('div', { class: 'stack-s grow' },
      h('h1', { 'data-testid': 'event-name' }, name(event.name)),
      event.performers?.length ? h('p', { class: 'performers' }, event.performers.map((p, i) => [i > 0 && ' · ', name(p)])) : null,
      h('p', { class: 'hero-facts' }, h('span', {}, dateTime(event.startsAt)), h('span', {}, whereabouts(event)), badge))));
}

async function bringHall(event, place, signal) {
  try {
    const hall = await openHall(event, signal);
    replace(place, hall.element);
    return hall;
  } catch (error) {
    if (!signal.aborted) {
      console.error(error);
      replace(place, hallFailed(error, showAgain));
    }
    return null;
  }
}
