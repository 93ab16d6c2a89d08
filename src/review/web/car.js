// One car: what was found and why, what was declared, what people make of it; and every key and button of the stage.

import { at } from './display.js';
import { facts, fill, h, shown } from './dom.js';
import { bind, unbind } from './keys.js';
import { Looking } from './look.js';
import { Findings, REASONS } from './findings.js';
import { ends, histogram, thick } from './measure.js';
import { papers } from './papers.js';
import { Pixels, cells } from './pixels.js';
import { Refused, ask, get } from './server.js';
import { waits } from './queue.js';
import { Stage, placeMm } from './stage.js';
import { number, percent, t, time } from './words.js';

/** @typedef {import('./stage.js').Point} Point
 * @typedef {{say: (text: string, urgent?: boolean) => void, review: {me: import('./server.js').Me, may: (item: import('./server.js').Item) => boolean, queue: import('./queue.js').Queue, now: () => number, active: number}}} Frame
 * @typedef {{kind: string, box: number[], box_mm: number[], score: number, probability: number, false_alarm_rate: number, thickness_mm_steel: number, delta_g_cm2: number,
 *   sigma_g_cm2: number, mass_kg: number, detector: string}} Finding
 * @typedef {import('./stage.js').Body & import('./pixels.js').Where & {settings: {low: number, high: number, zero: number, log: boolean}[], dead: number[], source: string, mark: string | null, name: string | null, portal: string, received_ms: number,
 *   measured: {length_mm: number, axles: number, cut_off: boolean}, told: any, declared: any, now_ms: number,
 *   earlier: {scan: number, position: number, received_ms: number, portal: string} | null,
 *   annotations: {id: number, person: string, name: string, kind: string, from: number[], to: number[], body: string, at_ms: number}[],
 *   judged: {state: import('./server.js').State, by: {person: string, name: string, verdict: string, reason: string | null, note: string | null, decided_ms: number}[]}[],
 *   case: import('./server.js').CarItem | null, findings_sha256: string}} View */

const COMPARE = /** @type {const} */ (['off', 'beside', 'blink', 'difference']);
const BLINK_MS = 700;
/** Pictures of a dual-energy portal, in the order of its settings. */
const ENERGIES = ['high', 'low', 'ratio'];
/** A claim is prolonged this often. */
const PROLONG_MS = 15_000;

/** @typedef {'look' | 'probe' | 'ruler' | 'region' | 'box' | 'arrow' | 'text'} Tool */

export class Car {
  /** @param {Frame} page @param {import('./trains.js').Train} train @param {number[]} order positions as they are gone through @param {number} position */
  constructor(page, train, order, position) {
    this.page = page;
    this.train = train;
    this.order = order;
    this.position = position;
    /** @type {View | null} */
    this.view = null;
    /** @type {import('./pixels.js').Cells | null} */
    this.cells = null;
    /** @type {View | null} */
    this.before = null;
    /** @type {Tool} */
    this.tool = 'look';
    /** @type {Point | null} where something begins that is drawn by keyboard */
    this.from = null;
    /** @type {import('./stage.js').Mark | null} what was measured last */
    this.measure = null;
    this.boxes = true;
    /** Which of the pictures of a dual-energy portal. */
    this.energy = 0;
    /** When the car's pixels had been painted. @type {number | null} */
    this.painted = null;
    this.gone = false;
    /** Whether this person has the car in hand. */
    this.held = false;
    /** How often the server was asked what has become of the car. */
    this.asked = 0;
    /** @type {string[]} */
    this.bound = [];
    /** @type {(HTMLElement | SVGElement | Element)[]} what the last tool said */
    this.result = [];
    /** @type {[Point, Point] | null} */
    this.region = null;
    /** @type {number | null} how well the earlier scan fits, mm */
    this.misfit = null;
    this.looking = new Looking();
    this.stage = new Stage({
      look: () => this.looking.now,
      marks: () => this.marks(),
      tool: () => this.tool,
      hover: (point) => this.read(point),
      drawn: (from, to) => this.finish(from, to),
      window: (across, up) => this.window(-up / 150, 1.01 ** across),
    });
    this.bar = h('div', { class: 'bar', role: 'toolbar' });
    this.readout = h('p', { class: 'readout' });
    this.heading = h('h1', {});
    this.crumbs = h('p', { class: 'crumbs' });
    this.findings = new Findings(this);
    this.measured = h('section', { 'aria-live': 'polite' });
    this.papers = h('section', {});
    this.drawn = h('section', {});
    this.element = h('div', { class: 'viewer' },
      h('div', { class: 'seen' }, this.crumbs, this.heading, this.bar, this.stage.element, this.readout),
      h('div', { class: 'aside', tabindex: 0, role: 'region', 'aria-label': t('car.facts') }, this.findings.element, this.measured, this.papers, this.drawn));
    this.stage.element.setAttribute('aria-label', t('car.stage'));
    this.bar.setAttribute('aria-label', t('car.tools'));
    this.keys();
    this.timer = setInterval(() => this.tick(), BLINK_MS);
    this.prolonging = setInterval(() => this.held && Date.now() - page.review.active < 60_000 && void this.hold(true), PROLONG_MS);
    void this.open();
  }

