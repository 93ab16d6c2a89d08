// The middle: the plate large, character by character, whose it is, the whole picture, the film strip. Says when it has painted: before that nobody decides.

import { fill, h } from './dom.js';
import { picture } from './server.js';
import { number, ofDay, percent, t } from './words.js';

/** @typedef {import('./server.js').Case} Case */

/** How much of the plate's size is shown around it. */
const MARGIN = 0.35;
/** The plate is shown at four times its size, or as wide as there is place. */
const SCALE = 4;

export class Evidence {
  /** @param {{onpainted: () => void, onfailed: (error: Error) => void}} owner */
  constructor(owner) {
    this.owner = owner;
    /** When the evidence on the screen was painted, by `performance.now()`. @type {number | null} */
    this.painted = null;
    /** SHA-256 of the picture on the screen. @type {string | null} */
    this.digest = null;
    /** @type {Case | null} */
    this.case = null;
    this.turn = 0;
    /** @type {ImageBitmap | null} */
    this.bitmap = null;
    this.chosen = 0;
    this.crop = h('canvas', { class: 'crop', role: 'img', width: 8, height: 8 });
    this.overview = h('canvas', { class: 'overview', role: 'img', width: 8, height: 8 });
    this.characters = h('div', { class: 'characters' });
    this.issuer = h('div', { class: 'issuer' });
    this.strip = h('div', { class: 'strip', role: 'group' });
    this.state = h('p', { class: 'painting', role: 'status' });
    this.element = h('div', { class: 'evidence' }, this.state, this.crop, this.characters, this.issuer, this.overview, this.strip);
  }

  /** Nothing is on the screen. */
  clear() {
    this.turn += 1;
    this.painted = null;
    this.digest = null;
    this.case = null;
    this.element.hidden = true;
  }

  /** Shows a case; its picture is fetched, decoded and painted before it counts as seen. @param {Case} shown */
  async show(shown) {
    const same = this.case?.item.id === shown.item.id && this.digest === shown.pictures[0]?.digest;
    this.case = shown;
    this.element.hidden = false;
    this.drawCharacters();
    this.drawIssuer();
    if (same) return;
    const turn = (this.turn += 1);
    this.painted = null;
    this.digest = null;
    this.chosen = 0;
    for (const canvas of [this.crop, this.overview]) canvas.width = canvas.height = 8;
    fill(this.strip);
    this.say(t('evidence.loading'));
    const first = shown.pictures[0];
    if (!first) {
      this.say(t('evidence.none'), true);
      return;
    }
    try {
      const bitmap = await picture(shown.item.id, first.digest);
      if (turn !== this.turn) return;
      this.bitmap?.close();
      this.bitmap = bitmap;
      this.paint();
      await painted();
      if (turn !== this.turn) return;
      this.digest = first.digest;
      this.painted = performance.now();
      this.say('');
      this.owner.onpainted();
      void this.film(turn);
    } catch (error) {
      if (turn !== this.turn) return;
      this.say(t('evidence.failed', { why: error instanceof Error ? error.message : String(error) }), true);
      this.owner.onfailed(/** @type {Error} */ (error));
    }
  }

  /** @param {string} text @param {boolean} [bad] */
  say(text, bad = false) {
    this.state.className = bad ? 'painting bad' : 'painting';
    this.state.hidden = text === '';
    fill(this.state, text);
  }

  /** For how long the evidence has been on the screen, milliseconds. */
  lookedMs() {
    return this.painted === null ? null : Math.round(performance.now() - this.painted);
  }

  paint() {
    const { bitmap } = this;
    const read = this.case?.read;
    if (!bitmap) return;
    const [x = 0, y = 0, w = bitmap.width, height = bitmap.height] = read?.box ?? [];
    const left = Math.max(0, x - w * MARGIN);
    const top = Math.max(0, y - height * MARGIN);
    const wide = Math.min(bitmap.width - left, w * (1 + 2 * MARGIN));
    const tall = Math.min(bitmap.height - top, height * (1 + 2 * MARGIN));
    const scale = Math.max(1, Math.min(SCALE, 1400 / wide));
    this.crop.width = Math.max(1, Math.round(wide * scale));
    this.crop.height = Math.max(1, Math.round(tall * scale));
    this.crop.setAttribute('aria-label', t('evidence.crop', { read: read?.text ?? '' }));
    const crop = this.crop.getContext('2d');
    if (crop) {
      crop.imageSmoothingQuality = 'high';
      crop.drawImage(bitmap, left, top, wide, tall, 0, 0, this.crop.width, this.crop.height);
    }
    this.drawOverview(bitmap, read?.corners ?? null);
  }

