// What is measured in a car: thicknesses with their errors, and the stored values of a region.

import { at } from './display.js';
import { facts, h, svg } from './dom.js';
import { thickness } from './pixels.js';
import { cellOf, placeMm } from './stage.js';
import { number, percent, t } from './words.js';

/** @typedef {import('./stage.js').Point} Point
 * @typedef {import('./car.js').View} View
 * @typedef {import('./pixels.js').Cells} Cells */

/** Where more than this is not penetrated, a thickness is a lower bound. */
export const SHUT = 0.02;
/** Bars of a histogram. */
const BINS = 48;

/** The thickness between two points with its error, in words. @param {View} view @param {Cells | null} cells @param {Point} a @param {Point} b */
export function thick(view, cells, a, b) {
  const across = [cellOf(view, a[0]), cellOf(view, b[0])];
  const down = [a[1], b[1]].map((row) => Math.floor((row * view.pitch_mm) / view.cells.mm));
  const found = cells && thickness(cells, [Math.min(...across), Math.max(...across) + 1, Math.min(...down), Math.max(...down) + 1]);
  if (!found) return t('car.nothickness');
  const values = { mm: number(found.mm, 1), sigma: number(found.sigma, 1), limited: percent(found.limited) };
  return found.limited > SHUT ? t('car.atleast', values) : t('car.thickness', values);
}

/** Stored values between two points, and how often each is there. @param {import('./display.js').Picture} native as scanned @param {Point} from @param {Point} to */
function stored(native, from, to) {
  const clip = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(Math.floor(value), 0), most);
  const [x0 = 0, x1 = 0] = [from[0], to[0]].map((x) => clip(x - native.x0, native.width - 1)).sort((p, q) => p - q);
  const [y0 = 0, y1 = 0] = [from[1], to[1]].map((y) => clip(y, native.height - 1)).sort((p, q) => p - q);
  const counts = new Uint32Array(65_536);
  for (let y = y0; y <= y1; y += 1) {
    for (let x = x0; x <= x1; x += 1) {
      const value = at(native.data, y * native.width + x);
      counts[value] = at(counts, value) + 1;
    }
  }
  return { counts, n: (x1 - x0 + 1) * (y1 - y0 + 1) };
}

/** The values below and above which a hundredth of a region is. @param {import('./display.js').Picture} native @param {Point} from @param {Point} to */
export function ends(native, from, to) {
  const { counts, n } = stored(native, from, to);
  let [below, low, high] = [0, 0, 0];
  counts.forEach((count, value) => {
    if (count && below <= n / 100) low = value;
    if (count && below <= n - n / 100) high = value;
    below += count;
  });
  return { low, high: Math.max(high, low + 1) };
}

/** A region: how often each value is there, size, mean, thickness. @param {View} view @param {import('./display.js').Picture | null} native as scanned @param {Cells | null} cells
 * @param {Point} from @param {Point} to */
export function histogram(view, native, cells, from, to) {
  if (!native) return [h('p', {}, t('car.coming'))];
  const { counts, n } = stored(native, from, to);
  const [low, high] = [counts.findIndex(Boolean), counts.findLastIndex(Boolean)];
  let [sum, squares] = [0, 0];
  const bins = new Array(BINS).fill(0);
  for (let value = low; value <= high; value += 1) {
    const count = at(counts, value);
    bins[Math.floor(((value - low) / (high - low + 1)) * BINS)] += count;
    sum += count * value;
    squares += count * value * value;
  }
  const most = Math.max(...bins);
  const [[ax = 0, ay = 0], [bx = 0, by = 0]] = [placeMm(view, from), placeMm(view, to)];
  return [
    h('h2', {}, t('tool.region')),
    svg('svg', { viewBox: '0 0 96 30', class: 'plot', role: 'img', 'aria-label': t('car.histogram', { low: number(low), high: number(high) }) },
      ...bins.map((count, bin) => svg('rect', { x: bin * 2, y: 30 - (30 * count) / most, width: 1.6, height: (30 * count) / most, class: 'shade-1' }))),
    h('p', { class: 'axis ends' }, h('span', {}, number(low)), h('span', {}, number(high))),
    facts([
      [t('car.size'), `${number(Math.abs(bx - ax))} × ${number(Math.abs(by - ay))} mm`],
      [t('car.pixels'), number(n)],
      [t('car.mean'), `${number(sum / n, 1)} ± ${number(Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2)), 1)}`],
      [t('car.steel'), thick(view, cells, from, to)],
    ]),
  ];
}