  stop() {
    this.gone = true;
    clearInterval(this.timer);
    clearInterval(this.prolonging);
    if (this.held) void ask('DELETE', `${this.address()}/claim`).catch(() => {});
    this.held = false;
    this.stage.stop();
    unbind(this.bound);
  }

  address() {
    return `/v1/scans/${this.train.scan}/cars/${this.position}`;
  }

  /** @param {unknown} error */
  failed(error) {
    this.page.say(error instanceof Refused && error.why ? t(`why.${error.why}`, { name: error.more.by ?? '' }) : t('problem', { why: error instanceof Error ? error.message : String(error) }), true);
  }

  /** @param {View} view @param {boolean} flip @returns {import('./stage.js').Source} */
  source(view, flip) {
    return { body: view, flip, pixels: new Pixels(view, view === this.view ? ENERGIES[this.energy] ?? 'high' : 'high', () => { this.stage.draw(); this.tools(); this.seen(); }, (error) => this.failed(error)) };
  }

  async open() {
    try {
      /** @type {View} */
      const view = await get(this.address());
      this.view = view;
      this.looking.begin(/** @type {View['settings'][0]} */ (view.settings[0]));
      this.stage.show(this.source(view, false));
      this.draw();
      await this.hold();
      this.cells = await cells(view, 'thickness', view.cells);
      this.stage.lay(this.cells, 'hatch');
    } catch (error) {
      this.failed(error);
    }
  }

  /** Its pixels have come: when the next frame is there they have been seen. */
  seen() {
    if (this.painted !== null) return;
    requestAnimationFrame(() => requestAnimationFrame(() => {
      if (this.painted !== null || !this.stage.element.dataset['level']) return;
      this.painted = performance.now();
      // What waits is chosen, so that one key decides it.
      const { findings } = this;
      if (findings.chosen < 0 && this.view?.case && waits(this.view.case.state)) findings.choose(findings.next(-1), false);
    }));
  }

  /** Takes the car in hand where it waits for this person; who else has it is said. @param {boolean} [idle] */
  async hold(idle = false) {
    const { view } = this;
    if (!view?.case || !waits(view.case.state) || this.gone || this.page.review.me.role === 'auditor') return;
    try {
      await ask('PUT', `${this.address()}/claim`, undefined, idle);
      this.held = true;
      view.case.owner = { ...this.page.review.me, until_ms: this.page.review.now() + 45_000 };
    } catch (error) {
      this.held = false;
      // Who has decided on all of it is told so where it stands.
      if (error instanceof Refused && error.why === 'claimed') {
        this.failed(error);
        void this.news(null);
      }
    }
    this.findings.draw();
  }

