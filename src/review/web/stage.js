// Where a car is looked at: its pixels, what lies over them (findings, drawings, hatching, what is measured), a small map, and the hand that moves it all.

import { card, processor, sampling } from './canvas.js';
import { at } from './display.js';
import { h } from './dom.js';

/** @typedef {import('./pixels.js').Pixels} Pixels
 * @typedef {import('./pixels.js').Cells} Cells
 * @typedef {import('./canvas.js').Look} Look
 * @typedef {[number, number]} Point column and detector of the scan, with fractions
 * @typedef {{columns: [number, number], detectors: number, pitch_mm: number, top_mm: number, x_mm: number[], cells: {width: number, height: number, mm: number}}} Body
 * @typedef {{body: Body, pixels: Pixels, flip: boolean}} Source a car's pixels; `flip`: it came the other way round
 * @typedef {{box: number[], label: string, kind: 'finding' | 'chosen' | 'drawn' | 'arrow' | 'tool' | 'ruler'}} Mark `box`: from and to, columns and detectors */

/** The colours of marks, between two strokes of black that no ground hides. @type {Record<string, string>} */
const INK = { finding: '#e69f00', chosen: '#ffffff', drawn: '#56b4e9', arrow: '#56b4e9', tool: '#f0e442', ruler: '#f0e442' };

/** The cell along the car that a column falls in. @param {Body} body @param {number} column */
export function cellOf({ x_mm, columns, cells }, column) {
  const index = Math.min(Math.max(Math.floor(column) - columns[0], 0), x_mm.length - 1);
  return Math.min(cells.width - 1, Math.max(0, Math.floor(at(x_mm, index) / cells.mm)));
}

/** Place in the car: mm from its head, mm above the rail. @param {Body} body @param {Point} point */
export function placeMm({ x_mm, columns, top_mm, pitch_mm }, [column, row]) {
  const along = Math.min(Math.max(column - columns[0], 0), x_mm.length - 1);
  const whole = Math.min(Math.floor(along), x_mm.length - 2);
  return [at(x_mm, whole) + (at(x_mm, whole + 1) - at(x_mm, whole)) * (along - whole), top_mm - row * pitch_mm];
}

/** One canvas of pixels with one of marks over it. */
class Pane {
  constructor() {
    this.over = h('canvas', { class: 'over' });
    this.label = h('p', { class: 'pane-label' });
    this.element = h('div', { class: 'pane' });
    const canvas = h('canvas', { class: 'pixels' });
    const painter = localStorage.getItem('garita.renderer') === 'processor' ? null : card(canvas, true);
    this.canvas = painter ? canvas : h('canvas', { class: 'pixels' });
    this.painter = painter ?? processor(this.canvas);
    canvas.addEventListener('webglcontextlost', () => this.renew());
    this.element.append(this.canvas, this.over, this.label);
  }

  /** From here on by the processor: on another canvas, for one is the card's or the processor's for good. */
  renew() {
    this.canvas = h('canvas', { class: 'pixels' });
    this.painter = processor(this.canvas);
    this.element.replaceChildren(this.canvas, this.over, this.label);
  }

