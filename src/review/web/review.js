// Queue, evidence, decision: one page. A decision is taken only when its evidence has painted, the server accepts it only when it was sent to this person,
// and the next case comes by itself.

import { fill, h } from './dom.js';
import { Evidence } from './evidence.js';
import { entry, past, reading } from './facts.js';
import { bind, unbind } from './keys.js';
import { BUDGET, Queue, severity, waits } from './queue.js';
import { Refused, ask, carItem, get } from './server.js';
import { play } from './sound.js';
import { percent, span, t } from './words.js';

/** @typedef {import('./server.js').Item} Item */
/** @typedef {import('./server.js').Id} Id */
/** @typedef {import('./server.js').Case} Case */
/** @typedef {import('./server.js').Me} Me */
/** @typedef {'misread' | 'other_jurisdiction' | 'other_vehicle' | 'entry_outdated' | 'duplicate' | 'not_a_plate' | 'other'} Reason */

/** The reasons of a rejection, in the order of their keys 1 to 7. @type {Reason[]} */
export const REASONS = ['misread', 'other_jurisdiction', 'other_vehicle', 'entry_outdated', 'duplicate', 'not_a_plate', 'other'];
/** How long a decision can be taken back. */
const UNDO_MS = 10_000;
/** A claim is prolonged this often, while somebody is there. */
const PROLONG_MS = 15_000;
/** Somebody is there who pressed a key or moved the mouse within this. */
const THERE_MS = 60_000;

export class Review {
  /** @param {{say: (text: string, urgent?: boolean) => void}} page */
  constructor(page) {
    this.page = page;
    /** @type {Me} */
    this.me = { id: '', name: '', role: '' };
    /** The server's clock against ours. */
    this.aheadMs = 0;
    this.queue = new Queue({ onselect: (id) => void this.open(id), onclaim: (id) => void this.claim(id), now: () => this.now(), me: () => this.me.id });
    this.evidence = new Evidence({ onpainted: () => this.painted(), onfailed: () => this.buttons() });
    /** @type {Case | null} */
    this.case = null;
    /** @type {Id | null} */
    this.claimed = null;
    this.busy = false;
    this.asking = false;
    this.active = Date.now();
    /** @type {{id: Id, text: string, until: number} | null} */
    this.undoable = null;

    this.facts = h('div', { class: 'about' });
    this.note = h('textarea', { rows: 2, maxlength: 2000, id: 'note', onkeydown: (/** @type {KeyboardEvent} */ event) => this.noteKey(event) });
    this.noteLabel = h('label', { for: 'note' });
    this.noteButton = h('button', { onclick: () => void this.sendNote() });
    this.status = h('p', { class: 'standing', role: 'status' });
    this.confirm = h('button', { class: 'confirm', onclick: () => void this.decide('confirmed') });
    this.reject = h('button', { class: 'reject', 'aria-expanded': 'false', onclick: () => this.ask(!this.asking) });
    this.unsure = h('button', { class: 'unsure', onclick: () => void this.decide('referred') });
    this.take = h('button', { class: 'take', onclick: () => void this.claim(this.queue.selected) });
    this.reasons = h('ol', { class: 'reasons', hidden: true });
    this.undoBar = h('div', { class: 'undo', role: 'status', hidden: true });
    this.decision = h('div', { class: 'decision' }, this.status, h('div', { class: 'buttons' }, this.confirm, this.reject, this.unsure, this.take), this.reasons, this.undoBar);
    this.right = h('section', { class: 'right' }, this.decision, h('div', { class: 'noting' }, this.noteLabel, this.note, this.noteButton), this.facts);
    this.nothing = h('p', { class: 'nothing' });
    this.carPlace = h('div', { class: 'car-place' });
    this.middle = h('div', { class: 'middle', role: 'region', tabindex: 0 }, this.nothing, this.carPlace, this.evidence.element);
    this.heading = h('h1', { class: 'said' });
    this.element = h('div', { class: 'review' }, this.heading, this.queue.element, this.middle, this.right);
    for (const kind of ['keydown', 'pointermove']) document.addEventListener(kind, () => (this.active = Date.now()), { passive: true });
    setInterval(() => this.tick(), 1000);
    setInterval(() => void this.prolong(), PROLONG_MS);
    this.words();
  }