  /** The next picture of a dual-energy portal. */
  energies() {
    const { view, stage } = this;
    if (!view || view.settings.length < 2 || !stage.now) {
      this.page.say(t('car.oneenergy'), true);
      return;
    }
    this.energy = (this.energy + 1) % view.settings.length;
    stage.now.pixels = this.source(view, false).pixels;
    this.looking.begin(/** @type {View['settings'][0]} */ (view.settings[this.energy]));
    this.page.say(t(`energy.${ENERGIES[this.energy]}`));
    this.looked();
  }

  /** What people have made of it, as the server says it after each change. @param {Pick<View, 'annotations' | 'judged' | 'case'>} made */
  made(made) {
    if (this.view) Object.assign(this.view, { annotations: made.annotations, judged: made.judged, case: made.case });
    if (made.case && !waits(made.case.state)) this.held = false;
    this.draw();
  }

  /** Somebody has taken, judged or drawn something, perhaps here: who looks at the car sees it. @param {import('./server.js').Item | null} item `null`: whatever it was */
  async news(item) {
    if (item && item.id !== `${this.train.scan}/${this.position}`) return;
    this.asked += 1;
    const { asked, view } = this;
    const now = await get(`${this.address()}/made`, true).catch(() => null);
    // Of several answers the one counts that was asked for last.
    if (!now || !view || this.gone || asked !== this.asked || view !== this.view) return;
    if (now.findings_sha256 !== view.findings_sha256) {
      // Its train was looked at anew, and findings have other numbers: as if just opened.
      this.painted = null;
      delete this.stage.element.dataset['level'];
      this.findings.chosen = -1;
      this.energy = 0;
      this.page.say(t('car.anew'), true);
      await this.open();
      return;
    }
    Object.assign(view, { annotations: now.annotations, judged: now.judged, case: now.case });
    this.held = now.case?.owner?.id === this.page.review.me.id;
    this.findings.told();
    this.drawDrawn();
  }

  // --- keys and buttons ---

