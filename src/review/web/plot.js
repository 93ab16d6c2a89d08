// Small plots: a line or bars over hours, drawn as SVG, with the same numbers in a table for whoever does not see them.

import { h, svg, table } from './dom.js';
import { number, t, time } from './words.js';

/** @typedef {{name: string, values: (number | null)[], kind: 'line' | 'bars', shade: 1 | 2}} Series */

const WIDE = 480;
const TALL = 120;

/**
 * @param {string} title
 * @param {{first_ms: number, hour_ms: number}} hours
 * @param {Series[]} series
 * @param {{value: number, name: string}} [limit]
 */
export function plot(title, hours, series, limit) {
  const count = Math.max(1, series[0]?.values.length ?? 1);
  const all = series.flatMap((one) => one.values).filter((value) => value !== null);
  const most = Math.max(1, limit?.value ?? 0, ...all) * 1.05;
  const x = (/** @type {number} */ at) => (at + 0.5) * (WIDE / count);
  const y = (/** @type {number} */ value) => TALL - (value / most) * TALL;
  const marks = series.flatMap((one) => {
    if (one.kind === 'bars') {
      return one.values.map((value, at) =>
        value ? svg('rect', { class: `shade-${one.shade}`, x: x(at) - (WIDE / count) * 0.35, width: (WIDE / count) * 0.7, y: y(value), height: TALL - y(value) }) : null);
    }
    const points = one.values.map((value, at) => (value === null ? null : `${x(at).toFixed(1)},${y(value).toFixed(1)}`)).filter((point) => point !== null);
    return [
      svg('polyline', { class: `stroke-${one.shade}`, points: points.join(' ') }),
      ...one.values.map((value, at) => (value === null ? null : svg('circle', { class: `shade-${one.shade}`, cx: x(at), cy: y(value), r: 2.5 }))),
    ];
  });
  const line = limit ? svg('line', { class: 'limit', x1: 0, x2: WIDE, y1: y(limit.value), y2: y(limit.value) }) : null;
  const drawing = svg('svg', { viewBox: `0 -4 ${WIDE} ${TALL + 8}`, class: 'plot', 'aria-hidden': 'true' }, line, ...marks);
  const last = hours.first_ms + (count - 1) * hours.hour_ms;
  const rows = Array.from({ length: count }, (_, at) => [
    time(hours.first_ms + at * hours.hour_ms),
    ...series.map((one) => (one.values[at] === null || one.values[at] === undefined ? '–' : number(/** @type {number} */ (one.values[at])))),
  ]);
  return h('figure', { class: 'plotted' },
    h('figcaption', {}, title),
    h('div', { class: 'axis' }, number(most / 1.05), limit ? ` · ${t('plot.limit', { name: limit.name, n: number(limit.value) })}` : ''),
    drawing,
    h('div', { class: 'axis ends' }, h('span', {}, time(hours.first_ms)), h('span', {}, time(last))),
    h('p', { class: 'legend' }, ...series.map((one) => h('span', {}, h('span', { class: `swatch shade-${one.shade}`, 'aria-hidden': 'true' }), one.name))),
    h('details', {}, h('summary', {}, t('plot.numbers')), table(title, [t('plot.hour'), ...series.map((one) => one.name)], rows)));
}