  /** By the server's clock. */
  now() {
    return Date.now() + this.aheadMs;
  }

  /** All that is said by this page itself, again in another language. */
  words() {
    fill(this.heading, t('queue.title'));
    this.queue.element.setAttribute('aria-label', t('queue.title'));
    this.middle.setAttribute('aria-label', t('evidence.title'));
    this.right.setAttribute('aria-label', t('decision.title'));
    fill(this.noteLabel, t('note.label'), ' ', h('kbd', {}, 'n'));
    fill(this.noteButton, t('note.send'));
    fill(this.nothing, t('queue.none'));
    this.reasonList();
    this.draw();
    this.queue.draw();
  }

  reasonList() {
    fill(this.reasons, ...REASONS.map((reason, at) =>
      h('li', {}, h('button', { onclick: () => void this.decide('rejected', reason) }, h('kbd', {}, at + 1), ' ', t(`reason.${reason}`)))));
  }

  keys() {
    const mayAsk = () => !this.asking;
    bind([
      { key: 'j', words: 'key.next', repeats: true, act: () => this.queue.move(1) },
      { key: 'k', words: 'key.previous', repeats: true, act: () => this.queue.move(-1) },
      { key: 'ArrowDown', words: 'key.next', repeats: true, act: () => this.queue.move(1) },
      { key: 'ArrowUp', words: 'key.previous', repeats: true, act: () => this.queue.move(-1) },
      { key: 'Enter', words: 'key.claim', act: () => void this.claim(this.queue.selected) },
      { key: 'a', words: 'key.confirm', act: () => void this.decide('confirmed') },
      { key: 'r', words: 'key.reject', act: () => this.ask(true) },
      { key: 'u', words: 'key.unsure', act: () => void this.decide('referred') },
      { key: 'n', words: 'key.note', act: () => this.note.focus() },
      { key: 'z', words: 'key.undo', act: () => void this.undo() },
      { key: '.', words: 'key.new', act: () => this.queue.reveal() },
      { key: '[', words: 'key.frameback', repeats: true, act: () => this.evidence.flip(-1) },
      { key: ']', words: 'key.frameon', repeats: true, act: () => this.evidence.flip(1) },
      { key: 'Escape', words: 'key.escape', act: () => this.ask(false) },
      ...REASONS.map((reason, at) => ({ key: String(at + 1), words: `reason.${reason}`, hidden: mayAsk, act: () => void (this.asking && this.decide('rejected', reason)) })),
    ]);
  }

  unkeys() {
    unbind(['j', 'k', 'ArrowDown', 'ArrowUp', 'Enter', 'a', 'r', 'u', 'n', 'z', '.', '[', ']', 'Escape', ...REASONS.map((_, at) => String(at + 1))]);
  }

  // --- what the stream says ---

  /** @param {import('./server.js').QueueAnswer} answer */
  all(answer) {
    this.me = answer.me;
    this.aheadMs = answer.now_ms - Date.now();
    this.queue.replace([...answer.cases, ...answer.cars.map(carItem)], answer.all + answer.cars.length);
    if (this.queue.selected !== null) void this.refresh(this.queue.selected, true);
    else this.first();
  }

  /** @param {Item} item */
  put(item) {
    if (this.queue.put(item)) {
      play(severity(item.priority));
      this.page.say(t('queue.arrived', { severity: t(`severity.${severity(item.priority)}`), plate: item.sought }));
    }
    if (item.id === this.queue.selected) void this.refresh(item.id, true);
    else if (this.queue.selected === null) this.first();
  }