  /** @param {number} width @param {number} height */
  size(width, height) {
    for (const canvas of [this.canvas, this.over]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
  }
}

export class Stage {
  /** @param {{look: () => Look, marks: () => Mark[], tool: () => string, hover: (point: Point) => void, drawn: (from: Point, to: Point) => void,
   * window: (across: number, up: number) => void}} owner */
  constructor(owner) {
    this.owner = owner;
    this.panes = [new Pane(), new Pane()];
    this.map = h('canvas', { class: 'minimap', width: 240, height: 60, 'aria-hidden': 'true' });
    this.mapPainter = processor(this.map);
    this.element = h('div', { class: 'stage', tabindex: 0, role: 'group' }, ...this.panes.map((pane) => pane.element), this.map);
    /** @type {Source | null} */
    this.now = null;
    /** @type {Source | null} */
    this.then = null;
    /** @type {'off' | 'beside' | 'blink' | 'difference'} */
    this.compare = 'off';
    /** Whether the earlier scan is what blinks up now. */
    this.blinked = false;
    /** @type {HTMLCanvasElement | null} */
    this.hatch = null;
    /** @type {HTMLCanvasElement | null} */
    this.difference = null;
    this.labels = ['', ''];
    /** Whether hatching is shown. */
    this.hatched = true;
    /** @type {[Point, Point] | null} what is being drawn */
    this.rubber = null;
    /** @type {CanvasPattern | null} */
    this.lines = null;
    /** Centre, in columns and detectors, and screen pixels per column. */
    this.view = { x: 0, y: 0, scale: 1 };
    /** @type {Point | null} the crosshair, where somebody works by keyboard */
    this.cross = null;
    this.wanted = false;
    this.seen = new ResizeObserver(() => (this.fitted ? this.fit() : this.draw()));
    this.seen.observe(this.element);
    this.fitted = true;
    /** When each of the last frames was painted. @type {number[]} */
    this.frames = [];
    const { element } = this;
    element.addEventListener('wheel', (event) => {
      event.preventDefault();
      this.zoom(1.25 ** (-Math.sign(event.deltaY)), this.point(event));
    }, { passive: false });
    element.addEventListener('contextmenu', (event) => event.preventDefault());
    element.addEventListener('pointerdown', (event) => this.down(event));
    element.addEventListener('pointermove', (event) => this.now && this.owner.hover(this.point(event)));
    this.map.addEventListener('pointerdown', (event) => {
      event.stopPropagation();
      const box = this.map.getBoundingClientRect();
      const { columns, detectors } = this.body();
      this.look([columns[0] + ((event.clientX - box.left) / box.width) * (columns[1] - columns[0]), ((event.clientY - box.top) / box.height) * detectors]);
    });
  }

  stop() {
    this.seen.disconnect();
  }

  body() {
    return /** @type {Source} */ (this.now).body;
  }

  /** How much higher than wide a pixel is. */
  aspect() {
    const { x_mm, pitch_mm } = this.body();
    const length = at(x_mm, x_mm.length - 1);
    return length > 0 ? (pitch_mm * (x_mm.length - 1)) / length : 1;
  }

  /** @param {MouseEvent} event @returns {Point} */
  point(event) {
    // In whichever pane the hand is, the same place of the car is under it.
    const pane = this.panes.find(({ element }) => !element.hidden && element.contains(/** @type {Node} */ (event.target))) ?? this.panes[0];
    const box = /** @type {Pane} */ (pane).over.getBoundingClientRect();
    const { x, y, scale } = this.view;
    const ratio = devicePixelRatio;
    const dy = ((event.clientY - box.top - box.height / 2) * ratio) / scale / this.aspect();
    return [x + ((event.clientX - box.left - box.width / 2) * ratio) / scale, y + dy];
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (!this.now) return;
    const from = this.point(event);
    let last = event;
    const { element } = this;
    const windowing = event.button === 2;
    const drawing = !windowing && this.owner.tool() !== 'look';
    element.setPointerCapture(event.pointerId);
    const move = (/** @type {PointerEvent} */ moved) => {
      const [dx, dy] = [moved.clientX - last.clientX, moved.clientY - last.clientY];
      last = moved;
      if (windowing) this.owner.window(dx, dy);
      else if (drawing) {
        this.rubber = /** @type {[Point, Point]} */ ([from, this.point(moved)]);
        this.draw();
      } else this.pan(-dx * devicePixelRatio, -dy * devicePixelRatio);
    };
    const up = (/** @type {PointerEvent} */ ended) => {
      element.removeEventListener('pointermove', move);
      this.rubber = null;
      if (drawing) this.owner.drawn(from, this.point(ended));
      this.draw();
    };
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', up, { once: true });
  }

