// The waiting room: a place that only moves forward, how long it may take, and a way out.

import { Problem, secondsUntil } from './api.js';
import { say, toast } from './announce.js';
import { h, setText } from './dom.js';
import { clock, duration, number, t } from '../i18n.js';
import { confirm, everySecond, note, problemText } from './parts.js';
import { listen } from './stream.js';

/** Screen readers are told of the place at most so often, unless it is nearly reached. */
const sayMillis = 20_000;

/** @param {import('./eventpage.js').Step} step @param {any} session */
export function waiting({ event, purchase, panel, hall, signal, title, proceed, look }, session) {
  const place = h('p', { class: 'place tabular', 'data-testid': 'place' });
  const ahead = h('p', { class: 'muted', 'data-testid': 'ahead' }), eta = h('p', { class: 'eta', 'data-testid': 'eta' });
  const fill = h('span');
  const bar = h('div', { class: 'progress', role: 'progressbar', 'aria-label': t('wait.progress'), 'aria-valuemin': 0, 'aria-valuemax': 100, 'data-testid': 'progress' }, fill);
  const lost = h('div', { hidden: true, 'data-testid': 'lost' }, note('warn', h('p', {}, t('wait.lost'))));
  const heading = h('h2', {}), line = h('div', { class: 'stack-s' }, h('p', { class: 'label muted' }, t('wait.place')), place, ahead);
  const early = h('p', { class: 'countdown tabular' });
  panel.append(h('section', { class: 'card stack waiting', 'data-testid': 'waiting' },
    heading, lost, early, line, bar, eta, h('p', { class: 'muted small keep' }, t('wait.keep')),
    h('div', {}, h('button', { type: 'button', class: 'button quiet', 'data-testid': 'leave', onclick: leave }, t('wait.leave')))));

  let said = 0, connected = true;
  void hall.then((view) => view?.rest(signal)); // it cannot be seen from here
  update(session);
  listen(`/api/sse/waiting-room/sessions/${encodeURIComponent(session.sessionId)}`, {
    'waiting-room-position': update,
    'waiting-room-active': (told) => {
      purchase.hear(told);
      void proceed({ ...session, ...told, status: 'ACTIVE' });
    },
    'waiting-room-expired': () => { ask().catch(() => {}); },
  }, {
    signal,
    onState: (now) => {
      if (now && !connected) toast(t('wait.back'));
      else if (!now) say(t('wait.lost'));
      lost.hidden = connected = now;
    },
    onRefused: ask,
  });
  // While one waits for the sale to start, there is no place to tell.
  everySecond(() => {
    if (!early.hidden && event.onSaleAt) early.textContent = clock(secondsUntil(event.onSaleAt));
  }, signal);

  function update(/** @type {{position: number | null, etaSeconds: number | null}} */ { position, etaSeconds }) {
    purchase.hear({ position });
    const starting = position === null && event.onSaleAt !== null && secondsUntil(event.onSaleAt) > 0;
    heading.textContent = t(starting ? 'wait.early' : 'wait.title');
    early.hidden = !starting;
    line.hidden = bar.hidden = position === null;
    const how = starting ? t('wait.earlyText') : etaSeconds === null ? t('wait.etaUnknown') : etaSeconds < 5 ? t('wait.etaSoon') : t('wait.eta', { time: duration(etaSeconds) });
    setText(eta, how);
    eta.classList.toggle('calm', starting);
    if (position === null) {
      title(`${t(starting ? 'wait.early' : 'wait.title')} – ${event.name}`);
      return;
    }
    place.textContent = number(position);
    ahead.textContent = position > 1 ? t('wait.ahead', { n: position - 1 }) : t('wait.next');
    const start = Math.max(purchase.known?.longest ?? position, position);
    // Something to see from the start, and never full before it is one's turn.
    const percent = Math.round(3 + 92 * (1 - (position - 1) / start));
    fill.style.width = `${percent}%`;
    bar.setAttribute('aria-valuenow', String(percent));
    bar.setAttribute('aria-valuetext', ahead.textContent ?? '');
    title(t('wait.docTitle', { place: position, name: event.name }));
    if (position <= 3 || Date.now() - said > sayMillis) {
      said = Date.now();
      say(t('wait.say', { place: position, eta: how }));
    }
  }

  /** Looks where the session is, and goes there where that is not here. */
  async function ask() {
    const now = await purchase.session(signal, 1);
    if (signal.aborted) return;
    if (now?.status === 'WAITING') {
      update(now);
      return;
    }
    if (!now) toast(t('wait.gone'), 'warn');
    await proceed(now);
    throw new Problem(410, { code: 'gone' }); // this stream is of no use any more
  }

  async function leave() {
    if (!await confirm({ title: t('wait.leaveSure'), text: t('wait.leaveText'), yes: t('wait.leave'), no: t('wait.stay') }, signal)) return;
    try {
      await purchase.leave();
      toast(t('wait.left'));
    } catch (error) {
      toast(problemText(error), 'danger');
    }
    await look();
  }
}

