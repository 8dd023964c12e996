// One visitor's way to tickets for one event, as far as it is remembered: session, turn and open order.

import { Problem, read, request } from './api.js';
import { call } from './calls.js';
import { forget, recall, remember } from './store.js';

/**
 * @typedef {object} Known
 * @property {string} [sessionId] none where the turn is over
 * @property {string} [token] the access token
 * @property {number} [longest] the first place in line, which progress is measured from
 * @property {string} [orderId] the order that seats are chosen for
 * @property {string[]} [basket] seats that are chosen
 */

/** Answers that mean: this order is over, begin another. */
const over = new Set(['order-expired', 'order-state', 'not-found']);

/** The address of an order. The token stands where no server sees it. @param {string} orderId @param {string} token */
export const orderAddress = (orderId, token) => `/orders/${encodeURIComponent(orderId)}#${token}`;

export class Purchase {
  /** @param {string} eventId */
  constructor(eventId) {
    this.eventId = eventId;
    this.storeKey = `purchase.${eventId}`;
  }

  /** @returns {Known | null} */
  get known() { return recall(this.storeKey); }

  /** @param {Partial<Known>} more */
  note(more) { remember(this.storeKey, { ...this.known, ...more }); }

  forget() { forget(this.storeKey); }

  /** The turn is over. What was ordered in it may still be paid. */
  turnOver() {
    const { orderId, token } = this.known ?? {};
    if (orderId) remember(this.storeKey, { orderId, token });
    else this.forget();
  }

  /** @param {string} orderId an order that came to its end */
  done(orderId) {
    if (this.known?.orderId === orderId) this.note({ orderId: undefined, basket: undefined });
  }

  /** Joins, or finds the place again where an answer was lost. @param {{signal: AbortSignal, onWait?: (problem: Problem) => void}} options */
  async join(options) {
    const session = await call(`join.${this.eventId}`, 'join', '/api/waiting-room/sessions', { eventId: this.eventId }, { token: '', ...options });
    remember(this.storeKey, { sessionId: session.sessionId });
    this.hear(session);
    return session;
  }

  /** The session as it stands, or null where there is none. @param {AbortSignal} signal @param {number} [attempts] */
  async session(signal, attempts) {
    const id = this.known?.sessionId;
    if (!id) return null;
    try {
      const session = await read(`/api/waiting-room/sessions/${encodeURIComponent(id)}`, { signal, attempts });
      this.hear(session);
      return session;
    } catch (error) {
      if (!(error instanceof Problem) || error.passing) throw error;
      this.turnOver();
      return null;
    }
  }

  /** Keeps what a session or its stream tells. @param {{accessToken?: string | null, position?: number | null}} told */
  hear(told) {
    if (told.accessToken && told.accessToken !== this.known?.token) this.note({ token: told.accessToken });
    if (told.position && told.position > (this.known?.longest ?? 0)) this.note({ longest: told.position });
  }

  /** Gives the place or the turn up. */
  async leave() {
    const id = this.known?.sessionId;
    this.forget();
    if (id) await request('DELETE', `/api/waiting-room/sessions/${encodeURIComponent(id)}`).catch(() => {}); // it ends by itself
  }

  /** The order that holds seats, or is being paid, or null. @param {AbortSignal} signal */
  async order(signal) {
    const { orderId, token } = this.known ?? {};
    if (!orderId || !token) return null;
    try {
      const order = await read(`/api/orders/${encodeURIComponent(orderId)}`, { token, signal });
      if (['PENDING', 'RESERVED', 'AUTHORIZING', 'AUTHORIZED', 'CAPTURING'].includes(order.status)) return order;
    } catch (error) {
      if (!(error instanceof Problem) || error.passing) throw error;
    }
    this.note({ orderId: undefined });
    return null;
  }

  /**
   * Holds seats: makes an order where there is none, and swaps the seats of the one that there is.
   * @param {{seats: string[]} | {bestAvailable: object}} want
   * @param {{signal: AbortSignal, onWait?: (problem: Problem) => void}} options
   * @returns {Promise<any>} the order, RESERVED
   */
  async reserve(want, options) {
    const { sessionId = '', token = '' } = this.known ?? {};
    for (let again = true; ; again = false) {
      if (!this.known?.orderId) {
        const made = await call(sessionId, 'create', '/api/orders', { eventId: this.eventId }, { token, ...options });
        this.note({ orderId: made.orderId });
      }
      const orderId = this.known?.orderId ?? '';
      try {
        return await call(orderId, 'reserve', `/api/orders/${orderId}:reserve`, want, { token, ...options });
      } catch (error) {
        if (!(error instanceof Problem) || !over.has(error.code) || !again) throw error;
        this.note({ orderId: undefined });
      }
    }
  }
}
