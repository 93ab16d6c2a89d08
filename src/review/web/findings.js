// What was found in a car and why, chosen one after the other, and what people decide on it.

import { facts, fill, h } from './dom.js';
import { SHUT } from './measure.js';
import { waits } from './queue.js';
import { Refused, ask } from './server.js';
import { number, percent, t, time } from './words.js';

/** @typedef {import('./car.js').Finding} Finding */

/** Why a finding is rejected, in the order of the keys. */
export const REASONS = ['structure', 'cargo', 'declared', 'artefact', 'seen_before', 'other'];
const UNDO_MS = 10_000;

export class Findings {
  /** @param {import('./car.js').Car} car */
  constructor(car) {
    this.car = car;
    this.element = h('section', {});
    this.note = h('textarea', { id: 'finding-note', rows: 2, maxlength: 2000 });
    /** Which is looked at; −1: none. */
    this.chosen = -1;
    /** Whether a reason is asked for. */
    this.asking = false;
    /** @type {{number: number, until: number} | null} */
    this.undoable = null;
  }

  /** What can be taken back no longer. */
  tick() {
    if (!this.undoable || this.undoable.until >= Date.now()) return;
    this.undoable = null;
    this.draw();
  }

  /** The next finding after this one that waits for this person; −1: none. @param {number} after */
  next(after) {
    const { view } = this.car;
    if (!view) return -1;
    const { me } = this.car.page.review;
    const open = view.judged.map(({ state, by }, index) => (waits(state) && (by.length > 0 || view.told.findings[index].probability >= 0.5) && !by.some(({ person }) => person === me.id) ? index : -1)).filter((index) => index >= 0);
    return open.find((index) => index > after) ?? open[0] ?? -1;
  }

  /** Why this person cannot decide on the chosen finding now. */
  hindrance() {
    const { view, page, painted } = this.car;
    const { me } = page.review;
    const one = view?.judged[this.chosen];
    if (!one) return t('car.choose');
    if (me.role === 'auditor') return t('hindrance.auditor');
    if (!waits(one.state)) return t('hindrance.closed', { state: t(`state.${one.state}`) });
    if (one.by.some(({ person }) => person === me.id)) return t('hindrance.mine');
    if (one.state === 'supervisor' && me.role !== 'supervisor' && me.role !== 'admin') return t('hindrance.supervisor');
    const owner = view?.case?.owner;
    if (owner && owner.id !== me.id && owner.until_ms > page.review.now()) return t('hindrance.claimed', { name: owner.name });
    return painted === null ? t('hindrance.painting') : null;
  }

  /** @param {number} index @param {boolean} [asked] whether somebody asked: where the page is narrow, what nobody asked for must not push the pixels away */
  choose(index, asked = true) {
    const count = this.car.view?.told.findings.length ?? 0;
    if (count === 0) {
      this.car.page.say(t('car.nofindings'), true);
      return;
    }
    this.chosen = (index + count) % count;
    this.ask(false);
    const [x = 0, y = 0, w = 0, d = 0] = this.car.view?.told.findings[this.chosen].box;
    const [width, height] = this.car.stage.size();
    const { columns, detectors } = this.car.stage.body();
    const aspect = this.car.stage.aspect();
    // Large enough to see, with as much again about it, but never smaller than all of the car: what is chosen is in sight, whatever the screen's shape.
    const scale = Math.min(width / (3 * w), height / (3 * d) / aspect, 8);
    this.car.stage.look([x + w / 2, y + d / 2], Math.max(scale, Math.min(width / (columns[1] - columns[0]), height / detectors / aspect)));
    this.draw();
    // Beside the pixels its words come into sight by themselves; below them, under their upper edge.
    const beside = !matchMedia('(max-width: 1000px)').matches;
    if (asked || beside) this.element.querySelector('[aria-current="true"]')?.scrollIntoView({ block: beside ? 'nearest' : 'start' });
    this.car.page.say(this.why(this.car.view?.told.findings[this.chosen]));
  }

  /** @param {Finding} finding */
  why(finding) {
    return `${t(`finding.${finding.kind}`)}: ${t('car.why', { probability: percent(finding.probability), detector: t(`detector.${finding.detector}`) })}`;
  }

  /** @param {boolean} open */
  ask(open) {
    const hindrance = open ? this.hindrance() : null;
    if (hindrance) this.car.page.say(hindrance, true);
    this.asking = open && !hindrance;
    this.draw();
    if (this.asking) this.element.querySelector('.reasons')?.scrollIntoView({ block: 'nearest' });
  }

  /** What others did has come: whoever is asked for a reason is told where none is wanted any more. */
  told() {
    if (this.asking && this.hindrance()) this.ask(true);
    else this.draw();
  }

  /** @param {'confirmed' | 'rejected' | 'referred'} verdict @param {string} [reason] */
  async decide(verdict, reason) {
    const index = this.chosen;
    const hindrance = this.hindrance();
    if (hindrance) {
      this.car.page.say(hindrance, true);
      return;
    }
    const looked_ms = Math.round(performance.now() - (this.car.painted ?? 0));
    const note = this.note.value.trim();
    try {
      const made = await ask('POST', `${this.car.address()}/findings/${index}/disposition`, { verdict, reason: reason ?? null, note: note || null, looked_ms });
      this.note.value = '';
      this.asking = false;
      this.undoable = { number: index, until: Date.now() + UNDO_MS };
      this.car.made(made);
      this.car.page.say(t('car.decided', { verdict: t(`verdict.${verdict}`) }));
      const next = this.next(index);
      if (next >= 0) this.choose(next);
    } catch (error) {
      this.car.failed(error);
      if (error instanceof Refused && error.why === 'note_wanted') this.note.focus();
    }
  }