  /** Every tool: key, words, what it does, and whether it is on. @returns {{key: string, words: string, act: () => void, on?: () => boolean, repeats?: boolean, shown?: boolean}[]} */
  all() {
    /** @param {Tool} tool */
    const tool = (tool) => () => this.take(this.tool === tool ? 'look' : tool);
    /** @param {() => void} change */
    const set = (change) => () => { change(); this.looking.kept = null; this.looked(); };
    const { stage } = this;
    /** @param {import('./display.js').Detail} detail */
    const detail = (detail) => set(() => { this.looking.now.detail = this.looking.now.detail === detail ? 'plain' : detail; });
    /** @param {number} x @param {number} y */
    const arrow = (x, y) => () => this.arrow(x, y);
    return [
      { key: 'f', words: 'tool.fit', act: () => stage.fit(), shown: true },
      { key: 'v', words: 'tool.native', act: () => stage.look([stage.view.x, stage.view.y], 1), shown: true },
      { key: '+', words: 'tool.larger', act: () => stage.zoom(1.25), repeats: true, shown: true },
      { key: '-', words: 'tool.smaller', act: () => stage.zoom(0.8), repeats: true, shown: true },
      { key: 'b', words: 'tool.asscanned', act: () => { this.looking.asScanned(); this.looked(); }, on: () => this.looking.kept !== null, shown: true },
      { key: 'o', words: 'tool.log', act: set(() => { this.looking.now.setting.log = !this.looking.now.setting.log; }), on: () => this.looking.now.setting.log, shown: true },
      { key: 'i', words: 'tool.invert', act: set(() => { this.looking.now.setting.invert = !this.looking.now.setting.invert; }), on: () => this.looking.now.setting.invert, shown: true },
      { key: 'c', words: 'tool.colour', act: set(() => { this.looking.now.palette = this.looking.now.palette === 'grey' ? 'viridis' : 'grey'; }), on: () => this.looking.now.palette === 'viridis', shown: true },
      { key: 'E', words: 'tool.energy', act: () => this.energies(), on: () => this.energy > 0, shown: (this.view?.settings.length ?? 1) > 1 },
      { key: 'e', words: 'tool.edges', act: detail('edges'), on: () => this.looking.now.detail === 'edges', shown: true },
      { key: 'x', words: 'tool.contrast', act: detail('contrast'), on: () => this.looking.now.detail === 'contrast', shown: true },
      { key: 'y', words: 'tool.gammaup', act: set(() => this.looking.gamma(1)), shown: true },
      { key: 'Y', words: 'tool.gammadown', act: set(() => this.looking.gamma(-1)), shown: true },
      { key: ',', words: 'tool.darker', act: () => this.window(0.1, 1), repeats: true, shown: true },
      { key: '.', words: 'tool.lighter', act: () => this.window(-0.1, 1), repeats: true, shown: true },
      { key: '<', words: 'tool.narrower', act: () => this.window(0, 0.85), repeats: true, shown: true },
      { key: '>', words: 'tool.wider', act: () => this.window(0, 1 / 0.85), repeats: true, shown: true },
      { key: 'h', words: 'tool.hatch', act: () => { stage.hatched = !stage.hatched; this.looked(); }, on: () => stage.hatched, shown: true },
      { key: 'q', words: 'tool.boxes', act: () => { this.boxes = !this.boxes; this.looked(); }, on: () => this.boxes, shown: true },
      { key: 'd', words: 'tool.compare', act: () => void this.compare(), on: () => stage.compare !== 'off', shown: true },
      { key: 'p', words: 'tool.probe', act: tool('probe'), on: () => this.tool === 'probe', shown: true },
      { key: 'R', words: 'tool.ruler', act: tool('ruler'), on: () => this.tool === 'ruler', shown: true },
      { key: 's', words: 'tool.region', act: tool('region'), on: () => this.tool === 'region', shown: true },
      { key: 'S', words: 'tool.regionwindow', act: set(() => this.regionWindow()), shown: true },
      { key: 'w', words: 'tool.box', act: tool('box'), on: () => this.tool === 'box', shown: true },
      { key: 'W', words: 'tool.arrow', act: tool('arrow'), on: () => this.tool === 'arrow', shown: true },
      { key: 'T', words: 'tool.text', act: tool('text'), on: () => this.tool === 'text', shown: true },
      { key: ' ', words: 'tool.point', act: () => this.set() },
      { key: 'ArrowLeft', words: 'tool.left', act: arrow(-1, 0), repeats: true },
      { key: 'ArrowRight', words: 'tool.right', act: arrow(1, 0), repeats: true },
      { key: 'ArrowUp', words: 'tool.up', act: arrow(0, -1), repeats: true },
      { key: 'ArrowDown', words: 'tool.down', act: arrow(0, 1), repeats: true },
      { key: 'n', words: 'tool.finding', act: () => this.findings.choose(this.findings.chosen + 1), repeats: true },
      { key: 'N', words: 'tool.findingback', act: () => this.findings.choose(this.findings.chosen - 1), repeats: true },
      { key: 'a', words: 'tool.confirm', act: () => void this.findings.decide('confirmed') },
      { key: 'r', words: 'tool.reject', act: () => this.findings.ask(true) },
      { key: 'u', words: 'key.unsure', act: () => void this.findings.decide('referred') },
      { key: 'z', words: 'key.undo', act: () => void this.findings.undo() },
      { key: 'j', words: 'key.nextcar', act: () => this.go(1) },
      { key: 'k', words: 'key.previouscar', act: () => this.go(-1) },
      { key: 'Escape', words: 'key.up', act: () => this.up() },
    ];
  }