  /** @param {Source} source */
  show(source) {
    this.now = source;
    this.then = null;
    this.compare = 'off';
    this.hatch = this.difference = this.cross = null;
    this.fit();
  }

  /** Lays cells over the pixels: hatching where nothing came through, or how much more there is than earlier. @param {Cells} cells @param {'hatch' | 'difference'} what */
  lay(cells, what) {
    const { body } = /** @type {Source} */ (this.now);
    const canvas = h('canvas', { width: body.columns[1] - body.columns[0], height: cells.height });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const image = context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let x = 0; x < canvas.width; x += 1) {
      const cell = cellOf(body, body.columns[0] + x) * cells.height;
      for (let y = 0; y < cells.height; y += 1) {
        if (what === 'hatch') pixels[y * canvas.width + x] = cells.limited && at(cells.limited, cell + y) ? 0xffffffff : 0;
        else {
          // More is orange, less is blue; within one standard error nothing, from four on all of it.
          const sigmas = at(cells.mm, cell + y) / Math.max(at(cells.sigma, cell + y), 1e-6);
          const alpha = Math.round(Math.min(Math.max((Math.abs(sigmas) - 1) / 3, 0), 1) * 230);
          pixels[y * canvas.width + x] = ((alpha << 24) | (sigmas > 0 ? 0x005ed5 : 0xe9b456)) >>> 0;
        }
      }
    }
    context.putImageData(image, 0, 0);
    this[what] = canvas;
    this.element.dataset[what] = 'laid';
    this.draw();
  }

