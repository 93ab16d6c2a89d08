// The queue: most urgent first, then oldest. What is new waits behind a button until somebody wants it, so that nothing moves under the cursor.
// Only the rows in view exist: ten thousand cases cost what twenty do.

import { fill, h } from './dom.js';
import { number, percent, span, t } from './words.js';

/** @typedef {import('./server.js').Item} Item */
/** @typedef {import('./server.js').Id} Id */
/** @typedef {'critical' | 'high' | 'medium' | 'low'} Severity */

/** A row's height, CSS pixels: page.css says the same. */
const ROW = 84;
/** Rows made beyond each end of the view. */
const BEYOND = 6;

/** What a priority means on the page. @param {number} priority @returns {Severity} */
export function severity(priority) {
  if (priority < 10) return 'critical';
  if (priority < 30) return 'high';
  return priority < 60 ? 'medium' : 'low';
}

/** Shape beside the word and the colour: none of the three is needed to tell severities apart. */
const ICONS = { critical: '▲', high: '◆', medium: '●', low: '○' };

/** @param {number} priority */
export function badge(priority) {
  const kind = severity(priority);
  return h('span', { class: `severity ${kind}` }, h('span', { 'aria-hidden': 'true' }, `${ICONS[kind]} `), t(`severity.${kind}`));
}

/** @param {State | string} state */
export const waits = (state) => state === 'open' || state === 'second' || state === 'supervisor';

/** @typedef {import('./server.js').State} State */

/** @param {Item} a @param {Item} b */
const order = (a, b) => a.priority - b.priority || a.stored_ms - b.stored_ms || (a.id < b.id ? -1 : 1);

export class Queue {
  /** @param {{onselect: (id: Id) => void, onclaim: (id: Id) => void, now: () => number, me: () => string}} owner */
  constructor(owner) {
    this.owner = owner;
    /** @type {Item[]} rows as they stand on the screen */
    this.rows = [];
    /** @type {Map<Id, Item>} what is new and waits */
    this.fresh = new Map();
    /** @type {Id | null} */
    this.selected = null;
    this.more = 0;
    this.space = h('div', { class: 'space', role: 'presentation' });
    this.list = h('div', { class: 'rows', role: 'listbox', tabindex: 0, onscroll: () => this.draw() }, this.space);
    this.newButton = h('button', { class: 'new', hidden: true, onclick: () => this.reveal() });
    this.newPlace = h('div', { class: 'new-place' }, this.newButton);
    this.counts = h('p', { class: 'counts' });
    this.empty = h('p', { class: 'empty' });
    this.element = h('section', { class: 'queue' }, h('header', {}, this.counts, this.newPlace), this.empty, this.list);
    new ResizeObserver(() => this.draw()).observe(this.list);
  }

  /** Everything anew. @param {Item[]} items @param {number} all */
  replace(items, all) {
    const first = this.rows.length === 0 && this.fresh.size === 0;
    const known = new Set(this.rows.map((row) => row.id));
    this.more = Math.max(0, all - items.length);
    /** @type {Item[]} */
    const rows = [];
    this.fresh.clear();
    for (const item of items) {
      if (first || known.has(item.id)) rows.push(item);
      else this.fresh.set(item.id, item);
    }
    // What is on the screen stays there, even when it is decided.
    const chosen = this.rows.find((row) => row.id === this.selected);
    if (chosen && !rows.some((row) => row.id === chosen.id)) rows.push(chosen);
    this.rows = rows.sort(order);
    this.draw();
  }

  /** One case is new or has changed; true where it is new here. @param {Item} item */
  put(item) {
    const at = this.rows.findIndex((row) => row.id === item.id);
    if (at >= 0) {
      if (waits(item.state) || item.id === this.selected) this.rows[at] = item;
      else this.remove(item.id);
      this.draw();
      return false;
    }
    if (!waits(item.state)) {
      this.fresh.delete(item.id);
      this.draw();
      return false;
    }
    const isNew = !this.fresh.has(item.id);
    // With nothing on the screen nothing can move; and what somebody has opened is wanted.
    if (this.rows.length === 0 || item.id === this.selected) {
      this.fresh.delete(item.id);
      this.rows = [...this.rows, item].sort(order);
      this.show();
    } else {
      this.fresh.set(item.id, item);
    }
    this.draw();
    return isNew;
  }

  /** Takes a row away; what is under the cursor stays where it is. @param {Id} id */
  remove(id) {
    this.fresh.delete(id);
    const at = this.rows.findIndex((row) => row.id === id);
    if (at < 0) return;
    this.rows.splice(at, 1);
    if (at * ROW < this.list.scrollTop) this.list.scrollTop -= ROW;
    this.draw();
  }

  /** Lets in what waits. */
  reveal() {
    if (this.fresh.size === 0) return;
    this.rows = [...this.rows, ...this.fresh.values()].sort(order);
    this.fresh.clear();
    this.show();
    this.draw();
  }

  /** Drops rows that are decided, but for the one on the screen. */
  tidy() {
    this.rows = this.rows.filter((row) => waits(row.state) || row.id === this.selected);
  }

  /** @param {Id | null} id */
  select(id) {
    this.selected = id;
    this.show();
    this.draw();
  }

  /** Brings the selected row into view. */
  show() {
    const at = this.rows.findIndex((row) => row.id === this.selected);
    if (at < 0) return;
    const { scrollTop, clientHeight } = this.list;
    if (at * ROW < scrollTop) this.list.scrollTop = at * ROW;
    else if ((at + 1) * ROW > scrollTop + clientHeight) this.list.scrollTop = (at + 1) * ROW - clientHeight;
  }

