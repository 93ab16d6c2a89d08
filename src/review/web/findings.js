// What was found in a car and why, chosen one after the other, and what people decide on it.

import { facts, fill, h } from './dom.js';
import { SHUT } from './measure.js';
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

  /** @param {number} index */
  choose(index) {
    const count = this.car.view?.told.findings.length ?? 0;
    if (count === 0) {
      this.car.page.say(t('car.nofindings'), true);
      return;
    }
    this.chosen = (index + count) % count;
    this.ask(false);
    const [x = 0, y = 0, w = 0, d = 0] = this.car.view?.told.findings[this.chosen].box;
    const [width, height] = this.car.stage.size();
    // Large enough to see, with as much again about it.
    const scale = Math.min(width / (3 * w), height / (3 * d) / this.car.stage.aspect(), 8);
    this.car.stage.look([x + w / 2, y + d / 2], Math.max(scale, width / ((this.car.view?.columns[1] ?? 1) - (this.car.view?.columns[0] ?? 0))));
    this.draw();
    this.element.querySelector('[aria-current="true"]')?.scrollIntoView({ block: 'nearest' });
    this.car.page.say(this.why(this.car.view?.told.findings[this.chosen]));
  }

  /** @param {Finding} finding */
  why(finding) {
    return `${t(`finding.${finding.kind}`)}: ${t('car.why', { probability: percent(finding.probability), detector: t(`detector.${finding.detector}`) })}`;
  }

  /** @param {boolean} open */
  ask(open) {
    const mine = open && this.chosen >= 0 && !this.car.view?.dispositions[this.chosen];
    if (open && !mine) this.car.page.say(t(this.chosen < 0 ? 'car.choose' : 'car.already'), true);
    this.asking = mine;
    this.draw();
  }

  /** @param {'confirmed' | 'rejected'} verdict @param {string} [reason] */
  async decide(verdict, reason) {
    const index = this.chosen;
    if (index < 0) {
      this.car.page.say(t('car.choose'), true);
      return;
    }
    const note = this.note.value.trim();
    try {
      const made = await ask('POST', `${this.car.address()}/findings/${index}/disposition`, { verdict, reason: reason ?? null, note: note || null });
      this.note.value = '';
      this.asking = false;
      this.undoable = { number: index, until: Date.now() + UNDO_MS };
      this.car.made(made);
      this.car.page.say(t('car.decided', { verdict: t(`verdict.${verdict}`) }));
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
      this.undoable = null;
      this.car.made(made);
      this.car.page.say(t('undo.undone'));
    } catch (error) {
      this.car.failed(error);
    }
  }

  draw() {
    const { view } = this.car;
    if (!view) return;
    const told = view.told;
    fill(this.element, h('h2', {}, t('car.findings')),
      told.error ? h('p', { class: 'alarm' }, told.error) : null,
      told.penetration_limited > SHUT ? h('p', { class: 'limits' }, t('car.limited', { share: percent(told.penetration_limited) })) : null,
      told.findings.length === 0 ? h('p', {}, t('car.nofindings')) : h('ol', { class: 'findings' }, ...told.findings.map((/** @type {Finding} */ finding, /** @type {number} */ index) => this.finding(finding, index))));
    this.car.stage.draw();
  }

  /** @param {Finding} finding @param {number} index */
  finding(finding, index) {
    const decided = this.car.view?.dispositions[index];
    const chosen = index === this.chosen;
    const [along = 0, height = 0, length = 0, tall = 0] = finding.box_mm;
    return h('li', { class: chosen ? 'chosen' : '', 'aria-current': String(chosen) },
      h('button', { class: 'block', onclick: () => this.choose(index) }, h('strong', {}, `${t(`finding.${finding.kind}`)} · ${percent(finding.probability)}`), index === this.chosen + 1 ? ' ' : '', index === this.chosen + 1 ? h('kbd', {}, 'n') : null),
      facts([
        [t('car.detector'), t(`detector.${finding.detector}`)],
        [t('car.rate'), t('car.rateof', { n: number(1 / Math.max(finding.false_alarm_rate, 1e-6)) })],
        [t('car.delta'), finding.sigma_g_cm2 > 0 ? `${number(finding.delta_g_cm2, 2)} ± ${number(finding.sigma_g_cm2, 2)} g/cm²` : null],
        [t('car.mass'), finding.mass_kg ? t('car.masskg', { kg: number(finding.mass_kg, 1) }) : null],
        [t('car.steel'), `${number(finding.thickness_mm_steel, 1)} mm`],
        [t('car.score'), number(finding.score, 2)],
        [t('car.where'), t('car.place', { along: number(along / 1000, 2), height: number(height / 1000, 2), length: number(length / 1000, 2), tall: number(tall / 1000, 2) })],
      ]),
      decided
        ? h('p', { class: 'decided' }, h('strong', {}, t(`verdict.${decided.verdict}`)), decided.reason ? `: ${t(`carreason.${decided.reason}`)}` : '', decided.note ? ` “${decided.note}”` : '',
          h('span', { class: 'small' }, ` ${decided.name}, ${time(decided.decided_ms)} `),
          this.undoable?.number === index ? h('button', { onclick: () => void this.undo() }, t('key.undo'), ' ', h('kbd', {}, 'z')) : null)
        : chosen && this.car.page.review.me.role !== 'auditor' ? h('div', {},
          h('div', { class: 'buttons' },
            h('button', { class: 'confirm', onclick: () => void this.decide('confirmed') }, t('tool.confirm'), ' ', h('kbd', {}, 'a')),
            h('button', { class: 'reject', 'aria-expanded': String(this.asking), onclick: () => this.ask(!this.asking) }, t('tool.reject'), ' ', h('kbd', {}, 'r'))),
          this.asking ? h('ol', { class: 'reasons' }, ...REASONS.map((reason, at) => h('li', {}, h('button', { onclick: () => void this.decide('rejected', reason) }, h('kbd', {}, at + 1), ' ', t(`carreason.${reason}`))))) : null,
          h('label', { for: 'finding-note', class: 'small block' }, t('note.label')), this.note) : null);
  }
}