  /** @param {Point} point @param {number} [scale] */
  look([x, y], scale = this.view.scale) {
    const { columns, detectors } = this.body();
    const [width, height] = this.size();
    const larger = Math.min(Math.max(scale, 1 / 64), 64);
    // No further out than that a tenth of the view is beside the car; what is smaller than the view stays in the middle.
    const within = (/** @type {number} */ value, /** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ view) =>
      (to - from < 0.8 * view ? (from + to) / 2 : Math.min(Math.max(value, from + 0.4 * view), to - 0.4 * view));
    this.fitted = false;
    this.view = { x: within(x, columns[0], columns[1], width / larger), y: within(y, 0, detectors, height / larger / this.aspect()), scale: larger };
    this.draw();
  }

  /** @param {number} across screen pixels @param {number} down */
  pan(across, down) {
    const { x, y, scale } = this.view;
    this.look([x + across / scale, y + down / scale / this.aspect()]);
  }

  /** Larger about a point, which stays where it is. @param {number} factor @param {Point} [about] */
  zoom(factor, about) {
    const { x, y, scale } = this.view;
    const [px, py] = about ?? this.cross ?? [x, y];
    const larger = Math.min(Math.max(scale * factor, 1 / 64), 64);
    this.look([px + ((x - px) * scale) / larger, py + ((y - py) * scale) / larger], larger);
  }

  /** All of the car. */
  fit() {
    if (!this.now) return;
    const { columns, detectors } = this.body();
    const [width, height] = this.size();
    this.look([(columns[0] + columns[1]) / 2, detectors / 2], 0.98 * Math.min(width / (columns[1] - columns[0]), height / detectors / this.aspect()));
    this.fitted = true;
  }

  /** Of a pane, screen pixels. @returns {[number, number]} */
  size() {
    const box = this.element.getBoundingClientRect();
    const parts = this.compare === 'beside' ? 2 : 1;
    return [Math.max(1, Math.round(box.width * devicePixelRatio)), Math.max(1, Math.round((box.height * devicePixelRatio) / parts))];
  }

  draw() {
    if (this.wanted) return;
    this.wanted = true;
    requestAnimationFrame((time) => {
      this.wanted = false;
      if (!this.now || !this.element.isConnected) return;
      this.frames = [...this.frames.slice(-59), time];
      this.paint();
    });
  }

  paint() {
    const [width, height] = this.size();
    const beside = this.compare === 'beside' && this.then;
    const sources = [this.compare === 'blink' && this.blinked && this.then ? this.then : this.now, beside ? this.then : null];
    this.panes.forEach((pane, index) => {
      const source = sources[index];
      pane.element.hidden = !source;
      if (!source) return;
      pane.size(width, height);
      const picture = this.paintPixels(pane, source, width, height);
      // What is on the screen: for whoever waits for it.
      if (picture && index === 0) this.element.dataset['level'] = String(picture.level);
      pane.label.textContent = this.compare === 'off' ? '' : this.labels[source === this.then ? 1 : 0] ?? '';
      pane.label.hidden = !pane.label.textContent;
      const context = /** @type {CanvasRenderingContext2D} */ (pane.over.getContext('2d'));
      context.clearRect(0, 0, width, height);
      if (picture && index === 0) this.paintOver(context, width, height);
    });
    this.paintMap();
  }

  /** @param {Pane} pane @param {Source} source @param {number} width @param {number} height */
  paintPixels(pane, source, width, height) {
    const now = this.body();
    const { body, flip } = source;
    const { x, y, scale } = this.view;
    // The same share of the car's length, the same height above the rail.
    const ratio = (body.columns[1] - body.columns[0]) / (now.columns[1] - now.columns[0]);
    const along = (x - now.columns[0]) * ratio;
    const centre = flip ? body.columns[1] - along : body.columns[0] + along;
    const down = (body.top_mm - now.top_mm + y * now.pitch_mm) / body.pitch_mm;
    const [across, up] = [scale / ratio, (scale * this.aspect() * body.pitch_mm) / now.pitch_mm];
    const picture = source.pixels.best(Math.min(across, up));
    if (!picture) return null;
    const columns = sampling(width, centre, across, picture.level, picture.x0, picture.width);
    if (flip) columns.reverse();
    const rows = sampling(height, down, up, picture.level, 0, picture.height);
    try {
      pane.painter.paint(picture, this.owner.look(), columns, rows);
    } catch {
      // What the card does not take, the processor does.
      pane.renew();
      pane.size(width, height);
      pane.painter.paint(picture, this.owner.look(), columns, rows);
    }
    return picture;
  }

  /** @param {Point} point @param {number} width @param {number} height @returns {Point} */
  screen([column, row], width, height) {
    const { x, y, scale } = this.view;
    return [(column - x) * scale + width / 2, (row - y) * scale * this.aspect() + height / 2];
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  paintOver(context, width, height) {
    const { columns, detectors } = this.body();
    const [x0, y0] = this.screen([columns[0], 0], width, height);
    const [x1, y1] = this.screen([columns[1], detectors], width, height);
    if (this.hatch && this.hatched) {
      context.drawImage(this.hatch, x0, y0, x1 - x0, y1 - y0);
      context.globalCompositeOperation = 'source-in';
      context.fillStyle = this.pattern(context);
      context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = 'source-over';
    }
    if (this.compare === 'difference' && this.difference) context.drawImage(this.difference, x0, y0, x1 - x0, y1 - y0);
    const ratio = devicePixelRatio;
    context.font = `${13 * ratio}px system-ui, "DejaVu Sans", sans-serif`;
    const marks = this.owner.marks();
    if (this.rubber) marks.push({ box: [this.rubber[0][0], this.rubber[0][1], this.rubber[1][0], this.rubber[1][1]], label: '', kind: this.owner.tool() === 'ruler' ? 'ruler' : 'tool' });
    for (const mark of marks) this.paintMark(context, mark, width, height, ratio);
    if (this.cross) {
      const [x, y] = this.screen(this.cross, width, height);
      this.stroke(context, ratio, '#f0e442', () => {
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          context.moveTo(x + 5 * ratio * (dx ?? 0), y + 5 * ratio * (dy ?? 0));
          context.lineTo(x + 16 * ratio * (dx ?? 0), y + 16 * ratio * (dy ?? 0));
        }
      });
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {Mark} mark @param {number} width @param {number} height @param {number} ratio */
  paintMark(context, { box: [a = 0, b = 0, c = 0, d = 0], label, kind }, width, height, ratio) {
    // Around what it is about, not over it.
    const beside = kind === 'finding' || kind === 'chosen' ? 4 * ratio : 0;
    const [x0 = 0, y0 = 0] = this.screen([a, b], width, height).map((value) => value - beside);
    const [x1 = 0, y1 = 0] = this.screen([c, d], width, height).map((value) => value + beside);
    this.stroke(context, ratio * (kind === 'chosen' ? 1.6 : 1), INK[kind] ?? '#ffffff', () => {
      if (kind === 'arrow' || kind === 'ruler') {
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
        const angle = Math.atan2(y1 - y0, x1 - x0);
        for (const side of kind === 'arrow' ? [2.6, -2.6] : [Math.PI / 2, -Math.PI / 2]) {
          context.moveTo(x1, y1);
          context.lineTo(x1 + 11 * ratio * Math.cos(angle + side), y1 + 11 * ratio * Math.sin(angle + side));
        }
      } else context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
    });
    if (!label) return;
    const wide = context.measureText(label).width + 8 * ratio;
    const [x, y] = [Math.min(Math.max(Math.min(x0, x1), 0), width - wide), Math.max(Math.min(y0, y1) - 5 * ratio, 18 * ratio)];
    context.fillStyle = '#000000';
    context.fillRect(x, y - 15 * ratio, wide, 18 * ratio);
    context.fillStyle = INK[kind] ?? '#ffffff';
    context.fillText(label, x + 4 * ratio, y - ratio);
  }

  /** A line that no ground hides. @param {CanvasRenderingContext2D} context @param {number} ratio @param {string} ink @param {() => void} path */
  stroke(context, ratio, ink, path) {
    context.beginPath();
    path();
    for (const [wide, colour] of /** @type {const} */ ([[4, '#000000'], [2, ink]])) {
      context.lineWidth = wide * ratio;
      context.strokeStyle = colour;
      context.stroke();
    }
  }

  /** Diagonal lines. @param {CanvasRenderingContext2D} context */
  pattern(context) {
    if (!this.lines) {
      const tile = h('canvas', { width: 12, height: 12 });
      const ink = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
      ink.fillStyle = '#d55e00';
      for (let x = 0; x < 12; x += 1) for (let y = 0; y < 12; y += 1) if ((x + y) % 12 < 3) ink.fillRect(x, y, 1, 1);
      this.lines = /** @type {CanvasPattern} */ (context.createPattern(tile, 'repeat'));
    }
    return this.lines;
  }

  paintMap() {
    const { pixels, body } = /** @type {Source} */ (this.now);
    const picture = pixels.best(1 / 8);
    // Where all of the car is seen, no map is wanted.
    this.map.hidden = this.fitted;
    if (!picture || this.map.hidden) return;
    const { width, height } = this.map;
    const { columns, detectors } = body;
    const span = columns[1] - columns[0];
    this.mapPainter.paint(picture, { ...this.owner.look(), detail: 'plain' },
      sampling(width, (columns[0] + columns[1]) / 2, width / span, picture.level, picture.x0, picture.width),
      sampling(height, detectors / 2, height / detectors, picture.level, 0, picture.height));
    const context = /** @type {CanvasRenderingContext2D} */ (this.map.getContext('2d'));
    const [wide, high] = this.size();
    const { x, y, scale } = this.view;
    const [w, t] = [(wide / scale / span) * width, (high / scale / this.aspect() / detectors) * height];
    this.stroke(context, 1, '#f0e442', () => context.rect(((x - columns[0]) / span) * width - w / 2, (y / detectors) * height - t / 2, w, t));
  }
}