  keys() {
    const keys = this.all();
    bind([
      ...keys.map(({ key, words, act, repeats }) => ({ key, words, repeats: repeats ?? false, act })),
      ...REASONS.map((reason, index) => ({ key: String(index + 1), words: `carreason.${reason}`, hidden: () => !this.findings.asking, act: () => void (this.findings.asking && this.findings.decide('rejected', reason)) })),
    ]);
    this.bound = [...keys.map(({ key }) => key), ...REASONS.map((_, index) => String(index + 1))];
  }

  /** The buttons, and what the window is. */
  tools() {
    const { setting, detail } = this.looking.now;
    fill(this.bar, ...this.all().filter((tool) => tool.shown).map(({ key, words, act, on }) =>
      h('button', { onclick: act, 'aria-pressed': on ? String(on()) : null, 'data-key': key }, t(words), ' ', h('kbd', {}, key))),
    h('span', { class: 'small' }, t('car.window', { low: number(setting.low), high: number(setting.high), gamma: number(setting.gamma16 / 16, 2), detail: t(`detail.${detail}`) }), this.energy > 0 ? ` · ${t(`energy.${ENERGIES[this.energy]}`)}` : ''));
  }

  looked() {
    this.stage.draw();
    const key = document.activeElement?.getAttribute('data-key');
    this.tools();
    if (key) [...this.bar.querySelectorAll('button')].find((button) => button.getAttribute('data-key') === key)?.focus();
  }

  /** @param {number} shift @param {number} stretch */
  window(shift, stretch) {
    this.looking.window(shift, stretch);
    this.looking.kept = null;
    this.looked();
  }

  /** The window that shows the region's values apart; all of the car's without a region. */
  regionWindow() {
    const native = this.stage.now?.pixels.native();
    const { view } = this;
    if (!native || !view) this.page.say(t('car.coming'), true);
    else Object.assign(this.looking.now.setting, ends(native, ...(this.region ?? /** @type {[Point, Point]} */ ([[view.columns[0], 0], [view.columns[1] - 1, view.detectors - 1]]))));
  }

  /** @param {number} step */
  go(step) {
    const next = this.order[this.order.indexOf(this.position) + step];
    if (next === undefined) this.page.say(t('car.last'), true);
    else location.hash = `#trains/${this.train.scan}/${next}`;
  }

  up() {
    if (this.findings.asking) this.findings.ask(false);
    else if (this.tool !== 'look') this.take('look');
    else location.hash = `#trains/${this.train.scan}`;
  }

  // --- earlier ---

  async compare() {
    const { view, stage } = this;
    if (!view?.earlier) {
      this.page.say(t('car.noearlier'), true);
      return;
    }
    try {
      if (!stage.then) {
        const difference = await cells(view, 'change', view.cells).catch(() => null);
        this.before = /** @type {View} */ (await get(`/v1/scans/${view.earlier.scan}/cars/${view.earlier.position}`));
        if (this.view !== view) return;
        stage.then = this.source(this.before, difference?.head[1] === 1);
        stage.labels = [t('car.now', { time: time(view.received_ms) }), t('car.earlier', { time: time(this.before.received_ms) })];
        if (difference) stage.lay(difference, 'difference');
        this.misfit = difference?.head[0] ?? null;
      }
      stage.compare = COMPARE[(COMPARE.indexOf(stage.compare) + 1) % COMPARE.length] ?? 'off';
      if (stage.compare === 'difference' && !stage.difference) {
        this.page.say(t('car.misfit'), true);
        stage.compare = 'off';
      }
      if (stage.fitted) stage.fit();
      this.page.say(t(`compare.${stage.compare}`));
      this.looked();
      this.drawMeasured();
    } catch (error) {
      this.failed(error);
    }
  }

  tick() {
    if (this.stage.compare === 'blink' && !matchMedia('(prefers-reduced-motion: reduce)').matches) this.flip();
    this.findings.tick();
  }

  /** Now for earlier, and back. */
  flip() {
    this.stage.blinked = !this.stage.blinked;
    this.stage.draw();
  }

  // --- tools ---