  /** @param {Id} id */
  gone(id) {
    this.queue.remove(id);
    if (id === this.queue.selected) this.leave();
  }

  // --- one case ---

  /** Shows the most urgent case when nothing is shown, without taking it in hand. */
  first() {
    const next = this.queue.next((item) => this.may(item), null) ?? this.queue.rows[0];
    if (next && !this.busy) void this.open(next.id);
  }

  /** @param {Item} item */
  may(item) {
    const free = !item.owner || item.owner.id === this.me.id || item.owner.until_ms < this.now();
    const mine = item.decided_by.includes(this.me.id);
    const supervisor = item.state !== 'supervisor' || this.me.role === 'supervisor' || this.me.role === 'admin';
    return waits(item.state) && free && !mine && supervisor;
  }

  /** @param {Id} id */
  async open(id) {
    if (this.claimed !== null && this.claimed !== id) void this.release();
    this.ask(false);
    this.queue.select(id);
    const before = this.case?.item.id;
    if (before !== id) {
      this.case = null;
      this.evidence.clear();
      this.draw();
    }
    await this.refresh(id);
  }

  /** @param {Id} id @param {boolean} [idle] */
  async refresh(id, idle = false) {
    if (typeof id === 'string') {
      this.draw();
      return;
    }
    try {
      /** @type {Case} */
      const shown = await get(`/v1/cases/${id}`, idle);
      if (this.queue.selected !== id) return;
      this.aheadMs = shown.now_ms - Date.now();
      BUDGET.decideMs = shown.budget_ms[1] ?? BUDGET.decideMs;
      this.case = shown;
      this.queue.put(shown.item);
      if (shown.item.owner?.id === this.me.id) this.claimed = id;
      else if (this.claimed === id) this.claimed = null;
      this.draw();
      await this.evidence.show(shown);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) this.gone(id);
      else this.page.say(t('problem', { why: String(error instanceof Error ? error.message : error) }), true);
    }
  }

  painted() {
    this.buttons();
    this.page.say(this.evidence.told());
  }

  /** Nothing is shown any more. */
  leave() {
    this.case = null;
    this.claimed = null;
    this.queue.selected = null;
    this.queue.tidy();
    this.evidence.clear();
    this.draw();
    this.queue.draw();
  }

  /** @param {Id | null} id @returns {Promise<boolean>} */
  async claim(id) {
    if (id === null || this.busy) return false;
    if (typeof id === 'string') {
      location.hash = `#trains/${id}`;
      return true;
    }
    if (this.queue.selected !== id) await this.open(id);
    try {
      await this.hold(id);
      this.claimed = id;
      // Who has looked elsewhere meanwhile has nothing in hand.
      if (this.queue.selected !== id) await this.release();
      this.draw();
      return true;
    } catch (error) {
      this.refused(error, id);
      return false;
    }
  }

  async release() {
    const id = this.claimed;
    this.claimed = null;
    if (id !== null) await ask('DELETE', `/v1/cases/${id}/claim`).catch(() => {});
  }

  /** Asks the server for a case or its prolongation. What is decided waits for the answer: a claim that overtook its own decision would be refused.
   * @param {Id} id @param {boolean} [idle] */
  hold(id, idle = false) {
    const asked = ask('PUT', `/v1/cases/${id}/claim`, undefined, idle);
    this.holding = asked.then(() => {}, () => {});
    return asked;
  }

  async prolong() {
    if (this.claimed === null || this.busy || Date.now() - this.active > THERE_MS || document.hidden) return;
    const id = this.claimed;
    await this.hold(id, true).catch((error) => this.claimed === id && this.refused(error, id));
  }

  /** The car that is chosen: its findings are decided where its pixels are. */
  car() {
    const id = this.queue.selected;
    return typeof id === 'string' ? this.queue.item(id)?.car ?? null : null;
  }

  /** Whether a decision can be taken now, and why not. @returns {string | null} */
  hindrance() {
    const item = this.case?.item;
    if (this.car()) return t('hindrance.car');
    if (!item) return t(this.queue.selected === null ? 'hindrance.nothing' : 'hindrance.painting');
    if (!waits(item.state)) return t('hindrance.closed', { state: t(`state.${item.state}`) });
    if (item.decided_by.includes(this.me.id)) return t('hindrance.mine');
    if (item.owner && item.owner.id !== this.me.id && item.owner.until_ms > this.now()) return t('hindrance.claimed', { name: item.owner.name });
    if (item.state === 'supervisor' && !this.may(item)) return t('hindrance.supervisor');
    if (this.me.role === 'auditor') return t('hindrance.auditor');
    if (this.evidence.painted === null) return t('hindrance.painting');
    return null;
  }

  /** @param {'confirmed' | 'rejected' | 'referred'} verdict @param {Reason} [reason] */
  async decide(verdict, reason) {
    const hindrance = this.hindrance();
    const looked = this.evidence.lookedMs();
    const shown = this.case;
    if (hindrance || this.busy || !shown || looked === null) {
      this.page.say(hindrance ?? t('hindrance.busy'), true);
      return;
    }
    const id = shown.item.id;
    this.busy = true;
    this.buttons();
    await this.holding;
    try {
      const { state } = await ask('POST', `/v1/cases/${id}/disposition`, { verdict, reason: reason ?? null, evidence: this.evidence.digest, looked_ms: looked });
      const said = t('undo.done', { verdict: t(`verdict.${verdict}`), plate: shown.item.sought, state: t(`state.${state}`) });
      this.undoable = { id, text: said, until: Date.now() + UNDO_MS };
      this.claimed = null;
      this.busy = false;
      this.drawUndo();
      Object.assign(shown.item, { state, owner: null, decided_by: [...shown.item.decided_by, this.me.id] });
      this.queue.put(shown.item);
      await this.onward(id);
    } catch (error) {
      this.busy = false;
      this.refused(error, id);
      if (error instanceof Refused && error.why === 'note_wanted') this.note.focus();
    }
    this.buttons();
  }

  /** The next case comes by itself, and into this person's hand. @param {Id} after */
  async onward(after) {
    this.ask(false);
    this.queue.selected = null;
    // Nothing is under the cursor now: what is new comes in, and is next where it is the most urgent.
    this.queue.reveal();
    this.queue.tidy();
    for (let tries = 0; tries < 5; tries += 1) {
      const next = this.queue.next((item) => this.may(item), after);
      if (!next) break;
      const opening = this.open(next.id);
      if (typeof next.id === 'string') return opening;
      const held = await this.claim(next.id);
      await opening;
      if (held || this.queue.selected !== next.id || (this.case && this.may(this.case.item))) return;
    }
    if (this.queue.selected === null) this.leave();
  }

  async undo() {
    const { undoable } = this;
    if (!undoable || undoable.until < Date.now()) {
      this.page.say(t('undo.toolate'), true);
      return;
    }
    try {
      await ask('DELETE', `/v1/cases/${undoable.id}/disposition`);
      this.undoable = null;
      this.drawUndo();
      this.page.say(t('undo.undone'));
      await this.open(undoable.id);
    } catch (error) {
      this.refused(error, undoable.id);
    }
  }

  /** Says why not, in the page's own words where it has them. @param {unknown} error @param {Id} id */
  refused(error, id) {
    const why = error instanceof Refused && error.why ? t(`why.${error.why}`, { name: error.more.by ?? '' }) : String(error instanceof Error ? error.message : error);
    this.page.say(why, true);
    if (this.queue.selected === id) void this.refresh(id);
  }

  /** Opens or shuts the reasons. @param {boolean} open */
  ask(open) {
    this.asking = open && this.hindrance() === null;
    if (open && !this.asking) this.page.say(this.hindrance() ?? '', true);
    this.reasons.hidden = !this.asking;
    this.reject.setAttribute('aria-expanded', String(this.asking));
  }

  // --- notes ---

  /** @param {KeyboardEvent} event */
  noteKey(event) {
    if (event.key === 'Escape') this.note.blur();
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      void this.sendNote();
    }
  }

  async sendNote() {
    const body = this.note.value.trim();
    const id = this.case?.item.id;
    if (!body || id === undefined) return;
    try {
      await ask('POST', `/v1/cases/${id}/notes`, { body });
      this.note.value = '';
      this.note.blur();
      this.page.say(t('note.sent'));
      await this.refresh(id);
    } catch (error) {
      this.refused(error, id);
    }
  }

  // --- drawing ---

  draw() {
    const shown = this.case;
    const car = this.car();
    fill(this.carPlace, ...(car ? [
      h('h2', {}, h('span', { class: 'plate' }, car.mark ?? t('trains.nomark')), ` · ${t(`carkind.${car.kind ?? 'other'}`)}`),
      h('a', { href: `#trains/${car.scan}/${car.position}`, class: 'card waits' },
        h('img', { src: `/v1/scans/${car.scan}/cars/${car.position}/thumbnail`, alt: t('trains.picture', { n: car.position }) }),
        h('span', { class: 'block' }, `▲ ${t('trains.look', { n: car.waiting })} · ${percent(car.probability)}`),
        car.sought ? h('span', { class: 'block' }, `${t('trains.sought')}: ${car.sought.join(' · ')}`) : null,
        h('strong', { class: 'block' }, t('hindrance.car'), ' ', h('kbd', {}, 'Enter'))),
    ] : []));
    this.nothing.hidden = shown !== null || this.queue.selected !== null;
    this.right.classList.toggle('off', shown === null);
    this.buttons();
    this.drawUndo();
    if (!shown) {
      fill(this.facts);
      return;
    }
    fill(this.facts, ...entry(shown, this.now()), ...reading(shown), ...past(shown));
  }

  buttons() {
    const hindrance = this.hindrance();
    const off = hindrance !== null || this.busy;
    fill(this.confirm, t('decision.confirm'), ' ', h('kbd', {}, 'a'));
    fill(this.reject, t('decision.reject'), ' ', h('kbd', {}, 'r'));
    fill(this.unsure, t('decision.unsure'), ' ', h('kbd', {}, 'u'));
    fill(this.take, t('decision.claim'), ' ', h('kbd', {}, 'Enter'));
    for (const button of [this.confirm, this.reject, this.unsure]) button.setAttribute('aria-disabled', String(off));
    const item = this.case?.item;
    this.take.hidden = !item || this.claimed === item.id || !this.may(item);
    if (off && this.asking) this.ask(false);
    this.standing(hindrance);
  }

  /** Where the case stands, in words. @param {string | null} hindrance */
  standing(hindrance) {
    const item = this.case?.item;
    /** @type {import('./dom.js').Child[]} */
    const parts = [];
    if (item) {
      parts.push(h('strong', {}, t(`state.${item.state}`)));
      if (item.state === 'open' && item.two_person) parts.push(` · ${t('queue.two')}`);
      if (this.claimed === item.id) parts.push(` · ${t('queue.mine')}`);
      if (item.hit === 'withdrawn') parts.push(` · ${t('hit.withdrawn')}`);
    }
    if (hindrance) parts.push(h('span', { class: 'hindrance' }, hindrance));
    fill(this.status, ...parts);
  }

  drawUndo() {
    const { undoable } = this;
    const left = undoable ? undoable.until - Date.now() : 0;
    this.undoBar.hidden = left <= 0;
    if (undoable && left > 0) {
      fill(this.undoBar, `${undoable.text} `, h('button', { onclick: () => void this.undo() }, t('undo.button', { span: span(left) }), ' ', h('kbd', {}, 'z')));
    }
  }

  tick() {
    this.queue.tick();
    this.drawUndo();
    if (this.case?.item.owner && this.case.item.owner.id !== this.me.id) this.buttons();
  }
}
