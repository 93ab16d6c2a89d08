// The stream of changes, and how alive it is. A frozen screen must never look calm.

import { carItem, get } from './server.js';

/**
 * @typedef {{state: 'connecting' | 'live' | 'polling' | 'stale', since_ms: number, notReady: string[]}} Liveness
 * @typedef {{onitem: (item: import('./server.js').Item) => void, ongone: (id: import('./server.js').Id) => void, onall: (answer: import('./server.js').QueueAnswer) => void,
 *   onliveness: (liveness: Liveness) => void}} Listener
 */

/** The server ticks every two seconds: after two and a half that were missed the screen is stale. */
const STALE_MS = 5_000;
/** How often a screen without a stream asks for everything. */
const POLL_MS = 3_000;

export class Live {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    this.heardMs = Date.now();
    /** @type {'connecting' | 'live' | 'polling' | 'stale'} */
    this.state = 'connecting';
    /** @type {string[]} */
    this.notReady = [];
    /** @type {EventSource | null} */
    this.source = null;
    this.change = 0;
    this.polled = 0;
    /** Whoever has no queue never starts: there is nothing to be stale. */
    this.stopped = true;
    setInterval(() => this.look(), 500);
  }

  /** Begins with the whole queue. */
  async start() {
    this.stopped = false;
    this.heardMs = Date.now();
    try {
      await this.all();
      this.open();
    } catch {
      this.polled = Date.now();
    }
    this.tell();
  }

  async all() {
    /** @type {import('./server.js').QueueAnswer} */
    const answer = await get('/v1/cases', true);
    this.change = answer.change;
    this.heardMs = Date.now();
    this.listener.onall(answer);
  }

  /** No more news, until `start`: somebody has to log in, or nobody is there. */
  stop() {
    this.source?.close();
    this.source = null;
    this.stopped = true;
  }

  open() {
    this.source?.close();
    const source = new EventSource(`/v1/events?after=${this.change}`);
    this.source = source;
    /** @param {string} name @param {(data: any) => void} act */
    const on = (name, act) =>
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        this.heardMs = Date.now();
        if (event.lastEventId) this.change = Number(event.lastEventId);
        this.become('live');
        act(JSON.parse(event.data));
      });
    on('case', (item) => this.listener.onitem(item));
    on('car', (car) => this.listener.onitem(carItem(car)));
    on('gone', ({ id }) => this.listener.ongone(id));
    on('missed', () => void this.all().catch(() => {}));
    on('tick', ({ not_ready }) => {
      this.notReady = not_ready;
      this.tell();
    });
  }

  /** Looks at the clock: is the screen stale, is it time to ask by hand? */
  look() {
    const now = Date.now();
    if (this.stopped) return;
    if (now - this.heardMs <= STALE_MS) return;
    if (this.state !== 'polling' || now - this.heardMs > STALE_MS + POLL_MS) this.become('stale');
    if (now - this.polled < POLL_MS) return;
    this.polled = now;
    this.all().then(
      () => {
        this.become('polling');
        if (!this.source || this.source.readyState === EventSource.CLOSED) this.open();
      },
      () => {},
    );
  }

  /** @param {'live' | 'polling' | 'stale'} state */
  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.tell();
  }

  tell() {
    this.listener.onliveness({ state: this.state, since_ms: this.heardMs, notReady: this.notReady });
  }
}