  /** @param {Tool} tool */
  take(tool) {
    this.tool = tool;
    this.from = null;
    this.stage.rubber = null;
    this.stage.cross = tool === 'look' ? null : [this.stage.view.x, this.stage.view.y];
    this.stage.element.classList.toggle('aims', tool !== 'look');
    this.page.say(t(tool === 'look' ? 'car.looking' : 'car.aiming'));
    this.looked();
  }

  /** The arrows pan, or move the crosshair. @param {number} x @param {number} y */
  arrow(x, y) {
    const { stage } = this;
    if (!stage.cross) {
      stage.pan(x * 60 * devicePixelRatio, y * 60 * devicePixelRatio);
      return;
    }
    const step = stage.view.scale >= 4 ? 1 : Math.max(1, Math.round(8 / stage.view.scale));
    const { columns, detectors } = stage.body();
    stage.cross = [
      Math.min(Math.max(Math.floor(stage.cross[0]) + x * step + 0.5, columns[0]), columns[1] - 0.5),
      Math.min(Math.max(Math.floor(stage.cross[1]) + y * step + 0.5, 0), detectors - 0.5),
    ];
    if (this.from) stage.rubber = [this.from, stage.cross];
    this.read(stage.cross);
    stage.draw();
  }

  /** Space: here it begins, here it ends. */
  set() {
    const { cross, compare } = this.stage;
    // By hand, for whoever wants nothing to move by itself.
    if (!cross && compare === 'blink') this.flip();
    if (!cross) return;
    if (this.tool === 'probe' || this.tool === 'text') this.finish(cross, cross);
    else if (!this.from) this.from = cross;
    else {
      const from = this.from;
      this.from = this.stage.rubber = null;
      this.finish(from, cross);
    }
  }

  /** What is under the hand. @param {Point} point */
  read(point) {
    const view = /** @type {View} */ (this.view);
    const [column, row] = [Math.floor(point[0]), Math.floor(point[1])];
    if (column < view.columns[0] || column >= view.columns[1] || row < 0 || row >= view.detectors) return;
    const [along = 0, height = 0] = placeMm(view, point);
    const native = this.stage.now?.pixels.there.get(0);
    const stored = native ? number(at(native.data, row * native.width + column - native.x0)) : '…';
    fill(this.readout, t('car.readout', { column: number(column), detector: number(row), along: number(along), height: number(height), stored }), ' · ', thick(view, this.cells, point, point));
  }

  /** Something was drawn. @param {Point} from @param {Point} to */
  finish(from, to) {
    const view = /** @type {View} */ (this.view);
    const [a, b] = [placeMm(view, from), placeMm(view, to)];
    const box = [from[0], from[1], to[0], to[1]];
    if (this.tool === 'probe') {
      const text = thick(view, this.cells, from, to);
      this.measure = { box: from[0] === to[0] ? [from[0] - 1, from[1] - 1, to[0] + 1, to[1] + 1] : box, label: text, kind: 'tool' };
      this.result = [h('h2', {}, t('tool.probe')), h('p', {}, text)];
    } else if (this.tool === 'ruler') {
      const [dx, dy] = [(b[0] ?? 0) - (a[0] ?? 0), (b[1] ?? 0) - (a[1] ?? 0)];
      const text = t('car.distance', { mm: number(Math.hypot(dx, dy)), along: number(Math.abs(dx)), up: number(Math.abs(dy)) });
      this.measure = { box, label: text, kind: 'ruler' };
      this.result = [h('h2', {}, t('tool.ruler')), h('p', {}, text)];
    } else if (this.tool === 'region') {
      this.measure = { box, label: t('tool.region'), kind: 'tool' };
      this.region = [from, to];
      this.result = histogram(view, this.stage.now?.pixels.native() ?? null, this.cells, from, to);
    } else if (this.tool !== 'look') {
      this.annotation(this.tool, from, to);
      return;
    }
    this.drawMeasured();
    this.stage.draw();
  }