  async undo() {
    if (!this.undoable) {
      this.car.page.say(t('undo.toolate'), true);
      return;
    }
    try {
      const made = await ask('DELETE', `${this.car.address()}/findings/${this.undoable.number}/disposition`);
      this.chosen = this.undoable.number;
      this.undoable = null;
      this.car.made(made);
      await this.car.hold();
      this.car.page.say(t('undo.undone'));
    } catch (error) {
      this.car.failed(error);
    }
  }

  draw() {
    const { view } = this.car;
    if (!view) return;
    const told = view.told;
    // What others do takes nobody's hand off the note or off a finding; a button that decides is not left under a finger, for what it decides on has changed.
    const on = document.activeElement;
    const finding = this.element.contains(on) ? on?.getAttribute('data-finding') : null;
    fill(this.element, h('h2', {}, t('car.findings')), this.standing(),
      told.error ? h('p', { class: 'alarm' }, told.error) : null,
      told.penetration_limited > SHUT ? h('p', { class: 'limits' }, t('car.limited', { share: percent(told.penetration_limited) })) : null,
      told.findings.length === 0 ? h('p', {}, t('car.nofindings')) : h('ol', { class: 'findings' }, ...told.findings.map((/** @type {Finding} */ finding, /** @type {number} */ index) => this.finding(finding, index))));
    if (on === this.note && this.element.contains(on)) this.note.focus();
    else if (finding) [...this.element.querySelectorAll('button')].find((button) => button.getAttribute('data-finding') === finding)?.focus();
    this.car.stage.draw();
  }

  /** @param {Finding} finding @param {number} index */
  finding(finding, index) {
    const { state, by } = this.car.view?.judged[index] ?? { state: 'open', by: [] };
    const mine = by.some(({ person }) => person === this.car.page.review.me.id);
    const chosen = index === this.chosen;
    const [along = 0, height = 0, length = 0, tall = 0] = finding.box_mm;
    return h('li', { class: chosen ? 'chosen' : '', 'aria-current': String(chosen) },
      h('button', { class: 'block', 'data-finding': index, onclick: () => this.choose(index) }, h('strong', {}, `${t(`finding.${finding.kind}`)} · ${percent(finding.probability)}`), index === this.chosen + 1 ? ' ' : '', index === this.chosen + 1 ? h('kbd', {}, 'n') : null),
      facts([
        [t('car.detector'), t(`detector.${finding.detector}`)],
        [t('car.rate'), t('car.rateof', { n: number(1 / Math.max(finding.false_alarm_rate, 1e-6)) })],
        [t('car.delta'), finding.sigma_g_cm2 > 0 ? `${number(finding.delta_g_cm2, 2)} ± ${number(finding.sigma_g_cm2, 2)} g/cm²` : null],
        [t('car.mass'), finding.mass_kg ? t('car.masskg', { kg: number(finding.mass_kg, 1) }) : null],
        [t('car.steel'), `${number(finding.thickness_mm_steel, 1)} mm`],
        [t('car.score'), number(finding.score, 2)],
        [t('car.where'), t('car.place', { along: number(along / 1000, 2), height: number(height / 1000, 2), length: number(length / 1000, 2), tall: number(tall / 1000, 2) })],
      ]),
      ...by.map((one) => h('p', { class: 'decided' }, h('strong', {}, t(`verdict.${one.verdict}`)), one.reason ? `: ${t(`carreason.${one.reason}`)}` : '', one.note ? ` “${one.note}”` : '',
        h('span', { class: 'small' }, ` ${one.name}, ${time(one.decided_ms)} `),
        this.undoable?.number === index && one.person === this.car.page.review.me.id ? h('button', { onclick: () => void this.undo() }, t('key.undo'), ' ', h('kbd', {}, 'z')) : null)),
      state === 'second' || state === 'supervisor' ? h('p', { class: `flag ${state}` }, t(`state.${state}`)) : null,
      chosen && waits(state) && !mine && this.car.page.review.me.role !== 'auditor' ? h('div', {},
        h('div', { class: 'buttons' },
          h('button', { class: 'confirm', onclick: () => void this.decide('confirmed') }, t('tool.confirm'), ' ', h('kbd', {}, 'a')),
          h('button', { class: 'reject', 'aria-expanded': String(this.asking), onclick: () => this.ask(!this.asking) }, t('tool.reject'), ' ', h('kbd', {}, 'r')),
          h('button', { class: 'unsure', onclick: () => void this.decide('referred') }, t('decision.unsure'), ' ', h('kbd', {}, 'u'))),
        this.asking ? h('ol', { class: 'reasons' }, ...REASONS.map((reason, at) => h('li', {}, h('button', { onclick: () => void this.decide('rejected', reason) }, h('kbd', {}, at + 1), ' ', t(`carreason.${reason}`))))) : null,
        h('label', { for: 'finding-note', class: 'small block' }, t('note.label')), this.note) : null);
  }

  /** Where the car stands: who has it in hand, and whether two are wanted. */
  standing() {
    const item = this.car.view?.case;
    if (!item) return null;
    const other = item.owner && item.owner.id !== this.car.page.review.me.id && item.owner.until_ms > this.car.page.review.now() ? item.owner.name : null;
    return h('p', { class: 'standing', role: 'status' }, h('strong', {}, t(`state.${item.state}`)), item.two_person && item.state === 'open' ? ` · ${t('queue.two')}` : '',
      this.car.held ? ` · ${t('queue.mine')}` : '', other ? h('span', { class: 'hindrance' }, t('hindrance.claimed', { name: other })) : null,
      waits(item.state) ? null : h('a', { href: '#queue', class: 'block' }, t('nav.queue'), ' ', h('kbd', {}, 'g q')));
  }
}