  /** The next or previous row. @param {1 | -1} step */
  move(step) {
    const at = this.rows.findIndex((row) => row.id === this.selected);
    const next = at < 0 ? 0 : Math.min(this.rows.length - 1, Math.max(0, at + step));
    const row = this.rows[next];
    if (row && row.id !== this.selected) this.owner.onselect(row.id);
  }

  /** The most urgent case that `may` be decided, but `but`. @param {(item: Item) => boolean} may @param {Id | null} but */
  next(may, but) {
    return this.rows.find((row) => row.id !== but && may(row)) ?? null;
  }

  /** @param {Id} id */
  item(id) {
    return this.rows.find((row) => row.id === id) ?? this.fresh.get(id) ?? null;
  }

  draw() {
    const waiting = this.rows.filter((row) => waits(row.state)).length + this.fresh.size + this.more;
    fill(this.counts, h('strong', {}, t('queue.waiting', { n: number(waiting) })), this.more > 0 ? ` ${t('queue.more', { n: number(this.more) })}` : '');
    this.newButton.hidden = this.fresh.size === 0;
    if (this.fresh.size > 0) {
      const worst = [...this.fresh.values()].sort(order)[0];
      fill(this.newButton, t('queue.new', { n: number(this.fresh.size) }), ' · ', worst ? badge(worst.priority) : '', ' ', h('kbd', {}, '.'));
    }
    this.empty.hidden = this.rows.length > 0;
    fill(this.empty, t('queue.empty'));
    this.list.hidden = this.rows.length === 0;
    this.list.setAttribute('aria-label', t('queue.title'));
    this.space.style.height = `${this.rows.length * ROW}px`;
    const first = Math.max(0, Math.floor(this.list.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.rows.length, Math.ceil((this.list.scrollTop + this.list.clientHeight) / ROW) + BEYOND);
    fill(this.space, ...this.rows.slice(first, last).map((row, at) => this.row(row, first + at)));
    if (this.selected !== null && this.rows.some((row) => row.id === this.selected)) this.list.setAttribute('aria-activedescendant', `case-${this.selected}`);
    else this.list.removeAttribute('aria-activedescendant');
  }

  /** Ages and budgets, once a second. */
  tick() {
    for (const cell of this.space.querySelectorAll('[data-stored]')) {
      const stored = Number(cell.getAttribute('data-stored'));
      fill(cell, ...this.age(stored));
    }
  }

  /** @param {number} stored */
  age(stored) {
    const age = this.owner.now() - Math.abs(stored);
    // A look into a car is no alarm on the road: its age says enough.
    if (stored < 0) return [h('span', {}, t('queue.age', { span: span(age) }))];
    const left = BUDGET.decideMs - age;
    return [
      h('span', {}, t('queue.age', { span: span(age) })),
      ' · ',
      h('span', { class: left < 0 ? 'over' : '' }, left < 0 ? t('queue.over', { span: span(-left) }) : t('queue.left', { span: span(left) })),
    ];
  }

  /** @param {Item} item @param {number} at */
  row(item, at) {
    const chosen = item.id === this.selected;
    const mine = item.owner?.id === this.owner.me();
    // Whose it is first: where the row is narrow, that is not cut.
    const flags = [
      item.owner ? h('span', { class: `flag owner${mine ? ' mine' : ''}` }, mine ? t('queue.mine') : item.owner.name) : null,
      item.state === 'second' ? h('span', { class: 'flag second' }, t('queue.second')) : null,
      item.state === 'supervisor' ? h('span', { class: 'flag supervisor' }, t('state.supervisor')) : null,
      item.state === 'open' && item.two_person ? h('span', { class: 'flag' }, t('queue.two')) : null,
      item.hit === 'sighted' || item.car?.passing ? h('span', { class: 'flag' }, t(item.car ? 'scan.passing' : 'queue.inview')) : null,
      waits(item.state) ? null : h('span', { class: 'flag done' }, t(`state.${item.state}`)),
    ];
    const { car } = item;
    const stored = car ? -item.stored_ms : item.stored_ms;
    const small = car
      ? [`${t(`carkind.${car.kind ?? 'other'}`)} · `, h('span', { class: 'class' }, t('trains.look', { n: number(car.waiting) })), ` · ${percent(car.probability)} · ${item.lane} · `, h('span', {}, car.train ?? t('trains.number', { n: car.scan }))]
      : [h('span', {}, item.lane), ' · ', h('span', {}, item.list), ' · ', h('span', { class: 'class' }, t(`class.${item.class}`))];
    const row = h('div', {
      class: `row ${severity(item.priority)}${waits(item.state) ? '' : ' decided'}`, role: 'option', id: `case-${item.id}`,
      'aria-selected': String(chosen), 'aria-setsize': this.rows.length, 'aria-posinset': at + 1,
      onclick: () => this.owner.onselect(item.id), ondblclick: () => this.owner.onclaim(item.id),
    },
      h('div', { class: 'line first' }, badge(item.priority), h('span', { class: car ? 'plate small' : 'plate' }, item.sought), h('span', { class: 'where' }, car ? t('queue.car') : item.jurisdiction || t('any'))),
      h('div', { class: 'line small' }, ...small),
      h('div', { class: 'line small' }, ...flags, h('span', { 'data-stored': stored }, ...this.age(stored))));
    row.style.top = `${at * ROW}px`;
    return row;
  }
}

/** What a hit may take until somebody has decided, milliseconds; the server says it with each case. */
export const BUDGET = { decideMs: 8_000 };