  // --- drawings ---

  /** @param {Tool} kind @param {Point} from @param {Point} to */
  annotation(kind, from, to) {
    const body = h('textarea', { id: 'annotation', rows: 2, maxlength: 2000, required: true });
    const send = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const point = (/** @type {Point} */ [x, y]) => [x, y].map((value) => Math.max(0, Math.round(value)));
      try {
        const made = await ask('POST', `${this.address()}/annotations`, { kind, from: point(from), to: point(to), body: body.value });
        this.measure = null;
        this.result = [];
        this.take('look');
        this.made(made);
      } catch (error) {
        this.failed(error);
      }
    };
    this.measure = { box: [from[0], from[1], to[0], to[1]], label: '', kind: kind === 'arrow' ? 'arrow' : 'drawn' };
    this.result = [h('h2', {}, t(`tool.${kind}`)), h('form', { class: 'noting', onsubmit: send }, h('label', { for: 'annotation' }, t('car.says')), body, h('button', {}, t('note.send')))];
    this.drawMeasured();
    body.focus();
    body.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') body.blur();
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) void send(event);
    });
    this.stage.draw();
  }

  /** @param {number} id */
  async remove(id) {
    try {
      this.made(await ask('DELETE', `${this.address()}/annotations/${id}`));
    } catch (error) {
      this.failed(error);
    }
  }

  // --- drawing ---

  marks() {
    /** @type {import('./stage.js').Mark[]} */
    const marks = [];
    const { view } = this;
    if (!view) return marks;
    if (this.boxes) {
      view.told.findings.forEach((/** @type {Finding} */ { box: [x = 0, y = 0, w = 0, d = 0], probability }, /** @type {number} */ index) =>
        marks.push({ box: [x, y, x + w, y + d], label: `${index + 1} · ${percent(probability)}`, kind: index === this.findings.chosen ? 'chosen' : 'finding' }));
      for (const { kind, from, to, body } of view.annotations) marks.push({ box: [...from, ...to], label: shown(body).slice(0, 60), kind: kind === 'arrow' ? 'arrow' : 'drawn' });
    }
    if (this.measure) marks.push(this.measure);
    return marks;
  }

  draw() {
    const view = /** @type {View} */ (this.view);
    const name = view.name ?? t('trains.number', { n: view.scan });
    fill(this.crumbs, h('a', { href: '#trains' }, t('trains.title')), ' › ', h('a', { href: `#trains/${view.scan}` }, name), ` › ${t('car.of', { n: view.position, of: this.train.cars.length })}`);
    fill(this.heading, h('span', { class: 'plate' }, view.mark ?? t('trains.nomark')), ` · ${t(`carkind.${view.told.kind}`)}`);
    this.tools();
    fill(this.readout, t('car.hint'));
    this.findings.draw();
    this.drawMeasured();
    fill(this.papers, ...papers(view));
    this.drawDrawn();
  }

  drawDrawn() {
    const view = /** @type {View} */ (this.view);
    fill(this.drawn, h('h2', {}, t('car.drawn')), view.annotations.length === 0 ? h('p', { class: 'small' }, t('car.nothingdrawn')) : h('ul', { class: 'plain' }, ...view.annotations.map((one) =>
      h('li', {}, h('strong', {}, t(`tool.${one.kind}`)), ': ', h('span', { class: 'drawn' }, one.body), h('span', { class: 'small' }, ` ${one.name}, ${time(one.at_ms)} `),
        one.person === this.page.review.me.id ? h('button', { onclick: () => void this.remove(one.id) }, t('car.remove')) : null))));
  }

  drawMeasured() {
    const { stage } = this;
    fill(this.measured, ...this.result,
      stage.compare === 'off' ? null : h('p', { class: 'small' }, t(`compare.${stage.compare}`), this.misfit === null ? '' : ` ${t('car.fits', { mm: number(this.misfit, 2) })}`));
  }
}