  /** @param {ImageBitmap} bitmap @param {number[][] | null} corners */
  drawOverview(bitmap, corners) {
    this.overview.width = bitmap.width;
    this.overview.height = bitmap.height;
    this.overview.setAttribute('aria-label', t('evidence.overview', { lane: this.case?.lane ?? '' }));
    const context = this.overview.getContext('2d');
    if (!context) return;
    context.drawImage(bitmap, 0, 0);
    if (!corners) return;
    for (const [color, width] of /** @type {[string, number][]} */ ([['#000', 6], ['#ffb000', 3]])) {
      context.strokeStyle = color;
      context.lineWidth = width * Math.max(1, bitmap.width / 1280);
      context.beginPath();
      corners.forEach(([x = 0, y = 0], at) => (at === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
      context.closePath();
      context.stroke();
    }
  }

  /** One box for each character: as read, how sure, as sought; differences are hatched and named. */
  drawCharacters() {
    const shown = this.case;
    if (!shown) return;
    const cells = shown.columns.map((column) => {
      const name = t(`meets.${column.meets}`);
      const sure = column.probability === null ? '' : percent(column.probability);
      return h('div', { class: `character ${column.meets}`, role: 'listitem' },
        h('span', { class: 'as-read' }, h('span', { class: 'said' }, t('evidence.read')), column.read ?? '∅'),
        h('span', { class: 'sure' }, h('span', { class: 'said' }, t('evidence.sure')), sure || '–'),
        h('span', { class: 'as-sought' }, h('span', { class: 'said' }, t('evidence.sought')), column.sought ?? '∅'),
        h('span', { class: 'meets' }, column.meets === 'same' ? '=' : name,
          column.meets !== 'same' && (column.sought_probability ?? 0) >= 0.005 ? ` ${percent(column.sought_probability ?? 0)}` : ''));
    });
    const wrong = shown.columns.filter((column) => column.meets !== 'same').length;
    const head = h('div', { class: 'character head', 'aria-hidden': 'true' },
      h('span', { class: 'as-read' }, t('evidence.read')), h('span', { class: 'sure' }, t('evidence.sure')),
      h('span', { class: 'as-sought' }, t('evidence.sought')), h('span', { class: 'meets' }, ''));
    fill(this.characters,
      h('p', { class: wrong ? 'verdict differs' : 'verdict' }, wrong === 0 ? t('evidence.same') : wrong === 1 ? t('evidence.onediffers') : t('evidence.differs', { n: number(wrong) })),
      h('div', { class: 'grid' }, head, h('div', { class: 'cells', role: 'list', 'aria-label': t('evidence.characters') }, ...cells)));
  }

  drawIssuer() {
    const shown = this.case;
    if (!shown) return;
    const { read, probability, sought, meets } = shown.jurisdiction;
    fill(this.issuer,
      h('span', { class: 'name' }, t('evidence.issuer')),
      h('span', { class: `pair ${meets}` },
        h('span', {}, `${t('evidence.read')}: `, h('strong', {}, read === 'other' ? t('issuer.foreign') : read ?? t('unknown')), probability === null ? '' : ` ${percent(probability)}`),
        h('span', {}, `${t('evidence.sought')}: `, h('strong', {}, sought || t('any'))),
        h('span', { class: 'meets' }, t(`issuer.${meets}`))));
  }

  /** The film strip, one picture after the other, small. @param {number} turn */
  async film(turn) {
    const shown = this.case;
    if (!shown) return;
    this.strip.setAttribute('aria-label', t('evidence.strip'));
    const inOrder = [...shown.pictures].sort((a, b) => a.sequence - b.sequence);
    if (inOrder.length < 2) {
      fill(this.strip, h('p', { class: 'small' }, t('evidence.single')));
      return;
    }
    const places = inOrder.map((one, at) => {
      const best = one.digest === shown.pictures[0]?.digest;
      const canvas = h('canvas', { width: 160, height: 90, role: 'img', 'aria-label': t('evidence.frame', { n: at + 1, of: inOrder.length, time: ofDay(one.captured_ms) }) });
      const button = h('button', { class: best ? 'frame best' : 'frame', 'aria-pressed': String(best), onclick: () => void this.choose(at) },
        canvas, h('span', {}, `${ofDay(one.captured_ms)}${best ? ` · ${t('evidence.best')}` : ''}`));
      return { canvas, button };
    });
    this.chosen = inOrder.findIndex((one) => one.digest === shown.pictures[0]?.digest);
    fill(this.strip, ...places.map((place) => place.button));
    for (const [at, one] of inOrder.entries()) {
      try {
        const bitmap = await picture(shown.item.id, one.digest, { resizeWidth: 160 });
        if (turn !== this.turn) return;
        const canvas = places[at]?.canvas;
        if (!canvas) continue;
        canvas.height = bitmap.height;
        canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
        bitmap.close();
      } catch {
        if (turn !== this.turn) return;
      }
    }
  }

  /** Shows another picture of the strip in the overview; the plate above stays. @param {number} at */
  async choose(at) {
    const shown = this.case;
    if (!shown) return;
    const inOrder = [...shown.pictures].sort((a, b) => a.sequence - b.sequence);
    const one = inOrder[at];
    if (!one || this.painted === null) return;
    this.chosen = at;
    [...this.strip.querySelectorAll('button')].forEach((button, number) => button.setAttribute('aria-pressed', String(number === at)));
    const turn = this.turn;
    const bitmap = await picture(shown.item.id, one.digest);
    if (turn !== this.turn || this.chosen !== at) return;
    this.drawOverview(bitmap, one.digest === shown.pictures[0]?.digest ? (shown.read?.corners ?? null) : null);
    bitmap.close();
  }

  /** @param {1 | -1} step */
  flip(step) {
    const count = this.case?.pictures.length ?? 0;
    if (count > 1) void this.choose((this.chosen + step + count) % count);
  }

  /** What a screen reader is told when the evidence is there. */
  told() {
    const shown = this.case;
    if (!shown) return '';
    const wrong = shown.columns.filter((column) => column.meets !== 'same').length;
    return t(wrong === 1 ? 'evidence.toldone' : 'evidence.told', { read: shown.read?.text ?? '', sought: shown.item.sought, n: number(wrong) });
  }
}

/** After the next frame was painted: the frame after the one in which we are asked has begun. */
function painted() {
  return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}
